"""277CA 005010X214: what became of each claim at the payer's door, written and read."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from polyclinic.standards.x12.acknowledge.values import ClaimAnswer, ClaimReport
from polyclinic.standards.x12.elements import (
    clean_text,
    composite,
    may_code,
    need_code,
    need_text,
    segment,
    write_amount,
    write_day,
)
from polyclinic.standards.x12.envelope import Envelope, wrap, write
from polyclinic.standards.x12.tokens import Segment

GUIDE = "005010X214"
_ACCEPTED, _REJECTED = "WQ", "U"


def write_claim_reports(envelope: Envelope, reports: Sequence[ClaimReport]) -> bytes:
    """One transaction each, in the order of the answers."""
    bodies = [list(_body(envelope, each)) for each in reports]
    return write(wrap(envelope, "HN", GUIDE, bodies))


def _body(envelope: Envelope, report: ClaimReport) -> Iterator[Segment]:
    at = envelope.made_at
    reference = need_code(report.reference, 50, "BHT", 3)
    yield segment("ST", "277", "", GUIDE)
    yield segment("BHT", "0085", "08", reference, f"{at:%Y%m%d}", f"{at:%H%M}", "TH")
    yield segment("HL", "1", "", "20", "1")
    payer = need_text(report.payer_name, 60, "NM1", 3)
    yield _organisation("PR", payer, "PI", report.payer_id)
    yield segment("TRN", "1", reference)
    yield segment("DTP", "050", "D8", write_day(report.received_on))
    yield segment("DTP", "009", "D8", write_day(report.decided_on))
    yield segment("HL", "2", "1", "21", "1" if report.answers else "0")
    receiver = need_text(report.receiver_name, 60, "NM1", 3)
    yield _organisation("41", receiver, "46", report.receiver_id)
    yield segment("TRN", "2", need_code(report.batch_reference, 50, "TRN", 2))
    yield from _totals(report)
    yield from _levels(report.answers)


def _totals(report: ClaimReport) -> Iterator[Segment]:
    """Of the whole file: how many claims were taken and refused, and their charges."""
    taken = [each.charge for each in report.answers if each.is_accepted]
    returned = [each.charge for each in report.answers if not each.is_accepted]
    total = write_amount(sum(taken) + sum(returned))
    yield segment("STC", composite("A1", "19", "PR"), write_day(report.decided_on), "WQ", total)
    for qualifier, charges in (("90", taken), ("AA", returned)):
        if charges:
            yield segment("QTY", qualifier, str(len(charges)))
    for qualifier, charges in (("YU", taken), ("YY", returned)):
        if charges:
            yield segment("AMT", qualifier, write_amount(sum(charges)))


def _organisation(role: str, name: str, qualifier: str, number: str) -> Segment:
    code = need_code(number, 80, "NM1", 9)
    return segment("NM1", role, "2", name, "", "", "", "", qualifier, code)


def _levels(answers: Iterable[ClaimAnswer]) -> Iterator[Segment]:
    number = 2
    for (name, npi), members in groupby(
        answers, lambda each: (each.provider_name, each.provider_npi)
    ):
        number += 1
        provider = number
        yield segment("HL", str(provider), "2", "19", "1")
        yield _organisation("85", need_text(name, 60, "NM1", 3), "XX", npi)
        several = list(members)
        yield segment("TRN", "1", "0")
        total = write_amount(sum(each.charge for each in several))
        yield segment("STC", composite("A1", "19", "PR"), "", "WQ", total)
        for answer in several:
            number += 1
            yield segment("HL", str(number), str(provider), "PT")
            yield from _answer(answer)


def _answer(answer: ClaimAnswer) -> Iterator[Segment]:
    last = need_text(answer.patient_last_name, 60, "NM1", 3)
    first = clean_text(answer.patient_first_name, 35)
    member = need_code(answer.member_id, 80, "NM1", 9)
    yield segment("NM1", "QC", "1", last, first, "", "", "", "MI", member)
    yield segment("TRN", "2", need_code(answer.claim_id, 50, "TRN", 2))
    statuses = [composite(each.category, each.code, each.entity) for each in answer.statuses[:3]]
    more = (*statuses[1:], "", "")[:2]
    yield segment(
        "STC", statuses[0], write_day(answer.decided_on),
        _ACCEPTED if answer.is_accepted else _REJECTED, write_amount(answer.charge),
        "", "", "", "", "", *more, clean_text(answer.message, 264),
    )  # fmt: skip
    if control := may_code(answer.payer_control_number, 50, "REF", 2):
        yield segment("REF", "1K", control)
    if answer.service_to and answer.service_to != answer.service_from:
        days = f"{write_day(answer.service_from)}-{write_day(answer.service_to)}"
        yield segment("DTP", "472", "RD8", days)
    else:
        yield segment("DTP", "472", "D8", write_day(answer.service_from))
