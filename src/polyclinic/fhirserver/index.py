"""What the index keeps of a resource: terms, postings, ranges, and whose chart it lies in."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from polyclinic.fhirserver.access import labels_of
from polyclinic.fhirserver.terms import Terms, param_number
from polyclinic.standards.fhir.definitions import in_patient_compartment
from polyclinic.standards.fhir.search_values import (
    DateValue,
    NumberValue,
    QuantityValue,
    ReferenceValue,
    SearchValue,
    StringValue,
    TokenValue,
    UriValue,
    clinical_date,
    extract,
    patients_of,
)

# Identifying numbers get 128-bit terms; everything else that is coded gets 64.
IDENTIFYING = frozenset({"identifier", "phone", "email", "telecom"})
# A person's own dates give no order away; others are readable numbers (reference/security.md).
PERSONAL_DATES = frozenset(
    (kind, param)
    for kind in ("Patient", "RelatedPerson", "Person", "Practitioner")
    for param in ("birthdate", "death-date")
)
# The few low-cardinality parameters whose newest-first pages must not scan.
POSTED = frozenset(
    [
        "status",
        "category",
        "code",
        "type",
        "class",
        "clinical-status",
        "verification-status",
        "intent",
        "vaccine-code",
        "gender",
        "active",
    ]
)

# Found without terms of their own: by the row's columns, or under the parameters that they join.
UNINDEXED = frozenset({"_id", "_lastUpdated"})
JOINED: dict[str, tuple[str, ...]] = {
    f"combo-{part}": (part, f"component-{part}")
    for part in ("code", "value-quantity", "value-concept", "data-absent-reason")
}

# The date parameter whose first instant is the chart date (`clinical_date`) of a type.
CHART_PARAMETERS = {
    "AllergyIntolerance": "date",
    "CarePlan": "date",
    "Claim": "created",
    "Condition": "onset-date",
    "DiagnosticReport": "date",
    "DocumentReference": "date",
    "Encounter": "date",
    "ExplanationOfBenefit": "created",
    "Goal": "start-date",
    "Immunization": "date",
    "MedicationAdministration": "effective-time",
    "MedicationRequest": "authoredon",
    "MedicationStatement": "effective",
    "Observation": "date",
    "Procedure": "date",
}

# A day within what PostgreSQL's driver reads as infinite, and then without a zone.
EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
LATEST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@dataclass(slots=True)
class Indexed:
    """A resource as its index sees it."""

    patients: tuple[str, ...]
    labels: int
    at: datetime | None
    terms: list[int]
    postings: list[int]
    dates: list[tuple[int, datetime, datetime]]
    numbers: list[tuple[int, int, float, float]]
    references: list[tuple[str, str]]


def index(terms: Terms, resource: dict[str, Any]) -> Indexed:
    """Hashes everything that a search may ask for; the resource itself is not changed."""
    kind = resource["resourceType"]
    found = Indexed(
        patients_of(resource),
        labels_of(resource),
        within(clinical_date(resource) or EARLIEST),
        [],
        [],
        [],
        [],
        [],
    )
    for value in extract(resource):
        if value.param not in UNINDEXED and stored_under(kind, value.param) == (value.param,):
            _KEEP[type(value)](terms, kind, value, found)
    # A chart's pages are found by its first patient; the others' lead to it by a posting.
    for patient in found.patients[1:]:
        further = chart_term(terms, kind, terms.person(f"Patient/{patient}"))
        # Among the terms too: by them the postings of a version that ends are found and removed.
        found.terms.append(further)
        found.postings.append(further)
    found.terms = list(dict.fromkeys(found.terms))
    found.postings = list(dict.fromkeys(found.postings))
    found.references = list(dict.fromkeys(found.references))
    found.dates = list(dict.fromkeys(found.dates))
    found.numbers = list(dict.fromkeys(found.numbers))
    return found


@cache
def stored_under(kind: str, param: str) -> tuple[str, ...]:
    """The parameters under which the index keeps what this one finds: mostly itself.

    `patient` is the part of `subject` (of a Coverage: `beneficiary`) that is a patient.
    """
    if param == "patient":
        own = in_patient_compartment(kind)
        return next(((code,) for code in ("subject", "beneficiary") if code in own), (param,))
    return JOINED.get(param, (param,))


def chart_term(terms: Terms, kind: str, patient: int) -> int:
    """The posting that leads from a further patient's chart to a resource of this type."""
    return terms.term(kind, "*", "chart", str(patient))


