"""What of a generated record is kept: recent and lasting facts, and whatever they refer to."""

import re
from collections.abc import Iterator
from typing import Any

Resource = dict[str, Any]

# Up to which age of a fact it is kept; a type that is not named is kept whole.
SINCE = {
    "Encounter": "2020-01",
    "Observation": "2019-01",
    "DiagnosticReport": "2019-01",
    "Procedure": "2021-01",
    "Condition": "2015-01",
    "MedicationRequest": "2018-01",
    "MedicationAdministration": "2022-01",
    "SupplyDelivery": "2024-01",
    "DocumentReference": "2023-01",
    "Claim": "2025-06",
    "ExplanationOfBenefit": "2025-06",
    "CareTeam": "2020-01",
    "CarePlan": "2020-01",
    "Coverage": "2015-01",
}
LABORATORY_SINCE = "2012-01"
DATED_BY = (
    "effectiveDateTime", "performedDateTime", "occurrenceDateTime", "onsetDateTime",
    "authoredOn", "date", "created",
)  # fmt: skip

# The generator's social findings and its "review due" marks would fill the problem list; its
# social questionnaire (PRAPARE) and its pressure "reports" say nothing that the rest does not.
NOT_A_PROBLEM = re.compile(
    r"Medication review|employment|labor force|education \(|social contact|Social isolation"
    r"|Stress \(|criminal record|Refugee|partner abuse|violence|Risk activity|Homeless"
    r"|Misuses drugs|alcohol drinking|Transport|housing|military|Unemployed"
)
NO_REPORT = {
    *("93025-5", "85354-9", "55757-9", "82666-9", "69737-5", "72109-2", "76499-3", "91148-7")
}
QUESTIONNAIRE = "93025-5"
UNWANTED_RESULT = {"8480-6", "8462-4", "82667-7", "76504-0"}


def trimmed(resources: list[Resource]) -> list[Resource]:
    """The kept resources in their order; a link to what is gone goes with it."""
    whole = {f"urn:uuid:{resource['id']}": resource for resource in resources}
    unwanted = _unwanted(resources)
    kept: set[str] = set()
    todo = [link for link, r in whole.items() if link not in unwanted and _wanted(r)]
    while todo:
        link = todo.pop()
        if link in kept or link in unwanted:
            continue
        kept.add(link)
        if whole[link]["resourceType"] != "Provenance":
            todo += [other for other in links(whole[link]) if other in whole]
    return [
        _without_lost_links(_brief(r, whole), kept) for link, r in whole.items() if link in kept
    ]


def _brief(resource: Resource, whole: dict[str, Resource]) -> Resource:
    """Provenance names the patient and the visits; naming every fact would outweigh them."""
    if resource["resourceType"] != "Provenance":
        return resource
    named = [
        target
        for target in resource["target"]
        if whole.get(target["reference"], {}).get("resourceType") in {"Patient", "Encounter"}
    ]
    return {**resource, "target": named}


def code_of(resource: Resource) -> str:
    return str(resource.get("code", {}).get("coding", [{}])[0].get("code", ""))


def links(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for part in value.values():
            yield from links(part)
    elif isinstance(value, list):
        for part in value:
            yield from links(part)


def _unwanted(resources: list[Resource]) -> set[str]:
    lost = _repeated_problems(resources)
    for resource in resources:
        kind, link = resource["resourceType"], f"urn:uuid:{resource['id']}"
        code = code_of(resource)
        display = resource.get("code", {}).get("coding", [{}])[0].get("display", "")
        if kind == "Condition" and NOT_A_PROBLEM.search(display):
            lost.add(link)
        if kind == "Observation" and code in UNWANTED_RESULT:
            lost.add(link)
        if kind == "DiagnosticReport" and code in NO_REPORT:
            lost.add(link)
            if code == QUESTIONNAIRE:
                lost |= {result["reference"] for result in resource.get("result", [])}
    return lost


def _repeated_problems(resources: list[Resource]) -> set[str]:
    """The generator notes a lasting problem anew at each check-up; the first note stays."""
    seen: set[str] = set()
    repeated: set[str] = set()
    for resource in resources:
        if resource["resourceType"] == "Condition" and _is_lasting(resource):
            if code_of(resource) in seen:
                repeated.add(f"urn:uuid:{resource['id']}")
            seen.add(code_of(resource))
    return repeated


def _wanted(resource: Resource) -> bool:
    kind = resource["resourceType"]
    if kind in {"Organization", "Location", "Practitioner", "PractitionerRole"}:
        return False  # they come with whoever refers to them
    if _is_lasting(resource):
        return True
    since = LABORATORY_SINCE if _is_laboratory(resource) else SINCE.get(kind, "")
    return _date(resource) >= since


def _is_lasting(resource: Resource) -> bool:
    kind = resource["resourceType"]
    if kind == "Condition":
        return bool(resource["clinicalStatus"]["coding"][0]["code"] == "active")
    if kind in {"MedicationRequest", "CareTeam", "CarePlan", "Coverage"}:
        return bool(resource["status"] == "active")
    return False


def _is_laboratory(resource: Resource) -> bool:
    category = resource.get("category", [{}])
    if resource["resourceType"] not in {"Observation", "DiagnosticReport"}:
        return False
    return category[0].get("coding", [{}])[0].get("code") in {"laboratory", "LAB"}


def _date(resource: Resource) -> str:
    dated = next((resource[name] for name in DATED_BY if name in resource), None)
    return str(dated or resource.get("period", {}).get("start", "9999"))


def _without_lost_links(value: Any, kept: set[str]) -> Any:
    if isinstance(value, dict):
        parts = {name: _without_lost_links(part, kept) for name, part in value.items()}
        return {name: part for name, part in parts.items() if part != []}
    if isinstance(value, list):
        return [_without_lost_links(part, kept) for part in value if not _is_lost(part, kept)]
    return value


def _is_lost(part: Any, kept: set[str]) -> bool:
    reference = part.get("reference") if isinstance(part, dict) else None
    return isinstance(reference, str) and reference.startswith("urn:") and reference not in kept
