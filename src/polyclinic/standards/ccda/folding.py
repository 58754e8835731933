"""Folds a document's resources: whom it is about, what is kept, and who is only named.

Practitioners, organizations and places of other houses are named where they are meant, with their
numbers; they do not fill our own directory.
"""

from collections.abc import Collection
from typing import Any

from polyclinic.standards.ccda.meaning import Resource

# What stands in a chart; everything else a document brings along is named only.
KEPT = frozenset(
    [
        "AllergyIntolerance",
        "CarePlan",
        "Composition",
        "Condition",
        "Coverage",
        "DiagnosticReport",
        "Encounter",
        "Goal",
        "Immunization",
        "MedicationDispense",
        "MedicationRequest",
        "MedicationStatement",
        "Observation",
        "Procedure",
        "ServiceRequest",
    ]
)


def folded(resources: list[Resource]) -> tuple[Resource, list[tuple[str, str, Resource]]]:
    """The Patient, and (kind, key, resource) of what is kept, without ids."""
    patient: Resource = {"resourceType": "Patient"}
    places: dict[str, dict[str, Any]] = {}
    kept: list[Resource] = []
    for resource in resources:
        kind, name = resource["resourceType"], resource.get("id", "")
        if kind == "Patient":
            patient = resource
            place: dict[str, Any] = {"reference": "#Patient"}
        elif kind in KEPT:
            kept.append(resource)
            place = {"reference": f"#{kind}/{name}"}
        else:
            place = _named(resource)
        places[f"urn:uuid:{name}"] = places[f"{kind}/{name}"] = place
    for role in (r for r in resources if r["resourceType"] == "PractitionerRole"):
        person = places.get(role.get("practitioner", {}).get("reference", ""))
        if person is not None:  # who plays it says more than the role
            name = role.get("id", "")
            places[f"urn:uuid:{name}"] = places[f"PractitionerRole/{name}"] = person
    for resource in kept:
        _relink(resource, places)
    documents = [(r["resourceType"], r["id"], _bare(r)) for r in kept]
    return _bare_patient(patient), documents


def loosen(value: Any, kept: Collection[str]) -> None:
    """Takes the address out of references that lead to nothing kept; their words stay."""
    if isinstance(value, dict):
        reference = value.get("reference")
        if isinstance(reference, str) and reference not in kept:
            del value["reference"]
            value.setdefault("display", "Not kept")
        for each in value.values():
            loosen(each, kept)
    elif isinstance(value, list):
        for each in value:
            loosen(each, kept)


def addressed(value: Any) -> Any:
    """The same with placeholders as addresses, as validation wants them."""
    if isinstance(value, dict):
        found = {name: addressed(each) for name, each in value.items()}
        reference = found.get("reference")
        if isinstance(reference, str) and reference.startswith("#"):
            found["reference"] = "Patient/x" if reference == "#Patient" else reference[1:]
        return found
    return [addressed(each) for each in value] if isinstance(value, list) else value


def _relink(value: Any, places: dict[str, dict[str, Any]]) -> None:
    if isinstance(value, dict):
        reference = value.get("reference")
        if isinstance(reference, str):
            place = places.get(reference, {"display": "Not kept"})
            display = value.get("display") or place.get("display")
            value.clear()
            value.update(place)
            if display and place.get("reference") != "#Patient":
                value["display"] = display
            return
        for each in value.values():
            _relink(each, places)
    elif isinstance(value, list):
        for each in value:
            _relink(each, places)


def _named(resource: Resource) -> dict[str, Any]:
    """A reference that names: display, and the first number that says who gives it."""
    found: dict[str, Any] = {"display": _display(resource) or resource["resourceType"]}
    for identifier in resource.get("identifier", ()):
        if identifier.get("system") and identifier.get("value"):
            found["identifier"] = {name: identifier[name] for name in ("system", "value")}
            break
    return found


def _display(resource: Resource) -> str:
    name = resource.get("name")
    if isinstance(name, str):
        return name
    if isinstance(name, list) and name:
        first = name[0]
        parts = [*first.get("prefix", ()), *first.get("given", ()), first.get("family", "")]
        return first.get("text") or " ".join(filter(None, parts))
    names = resource.get("deviceName") or [{}]
    return names[0].get("name", "")


def _bare(resource: Resource) -> Resource:
    return {name: value for name, value in resource.items() if name not in ("id", "meta", "text")}


def _bare_patient(patient: Resource) -> Resource:
    """Who the document is about; links to other houses' people are theirs."""
    left_out = ("id", "meta", "text", "generalPractitioner", "managingOrganization", "link")
    return {name: value for name, value in patient.items() if name not in left_out}
