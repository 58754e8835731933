"""Loops 2300 to 2400: one claim, its diagnoses, other payers and service lines as segments."""

from collections.abc import Iterator

from polyclinic.standards.x12.adjustments import write_adjustments
from polyclinic.standards.x12.elements import (
    composite,
    may_code,
    need_code,
    segment,
    write_amount,
    write_day,
    write_quantity,
)
from polyclinic.standards.x12.professional_claim import people
from polyclinic.standards.x12.professional_claim.values import Claim, OtherPayer, ServiceLine
from polyclinic.standards.x12.tokens import Segment


def claim_segments(claim: Claim) -> Iterator[Segment]:
    place = composite(claim.place_of_service, "B", claim.frequency)
    claim_id = need_code(claim.claim_id, 20, "CLM", 1)
    # Signature on file, assignment accepted, benefits assigned, release of information given.
    on_file = ("Y", "A", "Y", "Y")
    yield segment("CLM", claim_id, write_amount(claim.total), "", "", place, *on_file)
    if claim.onset_date:
        yield segment("DTP", "431", "D8", write_day(claim.onset_date))
    if claim.prior_authorization:
        yield segment("REF", "G1", need_code(claim.prior_authorization, 50, "REF", 2))
    if claim.original_reference:
        yield segment("REF", "F8", need_code(claim.original_reference, 50, "REF", 2))
    yield segment("HI", *_diagnoses(claim))
    if claim.rendering_provider:
        yield from people.rendering_provider(claim.rendering_provider)
    for other in claim.other_payers:
        yield from _other_payer(other)
    for number, line in enumerate(claim.lines, 1):
        yield from _line(number, line)


def _diagnoses(claim: Claim) -> Iterator[str]:
    for number, code in enumerate(claim.diagnoses):
        yield composite("ABF" if number else "ABK", code.replace(".", ""))


def _other_payer(other: OtherPayer) -> Iterator[Segment]:
    relationship = need_code(other.relationship, 2, "SBR", 2)
    group = may_code(other.group_number, 50, "SBR", 3)
    filing = need_code(other.filing_indicator, 2, "SBR", 9)
    yield segment("SBR", other.sequence, relationship, group, "", "", "", "", "", filing)
    yield from write_adjustments(other.adjustments)
    if other.paid is not None:
        yield segment("AMT", "D", write_amount(other.paid))
    yield segment("OI", "", "", "Y", "", "", "Y")
    yield from people.other_people(other)


def _line(number: int, line: ServiceLine) -> Iterator[Segment]:
    pointers = composite(*map(str, line.diagnoses))
    yield segment("LX", str(number))
    yield segment(
        "SV1", composite("HC", line.code, *line.modifiers), write_amount(line.charge), "UN",
        write_quantity(line.units), "", "", pointers,
    )  # fmt: skip
    if line.service_end and line.service_end != line.service_date:
        days = f"{write_day(line.service_date)}-{write_day(line.service_end)}"
        yield segment("DTP", "472", "RD8", days)
    else:
        yield segment("DTP", "472", "D8", write_day(line.service_date))
    if line.control_number:
        yield segment("REF", "6R", need_code(line.control_number, 30, "REF", 2))
