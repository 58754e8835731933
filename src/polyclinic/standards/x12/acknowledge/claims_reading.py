"""277CA is read: an answer that cannot be read is refused alone, with its place."""

from dataclasses import dataclass

from polyclinic.standards.x12.acknowledge.values import ClaimAnswer, ClaimReport, ClaimStatus
from polyclinic.standards.x12.assembly import Transaction
from polyclinic.standards.x12.elements import need_amount, parts, read_day, read_days, readable
from polyclinic.standards.x12.envelope import good_transactions, parse_all, refusals
from polyclinic.standards.x12.loops import first, need, need_element, split, starts_with
from polyclinic.standards.x12.refused import Refused
from polyclinic.standards.x12.tokens import Segment, Separators

_STATUS_ELEMENTS = (1, 10, 11)


@dataclass(frozen=True, slots=True)
class ReadClaimReports:
    """The reports with their good answers; and all refusals of the file."""

    reports: tuple[ClaimReport, ...]
    refused: tuple[Refused, ...]


def read_claim_reports(data: bytes) -> ReadClaimReports:
    """Refused only where there is no envelope; all else that is wrong stands in `refused`."""
    reports: list[ClaimReport] = []
    refused: list[Refused] = []
    for interchange in parse_all(data):
        refused.extend(refusals(interchange))
        for group, transaction in good_transactions(interchange):
            try:
                _check_guide(transaction, group.version)
                report, faults = _report(transaction, interchange.separators)
                reports.append(report)
                refused.extend(faults)
            except Refused as fault:
                refused.append(fault)
    return ReadClaimReports(tuple(reports), tuple(refused))


def _check_guide(transaction: Transaction, version: str) -> None:
    head = transaction.segments[0]
    if transaction.set_id != "277":
        raise head.refused(1, "IK502-1", "The transaction is no 277.")
    if version != "005010X214":
        raise head.refused(3, "IK502-I6", "The report follows another guide than 005010X214.")


def _report(transaction: Transaction, separators: Separators) -> tuple[ClaimReport, list[Refused]]:
    segments = transaction.segments
    header, levels = split(segments[:-1], starts_with("HL"))
    start = need(header, "BHT", after=segments[0])
    source = next((each for each in levels if each[0][3] == "20"), [start])
    receiver = next((each for each in levels if each[0][3] == "21"), [source[-1]])
    payer, submitter = (
        need(source, "NM1", "PR", "AY", after=source[0]),
        need(receiver, "NM1", "41", after=receiver[0]),
    )
    answers, faults = _answers(levels, separators)
    report = ClaimReport(
        readable(payer[3]),
        need_element(payer, 9),
        readable(submitter[3]),
        need_element(submitter, 9),
        start[3],
        need_element(need(receiver, "TRN", "2", after=submitter), 2),
        read_day(need(source, "DTP", "050", after=payer), 3),
        read_day(need(source, "DTP", "009", after=payer), 3),
        tuple(answers),
        transaction.control_number,
    )
    return report, faults


def _answers(
    levels: list[list[Segment]], separators: Separators
) -> tuple[list[ClaimAnswer], list[Refused]]:
    answers: list[ClaimAnswer] = []
    faults: list[Refused] = []
    provider: Segment | None = None
    for level in levels:
        if level[0][3] == "19":
            provider = first(level, "NM1", "85")
        elif level[0][3] == "PT":
            above, claims = split(level, starts_with("TRN"))
            for claim in claims:
                try:
                    answers.append(_answer(above, claim, provider, separators))
                except Refused as fault:
                    fault.claim_id = fault.claim_id or claim[0][2][:38]
                    faults.append(fault)
    return answers, faults


def _answer(
    above: list[Segment], run: list[Segment], provider: Segment | None, separators: Separators
) -> ClaimAnswer:
    if provider is None:
        raise above[0].refused(0, "IK304-7", "The patient stands below no provider.")
    patient = need(above, "NM1", "QC", after=above[0])
    run, _ = split(run, starts_with("SVC"))  # single lines: their claim's answer is what counts
    status = need(run, "STC", after=run[0])
    control = first(run, "REF", "1K")
    begin, end = read_days(need(run, "DTP", "472", after=run[0]))
    return ClaimAnswer(
        need_element(run[0], 2),
        _is_accepted(status),
        _statuses(status, separators),
        need_amount(status, 4),
        read_day(status, 2),
        readable(patient[3]),
        readable(patient[4]),
        patient[9],
        begin,
        readable(provider[3]),
        provider[9],
        end,
        control[2] if control else "",
        readable(status[12]),
    )


def _is_accepted(status: Segment) -> bool:
    if status[3] not in ("WQ", "U"):
        raise status.refused(3, "IK403-7", "A claim is taken (WQ) or returned (U).")
    return status[3] == "WQ"


def _statuses(status: Segment, separators: Separators) -> tuple[ClaimStatus, ...]:
    found: list[ClaimStatus] = []
    for element in _STATUS_ELEMENTS:
        if not status[element]:
            continue
        category, code, entity = (*parts(status, element, separators), "", "")[:3]
        if not category or not code:
            raise status.refused(element, "IK403-1", "A status has a category and a number.")
        found.append(ClaimStatus(category, code, entity))
    if not found:
        raise status.refused(1, "IK403-1", "The status is missing.")
    return tuple(found)
