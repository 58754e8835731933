"""A FHIR ChargeItem as a charge that somebody asks for: understood whole, or refused."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from polyclinic.foundation.errors import Invalid, NotProcessable
from polyclinic.services.billing.domain import money
from polyclinic.services.billing.domain.charge_items import ICD_10_CM
from polyclinic.services.billing.domain.charges import CODE, MODIFIER, Asked
from polyclinic.services.billing.domain.encounters import day_of, reference_of

Resource = dict[str, Any]
# What a charge keeps; anything else would be lost, so it is refused.
_KEPT = frozenset(
    [
        "resourceType", "id", "meta", "text", "language", "status", "code", "subject", "context",
        "occurrenceDateTime", "performer", "quantity", "priceOverride", "reason", "account",
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ChargeAsked:
    """A charge with its visit as far as it is told: an encounter, or a day and a clinician."""

    patient: str
    encounter: str | None
    practitioner: str
    day: date | None
    diagnoses: tuple[str, ...]
    line: Asked


def read_charge(resource: Resource, zone: str, currency: str) -> ChargeAsked:
    """Raises Invalid or NotProcessable, naming the element."""
    for name in resource.keys() - _KEPT:
        raise NotProcessable("Billing keeps no such element.", place=f"ChargeItem.{name}")
    if resource.get("status") != "billable":
        raise Invalid("A new charge is billable.", place="ChargeItem.status")
    patient = reference_of(resource.get("subject"), "Patient")
    if not patient:
        raise Invalid("A charge is for a patient.", place="ChargeItem.subject")
    diagnoses = _diagnoses(resource)
    codes = [coding.get("code", "") for coding in _codings(resource.get("code"))]
    if not codes or not CODE.fullmatch(codes[0]):
        text = "The first coding has a code of five capital letters and digits."
        raise Invalid(text, place="ChargeItem.code")
    if not all(map(MODIFIER.fullmatch, codes[1:])):
        text = "Further codings are modifiers of two capital letters and digits."
        raise Invalid(text, place="ChargeItem.code")
    performers = [
        reference_of(each.get("actor"), "Practitioner") for each in resource.get("performer", ())
    ]
    line = Asked(
        codes[0], tuple(codes[1:]), _units(resource), tuple(range(1, len(diagnoses) + 1))[:4],
        _amount(resource, currency),
    )  # fmt: skip
    encounter = reference_of(resource.get("context"), "Encounter") or None
    return ChargeAsked(
        patient, encounter, next(filter(None, performers), ""),
        day_of(resource.get("occurrenceDateTime"), zone), diagnoses, line,
    )  # fmt: skip


def _diagnoses(resource: Resource) -> tuple[str, ...]:
    found = [
        coding.get("code", "")
        for reason in resource.get("reason", ())
        for coding in _codings(reason)
        if coding.get("system") == ICD_10_CM
    ]
    if not found:
        raise Invalid("A charge has an ICD-10-CM reason.", place="ChargeItem.reason")
    return tuple(dict.fromkeys(found))


def _units(resource: Resource) -> int:
    value = resource.get("quantity", {}).get("value", 1)
    if value != int(value):
        raise Invalid("Units are whole.", place="ChargeItem.quantity.value")
    return int(value)


def _amount(resource: Resource, currency: str) -> int | None:
    """A price that is said stands for all units together."""
    price = resource.get("priceOverride")
    if price is None:
        return None
    if price.get("currency", currency) != currency:
        raise Invalid(f"This clinic's currency is {currency}.", place="ChargeItem.priceOverride")
    text = f"{Decimal(str(price.get('value', 0))):f}"
    return money.minor(text, currency, "ChargeItem.priceOverride.value")


def _codings(concept: Any) -> list[dict[str, Any]]:
    return concept.get("coding", []) if isinstance(concept, dict) else []
