"""FHIR R4 resources as facts without text: coded, dated, in UCUM units, or not at all.

A code stays when its system is a public one; local codes may be anybody's words. Of an address the
first three digits of the zip code stay, of a birth date what `Pseudonyms.hidden` leaves.
"""

import math
import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from polyclinic.services.insights.domain.charts import resources, units
from polyclinic.services.insights.domain.charts.resources import Resource, each_of, part_of
from polyclinic.services.insights.domain.events.values import (
    BIRTH,
    DEATH,
    Event,
    Fact,
    Pseudonyms,
)

_SYSTEMS = {
    resources.LOINC: "LOINC",
    resources.SNOMED: "SNOMED",
    resources.ATC: "ATC",
    resources.ICD10[0]: "ICD10CM",
    resources.ICD10[1]: "ICD10",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RXNORM",
    "http://terminology.hl7.org/CodeSystem/v3-ActCode": "CLASS",
    "urn:oid:2.16.840.1.113883.6.238": "CDCREC",
    "http://hl7.org/fhir/sid/cvx": "CVX",
}
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,19}", re.ASCII).fullmatch
_ZIP = re.compile(r"([0-9]{3})[0-9]{2}(?:-[0-9]{4})?").fullmatch
# Three digits that stand for 20,000 people or fewer are given as 000. Census 2010 by
# https://www.hhs.gov/hipaa/for-professionals/special-topics/de-identification (question 25)
_FEW = re.compile(r"036|059|063|102|203|556|692|790|82[13]|83[01]|878|879|884|890|893").fullmatch
_US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
_COMING, _MISSED = ("booked", "arrived", "checked-in", "fulfilled", "noshow"), "noshow"


def events_of(
    keyed: Pseudonyms, patient: str, entries: Iterable[Resource], today: datetime
) -> tuple[Event, ...]:
    """What these resources of one patient say, under its pseudonym; `today` caps the age."""
    return keyed.hidden(patient, facts_of(entries), today)


def facts_of(entries: Iterable[Resource]) -> Iterator[Fact]:
    """At their true times. A resource that is in error, undated or uncoded says nothing."""
    for entry in entries:
        read = _READERS.get(str(entry.get("resourceType")))
        if read is not None and entry.get("id"):
            yield from read(entry)


def _name(system: str, code: str) -> str | None:
    """`LOINC//4548-4`, as MEDS writes it."""
    known = _SYSTEMS.get(system)
    return f"{known}//{code}" if known and _CODE(code) else None


def _names(concept: Any) -> list[str]:
    found = (_name(system, code) for system, code in resources.codings(concept))
    return list(dict.fromkeys(name for name in found if name))


def _reference(entry: Resource) -> str:
    return resources.source(entry)[0]


def _later(first: datetime, *others: Any) -> datetime:
    """The first of the dates that can be read, but never before the thing itself."""
    read = (resources.moment(other) for other in others)
    return max(first, next((at for at in read if at is not None), first))


def _patient(entry: Resource) -> Iterator[Fact]:
    reference, born = _reference(entry), resources.moment(entry.get("birthDate"))
    if born is None:
        return
    yield Fact(born, born, BIRTH, reference=reference)
    gender = str(entry.get("gender"))
    if gender in ("female", "male", "other", "unknown"):
        yield Fact(born, born, f"SEX//{gender}", reference=reference)
    for address in each_of(entry, "address")[:1]:
        if zip3 := _ZIP(str(address.get("postalCode", ""))):
            few = "000" if _FEW(zip3[1]) else zip3[1]
            yield Fact(born, born, f"ZIP3//{few}", reference=reference)
    for extension in each_of(entry, "extension"):
        yield from _group(extension, born, reference)
    died = resources.moment(entry.get("deceasedDateTime"))
    if died is not None:
        yield Fact(died, died, DEATH, reference=reference)


def _group(extension: Resource, born: datetime, reference: str) -> Iterator[Fact]:
    """Race and ethnicity in the five and two groups of OMB, to see whether a model is fair."""
    kind = str(extension.get("url", "")).removeprefix(_US_CORE)
    if kind not in ("race", "ethnicity"):
        return
    for each in each_of(extension, "extension"):
        code = str(part_of(each, "valueCoding").get("code", ""))
        if each.get("url") == "ombCategory" and _CODE(code):
            yield Fact(born, born, f"{kind.upper()}//{code}", reference=reference)


