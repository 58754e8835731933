"""FHIR R4 resources as what a calculator can use of them; whatever is not usable is left out.

An Observation counts when it is final, amended or corrected; nothing that was entered in error
counts anywhere. A panel's components are measurements of their own, with the panel's reference.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from polyclinic.standards.fhir.dates import instant

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
ATC = "http://www.whocc.no/atc"
ICD10 = ("http://hl7.org/fhir/sid/icd-10-cm", "http://hl7.org/fhir/sid/icd-10")
_FINAL = ("final", "amended", "corrected")

Resource = Mapping[str, Any]
Coding = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Measured:
    """An Observation, or one component of it. `value` holds the value[x] as it was written."""

    at: datetime
    said: str
    value: Resource
    reference: str
    version: str | None


@dataclass(frozen=True, slots=True)
class Problem:
    """A Condition. `standing`: yes, over, refuted, or unsure (provisional, differential)."""

    codings: tuple[Coding, ...]
    since: datetime | None
    standing: str
    reference: str
    version: str | None


@dataclass(frozen=True, slots=True)
class Medicine:
    """A medicine taken, or one no longer taken; `names` in lower case."""

    codings: tuple[Coding, ...]
    names: str
    since: datetime | None
    taken: bool
    reference: str
    version: str | None


@dataclass(frozen=True, slots=True)
class Stay:
    """An Encounter with its class (`IMP`, `EMER`, `AMB`) and how the patient came.

    `over` although `end` may be unknown: a finished one goes on no more, whatever its end.
    """

    kind: str
    start: datetime
    end: datetime | None
    came: str
    reference: str
    version: str | None
    over: bool


def moment(value: Any) -> datetime | None:
    """The first instant of a FHIR date, or nothing where there is none that can be read."""
    if not isinstance(value, str):
        return None
    try:
        return instant(value)
    except ValueError:
        return None


def codings(concept: Any) -> tuple[Coding, ...]:
    return tuple(
        (str(each.get("system", "")), str(each.get("code", "")))
        for each in each_of(concept, "coding")
    )


def each_of(value: Any, name: str) -> list[Resource]:
    """The objects of a list member, whatever else may stand there."""
    found = value.get(name) if isinstance(value, Mapping) else None
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def part_of(value: Any, name: str) -> Resource:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def source(resource: Resource) -> tuple[str, str | None]:
    """`Observation/42` and its version."""
    version = part_of(resource, "meta").get("versionId")
    return f"{resource.get('resourceType')}/{resource.get('id')}", version and str(version)


def measurements(resource: Resource) -> Iterator[tuple[str, Measured]]:
    """Each LOINC code of an Observation and of its components, with what was measured."""
    at = _effective(resource)
    if resource.get("status") not in _FINAL or at is None or "id" not in resource:
        return
    reference, version = source(resource)
    said = str(resource.get("issued") or part_of(resource, "meta").get("lastUpdated") or "")
    for part in (resource, *each_of(resource, "component")):
        value = {k: v for k, v in part.items() if k.startswith("value")}
        for system, code in codings(part.get("code")):
            if system == LOINC and value:
                yield code, Measured(at, said, value, reference, version)


def _effective(resource: Resource) -> datetime | None:
    period = part_of(resource, "effectivePeriod")
    for value in (
        resource.get("effectiveDateTime"),
        resource.get("effectiveInstant"),
        period.get("end") or period.get("start"),
    ):
        if value is not None:
            return moment(value)
    return None


def answered(resource: Resource) -> Iterator[tuple[str, Measured]]:
    """Items of a completed QuestionnaireResponse whose linkId ends in a LOINC code (`/44250-9`)."""
    at = moment(resource.get("authored"))
    if resource.get("status") not in ("completed", "amended") or at is None:
        return
    reference, version = source(resource)
    waiting = each_of(resource, "item")
    while waiting:
        item = waiting.pop()
        waiting += each_of(item, "item")
        for answer in each_of(item, "answer")[:1]:
            waiting += each_of(answer, "item")
            code = str(item.get("linkId", "")).rpartition("/")[2]
            coded = answer.get("valueCoding")
            value = {"valueCodeableConcept": {"coding": [coded]}} if coded else dict(answer)
            yield code, Measured(at, "", value, reference, version)


_UNSURE = ("unconfirmed", "provisional", "differential")
_OVER = ("inactive", "resolved", "remission")


def problem(resource: Resource) -> Problem | None:
    """A Condition, unless it was entered in error."""
    verified = {code for _, code in codings(resource.get("verificationStatus"))}
    clinical = {code for _, code in codings(resource.get("clinicalStatus"))}
    if "entered-in-error" in verified:
        return None
    standing = "over" if clinical.intersection(_OVER) else "yes"
    standing = "unsure" if verified.intersection(_UNSURE) else standing
    standing = "refuted" if "refuted" in verified else standing
    since = _since(resource)
    reference, version = source(resource)
    return Problem(codings(resource.get("code")), since, standing, reference, version)


def _since(resource: Resource) -> datetime | None:
    """When it had begun and was also written down: before, nobody could know."""
    onset = resource.get("onsetDateTime") or part_of(resource, "onsetPeriod").get("start")
    known = [moment(onset), moment(resource.get("recordedDate"))]
    return max((each for each in known if each is not None), default=None)


_ORDERS = ("order", "original-order", "instance-order", "filler-order", "reflex-order")


def medicine(resource: Resource, known: Mapping[str, Resource]) -> Medicine | None:
    """A MedicationRequest or MedicationStatement; `known` are Medications by their reference."""
    if resource.get("status") in ("entered-in-error", "draft", "unknown", "not-taken"):
        return None
    if resource.get("resourceType") == "MedicationRequest" and (
        resource.get("intent") not in _ORDERS or resource.get("doNotPerform") is True
    ):
        return None
    concept = resource.get("medicationCodeableConcept") or _medication(resource, known)
    texts = [part_of({"c": concept}, "c").get("text")]
    texts += [each.get("display") for each in each_of(concept, "coding")]
    names = " ; ".join(str(text).lower() for text in texts if text)
    period = part_of(resource, "effectivePeriod").get("start")
    since = moment(resource.get("authoredOn") or resource.get("effectiveDateTime") or period)
    reference, version = source(resource)
    taken = resource.get("status") == "active"
    return Medicine(codings(concept), names, since, taken, reference, version)


def _medication(resource: Resource, known: Mapping[str, Resource]) -> Any:
    name = part_of(resource, "medicationReference").get("reference")
    for inside in each_of(resource, "contained"):
        if f"#{inside.get('id')}" == name:
            return inside.get("code")
    return known.get(str(name), {}).get("code")


def stay(resource: Resource) -> Stay | None:
    """An Encounter that took place; none while its start is unknown."""
    period = part_of(resource, "period")
    start = moment(period.get("start"))
    if resource.get("status") not in ("finished", "in-progress", "onleave") or start is None:
        return None
    came = codings(part_of(resource, "hospitalization").get("admitSource"))
    reference, version = source(resource)
    kind = str(part_of(resource, "class").get("code", ""))
    ended = moment(period.get("end"))
    over = resource.get("status") == "finished"
    return Stay(kind, start, ended, came[0][1] if came else "", reference, version, over)
