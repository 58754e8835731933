"""The values of resources and their comparisons, as R4 words them: the oracle's own reading."""

import calendar
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

GENDER = "http://hl7.org/fhir/administrative-gender"
V3 = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
FIRST, _LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)

# type: parameter: how it is compared, the element's type, where it stands.
_TABLE = """
Patient active token boolean active
Patient gender token code gender
Patient identifier token Identifier identifier
Patient phone token ContactPoint telecom
Patient family string string name.family
Patient given string string name.given
Patient name string HumanName name
Patient birthdate date date birthDate
Patient death-date date date deceasedDateTime
Patient general-practitioner reference Practitioner,Organization generalPractitioner
Patient organization reference Organization managingOrganization
Practitioner family string string name.family
Practitioner name string HumanName name
Practitioner identifier token Identifier identifier
Organization name string string name,alias
Organization partof reference Organization partOf
Encounter status token required status
Encounter class token Coding class
Encounter type token CodeableConcept type
Encounter date date Period period
Encounter location-period date Period location.period
Encounter subject reference Patient,Group subject
Encounter patient reference Patient subject
Encounter participant reference Practitioner,PractitionerRole,RelatedPerson participant.individual
Encounter service-provider reference Organization serviceProvider
Observation status token required status
Observation code token CodeableConcept code
Observation combo-code token CodeableConcept code,component.code
Observation category token CodeableConcept category
Observation identifier token Identifier identifier
Observation date date date effectiveDateTime,effectiveInstant,effectivePeriod
Observation value-date date date valueDateTime,valuePeriod
Observation value-quantity quantity Quantity valueQuantity
Observation combo-value-quantity quantity Quantity valueQuantity,component.valueQuantity
Observation value-string string string valueString
Observation subject reference Patient,Group,Device,Location subject
Observation patient reference Patient subject
Observation encounter reference Encounter,EpisodeOfCare encounter
Observation performer reference Patient,Practitioner,Organization,CareTeam performer
Observation has-member reference Observation,QuestionnaireResponse,MolecularSequence hasMember
Condition code token CodeableConcept code
Condition clinical-status token CodeableConcept clinicalStatus
Condition onset-date date date onsetDateTime,onsetPeriod
Condition onset-age quantity Quantity onsetAge
Condition subject reference Patient,Group subject
Condition patient reference Patient subject
Condition asserter reference Patient,Practitioner,PractitionerRole,RelatedPerson asserter
CarePlan status token required status
CarePlan date date Period period
CarePlan activity-date date date activity.detail.scheduledPeriod
CarePlan subject reference Patient,Group subject
CarePlan patient reference Patient subject
Coverage status token required status
Coverage beneficiary reference Patient beneficiary
Coverage patient reference Patient beneficiary
Coverage payor reference Patient,Organization,RelatedPerson payor
Coverage policy-holder reference Patient,Organization,RelatedPerson policyHolder
Appointment status token required status
Appointment date date date start
Appointment actor reference Patient,Practitioner,Location participant.actor
Appointment patient reference Patient participant.actor
Appointment practitioner reference Practitioner participant.actor
RiskAssessment probability number decimal prediction.probabilityDecimal
RiskAssessment date date date occurrenceDateTime
RiskAssessment subject reference Patient,Group subject
RiskAssessment patient reference Patient subject
Group member reference Patient,Practitioner,Device member.entity
"""
_EVERY = """
_id token id id
_lastUpdated date date meta.lastUpdated
_tag token Coding meta.tag
_security token Coding meta.security
"""
# Whose chart it lies in: the references that the patient compartment of R4 names.
CHART = {
    "Observation": "subject,performer",
    "Encounter": "subject",
    "Condition": "subject,asserter",
    "CarePlan": "subject,activity.detail.performer",
    "Coverage": "policyHolder,subscriber,beneficiary,payor",
    "Appointment": "participant.actor",
    "RiskAssessment": "subject",
    "Group": "member.entity",
}
_REQUIRED = {
    "Encounter": "http://hl7.org/fhir/encounter-status",
    "Observation": "http://hl7.org/fhir/observation-status",
    "CarePlan": "http://hl7.org/fhir/request-status",
    "Coverage": "http://hl7.org/fhir/fm-status",
    "Appointment": "http://hl7.org/fhir/appointmentstatus",
    "RiskAssessment": "http://hl7.org/fhir/observation-status",
}