def _keep_token(terms: Terms, kind: str, value: TokenValue, found: Indexed) -> None:
    param, system, code = value.param, value.system, value.code
    if param in IDENTIFYING:
        if code is not None:
            found.terms += terms.pair(kind, param, "code", code)
            if system is not None:
                found.terms += terms.pair(kind, param, "both", f"{system}|{code}")
        return
    if code is not None:
        plain = terms.common(kind, param, "code", code)
        found.terms.append(plain)
        if param in POSTED:
            found.postings.append(plain)
        if system is not None:
            found.terms.append(terms.common(kind, param, "both", f"{system}|{code}"))


def _keep_reference(terms: Terms, kind: str, value: ReferenceValue, found: Indexed) -> None:
    if value.id is not None and value.type is not None:
        target = f"{value.type}/{value.id}"
        found.terms.append(terms.term(kind, value.param, "reference", target))
        found.terms.append(terms.points_at(target))
        found.references.append((value.type, value.id))
    elif value.url is not None:
        found.terms.append(terms.term(kind, value.param, "reference", value.url))


def _keep_string(terms: Terms, kind: str, value: StringValue, found: Indexed) -> None:
    found.terms += terms.stored_text(kind, value.param, value.text)


def _keep_uri(terms: Terms, kind: str, value: UriValue, found: Indexed) -> None:
    found.terms.append(terms.common(kind, value.param, "uri", value.text))


def _keep_date(terms: Terms, kind: str, value: DateValue, found: Indexed) -> None:
    if (kind, value.param) in PERSONAL_DATES:
        if value.low is not None and value.high is not None:
            precision = date_precision(value.low, value.high)
            found.terms += terms.day_terms(kind, value.param, value.low.date(), precision)
        return
    low, high = within(value.low or EARLIEST), within(value.high or LATEST)
    found.dates.append((param_number(kind, value.param), low, high))


def within(moment: datetime) -> datetime:
    """The moment, or the end of the time that the index knows."""
    return min(max(moment, EARLIEST), LATEST)


def date_precision(low: datetime, high: datetime) -> int:
    """1, 2 or 3: how many of year, month and day a date range pins down."""
    length = high - low
    return 3 if length <= timedelta(days=1) else 2 if length <= timedelta(days=31) else 1


def _keep_number(_: Terms, kind: str, value: NumberValue, found: Indexed) -> None:
    low = float("-inf") if value.low is None else float(value.low)
    high = float("inf") if value.high is None else float(value.high)
    found.numbers.append((param_number(kind, value.param), 0, low, high))


def _keep_quantity(terms: Terms, kind: str, value: QuantityValue, found: Indexed) -> None:
    low = float("-inf") if value.low is None else float(value.low)
    high = float("inf") if value.high is None else float(value.high)
    number = param_number(kind, value.param)
    found.numbers.append((number, unit_term(terms, value.code or value.unit or ""), low, high))


def unit_term(terms: Terms, unit: str) -> int:
    """The term of a unit, by its code alone; the system is verified on the opened resource."""
    return terms.common("*", "unit", "code", unit)


_KEEP: dict[type[SearchValue], Callable[[Terms, str, Any, Indexed], None]] = {
    TokenValue: _keep_token,
    ReferenceValue: _keep_reference,
    StringValue: _keep_string,
    UriValue: _keep_uri,
    DateValue: _keep_date,
    NumberValue: _keep_number,
    QuantityValue: _keep_quantity,
}
