"""One claim of a remittance: its CLP and all below, as a value."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from polyclinic.standards.x12.adjustments import Adjustment, read_adjustments
from polyclinic.standards.x12.elements import (
    need_amount,
    parts,
    read_amount,
    read_day,
    read_quantity,
    readable,
)
from polyclinic.standards.x12.loops import first, need_element, refuse_unknown, split, starts_with
from polyclinic.standards.x12.remittance.values import ClaimPayment, Procedure, ServicePayment
from polyclinic.standards.x12.tokens import Segment, Separators

_STATUSES = frozenset(("1", "2", "3", "4", "19", "20", "21", "22", "23", "25"))
_OF_A_CLAIM = frozenset(("CLP", "CAS", "NM1", "MIA", "MOA", "REF", "DTM", "PER", "AMT", "QTY"))
_OF_A_LINE = frozenset(("SVC", "DTM", "CAS", "REF", "AMT", "QTY", "LQ"))
_REMARK_ELEMENTS = {"MOA": (3, 4, 5, 6, 7), "MIA": (5, 20, 21, 22, 23)}


def read_claim(run: list[Segment], separators: Separators) -> tuple[ClaimPayment, list[Segment]]:
    """The claim, and its SVC segments in the order of its lines."""
    own, line_runs = split(run, starts_with("SVC"))
    head = run[0]
    refuse_unknown(own, _OF_A_CLAIM)
    if head[2] not in _STATUSES:
        raise head.refused(2, "IK403-7", "The status is none that a claim can have.")
    claim = ClaimPayment(
        need_element(head, 1),
        head[2],
        need_amount(head, 3),
        need_amount(head, 4),
        read_amount(head, 5),
        head[6],
        head[7],
        head[8],
        head[9],
        adjustments=_adjustments(own),
        lines=tuple(_line(each, separators) for each in line_runs),
        remarks=_remarks(own),
    )
    return _with_names_and_days(claim, own), [each[0] for each in line_runs]


def _with_names_and_days(claim: ClaimPayment, own: list[Segment]) -> ClaimPayment:
    patient = first(own, "NM1", "QC")
    return replace(
        claim,
        patient_last_name=readable(patient[3]) if patient else "",
        patient_first_name=readable(patient[4]) if patient else "",
        member_id=patient[9] if patient else "",
        service_from=_day(own, "232"),
        service_to=_day(own, "233"),
        received_on=_day(own, "050"),
    )


def _line(run: list[Segment], separators: Separators) -> ServicePayment:
    refuse_unknown(run, _OF_A_LINE)
    head = run[0]
    number = first(run, "REF", "6R")
    allowed = first(run, "AMT", "B6")
    return ServicePayment(
        _procedure(head, 1, separators),
        need_amount(head, 2),
        need_amount(head, 3),
        read_quantity(head, 5) if head[5] else Decimal(1),
        _procedure(head, 6, separators) if head[6] else None,
        read_quantity(head, 7) if head[7] else None,
        _day(run, "472", "150"),
        _day(run, "151"),
        number[2] if number else "",
        need_amount(allowed, 2) if allowed else None,
        _adjustments(run),
        tuple(each[2] for each in run if each.tag == "LQ" and each[1] == "HE" and each[2]),
    )


def _procedure(svc: Segment, element: int, separators: Separators) -> Procedure:
    qualifier, *rest = parts(svc, element, separators)
    if not rest or not qualifier or not rest[0]:
        raise svc.refused(element, "IK403-1", "The service has no code.")
    return Procedure(rest[0], tuple(mark for mark in rest[1:5] if mark), qualifier)


def _adjustments(run: list[Segment]) -> tuple[Adjustment, ...]:
    found = [read_adjustments(each) for each in run if each.tag == "CAS"]
    return tuple(each for several in found for each in several)


def _remarks(own: list[Segment]) -> tuple[str, ...]:
    return tuple(
        segment[element]
        for segment in own
        for element in _REMARK_ELEMENTS.get(segment.tag, ())
        if segment[element]
    )


def _day(run: list[Segment], *qualifiers: str) -> date | None:
    found = first(run, "DTM", *qualifiers)
    return read_day(found, 2) if found else None