@dataclass(frozen=True)
class Parameter:
    how: str
    element: str
    paths: tuple[str, ...]


def _parameters() -> dict[str, dict[str, Parameter]]:
    found: dict[str, dict[str, Parameter]] = {}
    for line in _TABLE.strip().splitlines():
        kind, name, how, element, paths = line.split()
        known = found.setdefault(kind, {})
        known[name] = Parameter(how, element, tuple(paths.split(",")))
    for known in found.values():
        for line in _EVERY.strip().splitlines():
            name, how, element, paths = line.split()
            known[name] = Parameter(how, element, (paths,))
    return found


PARAMETERS = _parameters()


def walk(value: Any, path: str) -> list[Any]:
    found = [value]
    for step in path.split("."):
        found = [v[step] for v in found if isinstance(v, dict) and step in v]
        found = [one for v in found for one in (v if isinstance(v, list) else [v])]
    return found


def elements(resource: dict[str, Any], parameter: Parameter) -> list[Any]:
    return [value for path in parameter.paths for value in walk(resource, path)]


def patients_of(resource: dict[str, Any]) -> list[str]:
    kind = resource["resourceType"]
    if kind == "Patient":
        return [f"Patient/{resource['id']}"]
    pointed = [r for path in CHART.get(kind, "").split(",") if path for r in walk(resource, path)]
    return [r["reference"] for r in pointed if r.get("reference", "").startswith("Patient/")]


def references(resource: dict[str, Any], kind: str, param: str) -> list[str]:
    parameter = PARAMETERS[kind][param]
    found = [r.get("reference", "") for r in elements(resource, parameter)]
    if param in ("patient", "practitioner"):
        found = [r for r in found if r.startswith(param.capitalize())]
    return [r for r in found if not r.startswith("http")]


def matches(resource: dict[str, Any], asked: str, value: str) -> bool:
    """One parameter of a query: any alternative against any value."""
    name, _, modifier = asked.partition(":")
    kind = resource["resourceType"]
    parameter = PARAMETERS[kind][name]
    found = elements(resource, parameter)
    if name == "phone":
        found = [point for point in found if point.get("system") == "phone"]
    test = {"token": _token, "string": _string, "date": _date, "number": _number,
            "quantity": _number, "reference": _reference}[parameter.how]  # fmt: skip
    return any(
        test(parameter, one, part, modifier, resource) for part in value.split(",") for one in found
    )


def _tokens(parameter: Parameter, one: Any, resource: dict[str, Any]) -> list[tuple[str, str]]:
    match parameter.element:
        case "boolean":
            return [("", "true" if one else "false")]
        case "id":
            return [("", one)]
        case "code":
            return [(GENDER, one)]
        case "required":
            return [(_REQUIRED[resource["resourceType"]], one)]
        case "CodeableConcept":
            return [(c.get("system", ""), c.get("code", "")) for c in one.get("coding", [])]
        case "Coding":
            return [(one.get("system", ""), one.get("code", ""))]
        case _:
            return [(one.get("system", "") if parameter.element == "Identifier" else "",
                     one.get("value", ""))]  # fmt: skip


def _token(parameter: Parameter, one: Any, asked: str, _: str, resource: dict[str, Any]) -> bool:
    system, bar, code = asked.partition("|")
    for has_system, has_code in _tokens(parameter, one, resource):
        if not bar and has_code == asked:
            return True
        if bar and has_system == system and (not code or has_code == code):
            return True
    return False


