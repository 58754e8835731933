"""What a FHIR server must answer, worked out slowly from all resources at once.

It shares nothing with the server: values are found by walking the JSON along the paths below,
comparisons are those of https://hl7.org/fhir/R4/search.html, access is stated in plain words.
"""

import calendar
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

GENDER = "http://hl7.org/fhir/administrative-gender"
V3 = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
_FIRST, _LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)

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
Appointment actor reference Patient,Practitioner,Location actor
Appointment patient reference Patient participant.actor
Appointment practitioner reference Practitioner participant.actor
RiskAssessment probability number decimal prediction.probabilityDecimal
RiskAssessment date date date occurrenceDateTime
RiskAssessment subject reference Patient,Group subject
RiskAssessment patient reference Patient subject
Group member reference Patient,Practitioner,Device member.entity
"""
_TABLE = _TABLE.replace("Location actor\n", "Location participant.actor\n")
_EVERY = """
_id token id id
_lastUpdated date date meta.lastUpdated
_tag token Coding meta.tag
_security token Coding meta.security
"""
# Whose chart it lies in: the references that the patient compartment of R4 names.
_CHART = {
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
DIRECTORY = {"Practitioner", "Organization"}


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


@dataclass(frozen=True)
class Who:
    """A caller: role, own person, what the token's scopes say (type or *, letters)."""

    role: str
    person: str | None
    scopes: tuple[tuple[str, str], ...]

    def may_ask(self, letter: str, kind: str) -> bool:
        scoped = any(name in ("*", kind) and letter in letters for name, letters in self.scopes)
        return scoped and self._role_reads(kind)

    def _role_reads(self, kind: str) -> bool:
        if kind in DIRECTORY or self.role in ("system", "clinician"):
            return True
        desk = {"Patient", "Coverage", "Appointment"}
        return kind in {
            "patient": {*_CHART, "Patient"} - {"Group"},
            "front-desk": desk,
            "billing": desk - {"Appointment"},
        }.get(self.role, set())


class Oracle:
    """Everything that is kept, and who cares for whom."""

    def __init__(self) -> None:
        self.versions: dict[str, list[dict[str, Any] | None]] = {}
        self.relations: set[tuple[str, str]] = set()

    def keep(self, resource: dict[str, Any]) -> None:
        name = f"{resource['resourceType']}/{resource['id']}"
        self.versions.setdefault(name, []).append(resource)

    def delete(self, name: str) -> None:
        self.versions[name].append(None)

    @property
    def current(self) -> dict[str, dict[str, Any]]:
        return {name: past[-1] for name, past in self.versions.items() if past[-1] is not None}

    # Access -------------------------------------------------------------------------------------

    def sees(self, who: Who, letter: str, resource: dict[str, Any]) -> bool:
        kind = resource["resourceType"]
        if not who.may_ask(letter, kind):
            return False
        if who.role == "system":
            return True
        # "Very restricted" is shown to nobody but the patient.
        if who.role != "patient" and any(
            c["system"] == V3 and c["code"] == "V"
            for c in resource.get("meta", {}).get("security", [])
        ):
            return False
        if kind in DIRECTORY or who.role in ("front-desk", "billing"):
            return True
        concerned = patients_of(resource)
        if who.role == "clinician":
            related = any((who.person, patient) in self.relations for patient in concerned)
            return kind == "Patient" or related
        return who.role == "patient" and who.person in concerned

    def reads(self, who: Who, name: str) -> dict[str, Any] | None:
        resource = self.current.get(name)
        return resource if resource and self.sees(who, "r", resource) else None

    def history(self, who: Who, name: str) -> list[int]:
        """The numbers of the versions that may be seen, newest first; a deletion counts as what
        it deleted."""
        seen, last = [], None
        for number, resource in enumerate(self.versions.get(name, []), 1):
            last = resource or last
            if last is not None and self.sees(who, "r", last):
                seen.append(number)
        return seen[::-1]

    # Search -------------------------------------------------------------------------------------

    def search(self, who: Who, kind: str, pairs: Iterable[tuple[str, str]]) -> set[str]:
        asked = [(n, v) for n, v in pairs if n.partition(":")[0] in PARAMETERS[kind]]
        return {
            name
            for name, resource in self.current.items()
            if resource["resourceType"] == kind
            and self.sees(who, "s", resource)
            and all(matches(resource, name, value) for name, value in asked)
        }

    def included(self, who: Who, hits: Sequence[str], include: str) -> set[str]:
        _, param, *target = include.split(":")
        found = set()
        for hit in hits:
            kind = hit.partition("/")[0]
            for name in references(self.current[hit], kind, param):
                fits = not target or name.startswith(f"{target[0]}/")
                if fits and self.reads(who, name) is not None:
                    found.add(name)
        return found - set(hits)

    def pointing(self, who: Who, hits: Sequence[str], include: str) -> set[str]:
        kind, param, *_ = include.split(":")
        found = {
            name
            for name, resource in self.current.items()
            if resource["resourceType"] == kind
            and self.sees(who, "s", resource)
            and set(references(resource, kind, param)) & set(hits)
        }
        return found - set(hits)

    def order_of(self, name: str, sort: str) -> list[Any]:
        """What a resource is sorted by: two that compare equal may come in any order."""
        resource, keys = self.current[name], []
        for part in sort.split(","):
            values = sort_values(resource, part.removeprefix("-"))
            if not values or (part[0] == "-" and max(values) == _FIRST):
                # Without a value, or since forever: last.
                keys.append((1, None))
            else:
                keys.append((0, Backwards(max(values)) if part[0] == "-" else min(values)))
        return keys


@dataclass(order=False)
class Backwards:
    value: Any

    def __lt__(self, other: "Backwards") -> bool:
        return other.value < self.value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Backwards) and other.value == self.value

    def __hash__(self) -> int:
        return hash(self.value)


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
    pointed = [r for path in _CHART.get(kind, "").split(",") if path for r in walk(resource, path)]
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
    low = span(one["start"])[0] if "start" in one else _FIRST
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
