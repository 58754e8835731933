"""What must be read of a chart, as FHIR addresses; and whose chart a resource belongs to."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from functools import cache
from typing import Any
from urllib.parse import quote

from polyclinic.services.insights.domain.calculators import Calculator, Wanted, registry, wanted

Resource = dict[str, Any]
# One page of each type, the newest first; `gateways/charts.py` says why no more.
COUNT = 1000
IDENTIFIER = "urn:polyclinic:insights:method"
_PATIENT = re.compile(r"Patient/([A-Za-z0-9.-]{1,64})", re.ASCII)
_NEWEST = {"Observation": "-date"}


def patient_of(resource: Mapping[str, Any]) -> str | None:
    """`Patient/<id>` that a resource is about; none where it is about nobody whom we know."""
    if resource.get("resourceType") == "Patient":
        return f"Patient/{resource.get('id')}"
    for name in ("subject", "patient"):
        part = resource.get(name)
        said = part.get("reference") if isinstance(part, dict) else None
        if isinstance(said, str) and (found := _PATIENT.match(said)):
            return found[0]
    return _who_comes(resource)


def _who_comes(resource: Mapping[str, Any]) -> str | None:
    """Of an Appointment: the participant who is a patient."""
    participants = resource.get("participant")
    for each in participants if isinstance(participants, list) else ():
        actor = each.get("actor") if isinstance(each, dict) else None
        said = actor.get("reference") if isinstance(actor, dict) else None
        if isinstance(said, str) and (found := _PATIENT.fullmatch(said)):
            return found[0]
    return None


def is_patient(reference: str) -> bool:
    return _PATIENT.fullmatch(reference) is not None


def is_gone(patient: Mapping[str, Any]) -> bool:
    """Given up for another record of the same person, or no longer kept."""
    links = patient.get("link")
    replaced = isinstance(links, list) and any(
        isinstance(each, dict) and each.get("type") == "replaced-by" for each in links
    )
    return replaced or patient.get("active") is False


def due(changed: Iterable[Mapping[str, Any]]) -> tuple[Calculator, ...]:
    """The calculators that use something of these resources, and those that they replace: whether
    these give way may have changed."""
    seen = list(changed)
    found = {name for name, asked in _wanted_by_each() if _concerns(asked, seen)}
    found |= {other for name in found for other in registry()[name].replaces}
    return tuple(each for each in registry().values() if each.id in found)


@cache
def _wanted_by_each() -> tuple[tuple[str, Wanted], ...]:
    return tuple((each.id, wanted([each])) for each in registry().values())


def _concerns(asked: Wanted, changed: Sequence[Mapping[str, Any]]) -> bool:
    codes = set(asked.loinc)
    for resource in changed:
        kind = resource.get("resourceType")
        if kind == "Patient" or (kind != "Observation" and kind in asked.types):
            return True
        if kind == "Observation" and codes.intersection(_codes(resource)):
            return True
    return False


def _codes(resource: Mapping[str, Any]) -> set[str]:
    """Every code of an Observation and its components, whatever system they are of."""
    components = resource.get("component")
    parts = [resource, *(components if isinstance(components, list) else ())]
    concepts = [part.get("code") for part in parts if isinstance(part, dict)]
    codings = [
        coding
        for concept in concepts
        if isinstance(concept, dict)
        for coding in concept.get("coding") or ()
    ]
    return {str(coding.get("code")) for coding in codings if isinstance(coding, dict)}


def urls_of(patient: str, asked: Wanted, today: date) -> list[str]:
    """The Patient itself, then a search for each type: of Observations only what is asked for."""
    who = quote(patient.partition("/")[2], safe="")
    urls = [f"Patient/{who}"]
    for kind in asked.types:
        query = f"patient={who}&_count={COUNT}"
        if kind == "Observation":
            codes = ",".join(f"http://loinc.org|{code}" for code in asked.loinc)
            query += f"&_sort={_NEWEST[kind]}&combo-code={quote(codes, safe=',')}"
            if asked.days is not None:
                query += f"&date=ge{today - timedelta(days=asked.days)}"
        urls.append(f"{kind}?{query}")
    return urls


def assessments_url(patient: str) -> str:
    """All that insights has said of somebody."""
    who = quote(patient.partition("/")[2], safe="")
    return f"RiskAssessment?patient={who}&identifier={quote(IDENTIFIER, safe='')}|&_count={COUNT}"


def consents_url(patient: str) -> str:
    """What somebody has allowed and denied."""
    return f"Consent?patient={quote(patient.partition('/')[2], safe='')}&_count={COUNT}"


def successor(patient: Mapping[str, Any]) -> str | None:
    """`Patient/<id>` of the record that goes on where this one was given up."""
    links = patient.get("link")
    for each in links if isinstance(links, list) else ():
        other = each.get("other") if isinstance(each, dict) else None
        said = other.get("reference") if isinstance(other, dict) else None
        if each.get("type") == "replaced-by" and isinstance(said, str) and is_patient(said):
            return said
    return None


def medications_of(resources: Iterable[Mapping[str, Any]]) -> list[str]:
    """The Medications that prescriptions refer to, to be read as well."""
    found: dict[str, None] = {}
    for each in resources:
        part = each.get("medicationReference")
        said = part.get("reference") if isinstance(part, dict) else None
        if isinstance(said, str) and re.fullmatch(r"Medication/[A-Za-z0-9.-]{1,64}", said):
            found[said] = None
    return list(found)


def as_one_persons(patient: str, resources: Iterable[Resource]) -> list[Resource]:
    """Records joins the charts of merged records; what names the given-up one is this person's."""
    return [_named(patient, each) for each in resources]


def _named(patient: str, resource: Resource) -> Resource:
    told = patient_of(resource)
    if told is None or told == patient or resource.get("resourceType") == "Appointment":
        return resource
    name = "subject" if "subject" in resource else "patient"
    return {**resource, name: {"reference": patient}}