def folded(text: str) -> str:
    """Case, accents and punctuation do not count."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    plain = plain.casefold().replace("ø", "o").replace("ł", "l")
    return " ".join("".join(c if c.isalnum() else " " for c in plain).split())


def texts(parameter: Parameter, one: Any) -> list[str]:
    if parameter.element == "string":
        return [one]
    parts = [*one.get("prefix", []), *one.get("given", []),
             *([one["family"]] if "family" in one else []), *one.get("suffix", [])]  # fmt: skip
    return [one.get("text", " ".join(parts)), *parts]


def _string(parameter: Parameter, one: Any, asked: str, modifier: str, _: Any) -> bool:
    if modifier == "exact":
        return asked in texts(parameter, one)
    return any(folded(text).startswith(folded(asked)) for text in texts(parameter, one))


def _reference(parameter: Parameter, one: Any, asked: str, modifier: str, _: Any) -> bool:
    stated = one.get("reference", "")
    if asked.startswith("http"):
        return stated == asked
    if stated.startswith("http"):
        return False
    if "/" in asked:
        kinds, name = [asked.partition("/")[0]], asked.partition("/")[2]
    else:
        kinds, name = [modifier] if modifier else parameter.element.split(","), asked
    return stated.partition("/")[0] in kinds and stated.partition("/")[2] == name


_PREFIX = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(.*)")


def span(text: str) -> tuple[datetime, datetime]:
    """The first instant of a date, and the first after it."""
    if len(text) == 4:
        return datetime(int(text), 1, 1, tzinfo=UTC), datetime(int(text) + 1, 1, 1, tzinfo=UTC)
    if len(text) == 7:
        year, month = int(text[:4]), int(text[5:])
        first = datetime(year, month, 1, tzinfo=UTC)
        return first, first + timedelta(days=calendar.monthrange(year, month)[1])
    if len(text) == 10:
        first = datetime.fromisoformat(text).replace(tzinfo=UTC)
        return first, first + timedelta(days=1)
    first = datetime.fromisoformat(text)
    first = first.astimezone(UTC) if first.tzinfo else first.replace(tzinfo=UTC)
    seconds = re.search(r"T\d\d:\d\d(:\d\d(\.\d+)?)?", text)
    assert seconds
    if seconds[1] is None:
        return first, first + timedelta(minutes=1)
    digits = len(seconds[2]) - 1 if seconds[2] else 0
    return first, first + timedelta(microseconds=10 ** (6 - digits))


def stated_span(one: Any) -> tuple[datetime, datetime]:
    if isinstance(one, str):
        return span(one)
    low = span(one["start"])[0] if "start" in one else FIRST
    return low, span(one["end"])[1] if "end" in one else _LAST


def _date(_: Parameter, one: Any, asked: str, __: str, ___: Any) -> bool:
    prefix, rest = _PREFIX.fullmatch(asked).groups()
    (low, high), (a, b) = stated_span(one), span(rest)
    inside = a <= low and high <= b
    return {
        "eq": inside, "ne": not inside,
        "gt": high > b, "lt": low < a,
        "ge": high > b or inside, "le": low < a or inside,
        "sa": low >= b, "eb": high <= a,
        "ap": low < b and high > a,
    }[prefix or "eq"]  # fmt: skip


def _number(parameter: Parameter, one: Any, asked: str, _: str, __: Any) -> bool:
    prefix, rest = _PREFIX.fullmatch(asked).groups()
    number, *unit = rest.split("|")
    if unit:
        system, code = unit
        if code and code not in (one.get("code"), one.get("unit")):
            return False
        if system and system != one.get("system"):
            return False
    value = Decimal(str(one["value"] if parameter.how == "quantity" else one))
    wanted = Decimal(number)
    half = Decimal("0.5").scaleb(wanted.as_tuple().exponent)
    near = wanted - half <= value < wanted + half
    return {
        "eq": near, "ne": not near,
        "gt": value > wanted, "lt": value < wanted, "ge": value >= wanted, "le": value <= wanted,
        "sa": value > wanted, "eb": value < wanted,
        "ap": abs(value - wanted) <= abs(wanted) / 10,
    }[prefix or "eq"]  # fmt: skip


def sort_values(resource: dict[str, Any], name: str) -> list[Any]:
    parameter = PARAMETERS[resource["resourceType"]][name]
    found = elements(resource, parameter)
    match parameter.how:
        case "string":
            return [folded(text) for one in found for text in texts(parameter, one)]
        case "date":
            return [stated_span(one)[0] for one in found]
        case "token":
            return [code for one in found for _, code in _tokens(parameter, one, resource) if code]
        case "reference":
            return [one["reference"] for one in found if "reference" in one]
        case _:
            return [Decimal(str(one["value"] if isinstance(one, dict) else one)) for one in found]
