"""The names, addresses and numbers of those a claim speaks of, as segments."""

from collections.abc import Iterator

from polyclinic.standards.x12.elements import (
    clean_text,
    may_code,
    need_code,
    need_text,
    segment,
    write_day,
)
from polyclinic.standards.x12.professional_claim.values import (
    Address,
    BillingProvider,
    Claim,
    OtherPayer,
    Patient,
    Payer,
    RenderingProvider,
)
from polyclinic.standards.x12.tokens import Segment


def organisation(role: str, name: str, qualifier: str, number: str) -> Segment:
    cleaned = need_text(name, 60, "NM1", 3)
    code = need_code(number, 80, "NM1", 9)
    return segment("NM1", role, "2", cleaned, "", "", "", "", qualifier, code)


def person(
    role: str, names: tuple[str, str, str], qualifier: str = "", number: str = ""
) -> Segment:
    """`names` are last, first and middle; a first name that says nothing in X12 is left out."""
    last, first, middle = names
    return segment(
        "NM1", role, "1", need_text(last, 60, "NM1", 3), clean_text(first, 35),
        clean_text(middle, 25), "", "", qualifier,
        need_code(number, 80, "NM1", 9) if qualifier else "",
    )  # fmt: skip


def address(place: Address) -> Iterator[Segment]:
    yield segment("N3", need_text(place.line, 55, "N3", 1), clean_text(place.second_line, 55))
    zip_code = need_code(place.postal_code.replace("-", ""), 15, "N4", 3)
    state = need_code(place.state, 2, "N4", 2)
    yield segment("N4", need_text(place.city, 30, "N4", 1), state, zip_code)


def billing_provider(provider: BillingProvider) -> Iterator[Segment]:
    if provider.taxonomy:
        yield segment("PRV", "BI", "PXC", need_code(provider.taxonomy, 50, "PRV", 3))
    yield organisation("85", provider.name, "XX", provider.npi)
    yield from address(provider.address)
    yield segment("REF", "EI", provider.tax_id.replace("-", ""))


def subscriber(claim: Claim) -> Iterator[Segment]:
    """The subscriber and the payer; home and birth date only where the subscriber is treated."""
    someone, is_patient = claim.subscriber, claim.patient is None
    group = may_code(someone.group_number, 50, "SBR", 3)
    filing = need_code(someone.filing_indicator, 2, "SBR", 9)
    yield segment(
        "SBR", claim.payer_sequence, "18" if is_patient else "", group, "", "", "", "", "", filing
    )
    names = someone.last_name, someone.first_name, someone.middle_name
    yield person("IL", names, "MI", someone.member_id)
    if is_patient and someone.address and someone.birth_date:
        yield from address(someone.address)
        yield segment("DMG", "D8", write_day(someone.birth_date), someone.sex)
    yield payer(claim.payer)


def payer(payer: Payer) -> Segment:
    return organisation("PR", payer.name, "PI", payer.id)


def patient(someone: Patient) -> Iterator[Segment]:
    yield segment("PAT", need_code(someone.relationship, 2, "PAT", 1))
    yield person("QC", (someone.last_name, someone.first_name, someone.middle_name))
    yield from address(someone.address)
    yield segment("DMG", "D8", write_day(someone.birth_date), someone.sex)


def rendering_provider(provider: RenderingProvider) -> Iterator[Segment]:
    yield person("82", (provider.last_name, provider.first_name, ""), "XX", provider.npi)
    if provider.taxonomy:
        yield segment("PRV", "PE", "PXC", need_code(provider.taxonomy, 50, "PRV", 3))


def other_people(other: OtherPayer) -> Iterator[Segment]:
    """Loops 2330A and 2330B."""
    names = other.subscriber_last_name, other.subscriber_first_name, ""
    yield person("IL", names, "MI", other.member_id)
    yield payer(other.payer)
    if other.paid_on:
        yield segment("DTP", "573", "D8", write_day(other.paid_on))
