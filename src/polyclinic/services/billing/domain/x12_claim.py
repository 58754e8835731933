"""From what billing knows to the 837P's own values; what is missing is said, never made up."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from polyclinic.services.billing.domain import money, people
from polyclinic.services.billing.domain.charges import Charge, Visit
from polyclinic.services.billing.domain.claims import Claim, control_number
from polyclinic.services.billing.domain.coverage import Coverage
from polyclinic.services.billing.domain.payers import Payer
from polyclinic.services.billing.domain.people import Person
from polyclinic.services.billing.domain.states import state_code
from polyclinic.standards.x12 import professional_claim as x12

_SEX = {"female": "F", "male": "M"}
# 005010X222A1, PAT01.
_RELATIONSHIP = {"spouse": "01", "child": "19", "other": "G8"}


@dataclass(frozen=True, slots=True)
class Clinic:
    """Who is to be paid; `address` is `street; city; state; ZIP code`."""

    name: str
    npi: str
    tax_id: str
    address: str
    telephone: str


@dataclass(frozen=True, slots=True)
class Provider:
    """Who treated, as claims name them."""

    last_name: str
    first_name: str
    npi: str
    taxonomy: str = ""


@dataclass(frozen=True, slots=True)
class Parts:
    """All that a claim is made of, as far as it is known."""

    claim: Claim
    visit: Visit
    lines: tuple[tuple[int, Charge], ...]  # by the line's number on the claim
    person: Person | None
    coverage: Coverage | None
    payer: Payer | None
    provider: Provider | None
    clinic: Clinic
    authorization: str = ""


def missing(parts: Parts) -> Iterator[tuple[str, str]]:
    """(place, sentence) of everything without which no claim can be written."""
    if money.digits(parts.claim.currency) != 2:
        yield "settings.currency", "X12 writes amounts in hundredths, which this currency lacks."
    if address_of(parts.clinic) is None:
        yield "settings.clinic_address", "The clinic's address is not set."
    if not (len(parts.clinic.telephone) == 10 and parts.clinic.telephone.isdigit()):
        yield "settings.clinic_telephone", "The clinic's telephone number is not set: ten digits."
    if parts.provider is None:
        yield "provider", "The clinician's NPI is not known here."
    if not parts.visit.diagnoses:
        yield "diagnoses", "The visit has no diagnosis."
    if not parts.lines:
        yield "lines", "The claim has no charges."
    yield from _missing_insurer(parts)
    yield from _missing_of(parts.person, "patient")
    if parts.coverage is not None and parts.coverage.subscriber is not None:
        yield from _missing_of(parts.coverage.subscriber, "subscriber")


def _missing_insurer(parts: Parts) -> Iterator[tuple[str, str]]:
    if parts.payer is None:
        yield "payer", "The payer is not known here."
    elif not parts.payer.electronic:
        yield "payer", "This payer takes no electronic claims; print it."
    if parts.coverage is None:
        yield "coverage", "The insurance is not known here."


def _missing_of(person: Person | None, place: str) -> Iterator[tuple[str, str]]:
    if person is None:
        yield place, f"Who the {place} is, is not known here."
        return
    if person.birth_date is None:
        yield f"{place}.birth_date", f"The {place}'s birth date is not known."
    address = person.address
    if not (address.line and address.city and address.state and address.postal_code):
        yield f"{place}.address", f"The {place}'s address is not complete."


def written(parts: Parts) -> x12.Claim:
    """The claim as the 837P writes it; `missing` must have named nothing."""
    claim, coverage, person = parts.claim, parts.coverage, parts.person
    payer, provider, address = parts.payer, parts.provider, address_of(parts.clinic)
    assert coverage is not None
    assert person is not None
    assert payer is not None
    assert provider is not None
    assert address is not None
    insured = coverage.subscriber or person
    return x12.Claim(
        claim_id=claim.number,
        total=sum(charge.amount for _, charge in parts.lines),
        billing_provider=x12.BillingProvider(
            parts.clinic.name, parts.clinic.npi, parts.clinic.tax_id, address
        ),
        subscriber=_subscriber(insured, coverage),
        payer=x12.Payer(payer.name, payer.x12_id),
        diagnoses=parts.visit.diagnoses,
        lines=tuple(_line(parts, n, charge) for n, charge in parts.lines),
        patient=None if coverage.subscriber is None else _patient(person, coverage),
        frequency=str(claim.frequency),
        original_reference=(claim.payer_number or "") if claim.frequency != 1 else "",
        prior_authorization=parts.authorization,
        rendering_provider=x12.RenderingProvider(
            provider.last_name, provider.first_name, provider.npi, provider.taxonomy
        ),
        payer_sequence="PST"[min(coverage.rank, 3) - 1],
    )


def address_of(clinic: Clinic) -> x12.Address | None:
    words = [word.strip() for word in clinic.address.split(";")]
    return x12.Address(*words) if len(words) == 4 and all(words) else None


def _line(parts: Parts, number: int, charge: Charge) -> x12.ServiceLine:
    return x12.ServiceLine(
        charge.detail.code,
        charge.amount,
        charge.day,
        charge.detail.pointers,
        charge.detail.modifiers,
        Decimal(charge.units),
        control_number(parts.claim.number, number),
    )


def _subscriber(insured: Person, coverage: Coverage) -> x12.Subscriber:
    return x12.Subscriber(
        insured.family, insured.given, coverage.member_id, insured.birth_date,
        _SEX.get(insured.sex, "U"), _address(insured.address),
        group_number=coverage.group_number,
    )  # fmt: skip


def _patient(person: Person, coverage: Coverage) -> x12.Patient:
    assert person.birth_date is not None
    return x12.Patient(
        person.family, person.given, person.birth_date, _SEX.get(person.sex, "U"),
        _address(person.address), _RELATIONSHIP.get(coverage.relationship, "21"),
    )  # fmt: skip


def _address(address: people.Address) -> x12.Address:
    return x12.Address(address.line, address.city, state_code(address.state), address.postal_code)