def _observation(entry: Resource) -> Iterator[Fact]:
    for code, each in resources.measurements(entry):
        name = _name(resources.LOINC, code)
        if name is None:
            continue
        known = _later(each.at, entry.get("issued"))
        quantity = part_of(each.value, "valueQuantity")
        if quantity:
            value, unit = _measured(quantity)
            yield Fact(each.at, known, name, value, unit, each.reference)
        for answer in _names(each.value.get("valueCodeableConcept")):
            yield Fact(each.at, known, f"{name}//{answer}", reference=each.reference)


def _measured(quantity: Resource) -> tuple[float | None, str]:
    """A number in a unit that we know; else neither: a number without a unit may mean anything."""
    value, unit = quantity.get("value"), quantity.get("code") or quantity.get("unit")
    known = units.known(str(unit)) if unit else None
    if known is None or isinstance(value, bool) or not isinstance(value, int | float):
        return None, ""
    return (float(value), known) if math.isfinite(value) else (None, "")


def _condition(entry: Resource) -> Iterator[Fact]:
    """An onset lies before the day on which somebody wrote it down: only then was it known.

    Without `recordedDate` the first version tells that day. A later one tells only when something
    was mended, and an old disease is not of today: then it counts as known since it began.
    """
    problem = resources.problem(entry)
    if problem is None or problem.since is None or problem.standing in ("refuted", "unsure"):
        return
    said = entry.get("onsetDateTime") or part_of(entry, "onsetPeriod").get("start")
    began = resources.moment(said) or problem.since
    is_first = problem.version in (None, "1")
    written = part_of(entry, "meta").get("lastUpdated") if is_first else None
    known = _later(began, entry.get("recordedDate"), written)
    for name in _names(entry.get("code")):
        yield Fact(began, known, name, reference=problem.reference)


def _encounter(entry: Resource) -> Iterator[Fact]:
    """That somebody came, and, once it is over, that they went, and where to."""
    stay = resources.stay(entry)
    if stay is None or not _CODE(stay.kind):
        return
    name = f"STAY//{stay.kind}"
    yield Fact(stay.start, stay.start, f"{name}//START", reference=stay.reference)
    if stay.came and _CODE(stay.came):
        yield Fact(stay.start, stay.start, f"CAME//{stay.came}", reference=stay.reference)
    if stay.end is not None and entry.get("status") == "finished":
        days = (stay.end - stay.start) / timedelta(days=1)
        yield Fact(stay.end, stay.end, f"{name}//END", days, "d", stay.reference)
        went = part_of(entry, "hospitalization").get("dischargeDisposition")
        for _, code in resources.codings(went)[:1]:
            if _CODE(code):
                yield Fact(stay.end, stay.end, f"DISCHARGE//{code}", reference=stay.reference)


def _procedure(entry: Resource) -> Iterator[Fact]:
    period = part_of(entry, "performedPeriod")
    done = entry.get("performedDateTime") or period.get("end") or period.get("start")
    at = resources.moment(done)
    if entry.get("status") != "completed" or at is None:
        return
    for name in _names(entry.get("code")):
        yield Fact(at, at, name, reference=_reference(entry))


def _medicine(entry: Resource) -> Iterator[Fact]:
    medicine = resources.medicine(entry, {})
    if medicine is None or medicine.since is None:
        return
    for name in _names(entry.get("medicationCodeableConcept")):
        known = _later(medicine.since, entry.get("authoredOn"), entry.get("dateAsserted"))
        yield Fact(medicine.since, known, name, reference=medicine.reference)


def _appointment(entry: Resource) -> Iterator[Fact]:
    """Known since it was made, for a time that is still to come; whether they came, afterwards.

    One that was called off in time is neither kept nor missed.
    """
    start, made = resources.moment(entry.get("start")), resources.moment(entry.get("created"))
    status, reference = str(entry.get("status")), _reference(entry)
    if start is not None and status == "cancelled":
        said = resources.moment(part_of(entry, "meta").get("lastUpdated")) or start
        yield Fact(said, said, "APPOINTMENT//CANCELLED", reference=reference)
    if start is None or status not in _COMING:
        return
    yield Fact(start, min(made or start, start), "APPOINTMENT//PLANNED", reference=reference)
    if status == _MISSED:
        yield Fact(start, start, "APPOINTMENT//MISSED", reference=reference)
    elif status != "booked":
        yield Fact(start, start, "APPOINTMENT//KEPT", reference=reference)


_READERS = {
    "Patient": _patient,
    "Observation": _observation,
    "Condition": _condition,
    "Encounter": _encounter,
    "Procedure": _procedure,
    "MedicationRequest": _medicine,
    "MedicationStatement": _medicine,
    "Appointment": _appointment,
}
