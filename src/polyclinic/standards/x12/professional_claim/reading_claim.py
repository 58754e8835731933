"""Loop 2300 and below: one claim, read and its total proved."""

from dataclasses import replace

from polyclinic.standards.x12.adjustments import read_adjustments
from polyclinic.standards.x12.elements import need_amount, parts, read_day, read_days, read_quantity
from polyclinic.standards.x12.loops import need_element, need_only, only, split, starts_with
from polyclinic.standards.x12.professional_claim.reading_people import (
    Treated,
    read_other_people,
    read_rendering_provider,
)
from polyclinic.standards.x12.professional_claim.values import (
    BillingProvider,
    Claim,
    OtherPayer,
    ServiceLine,
)
from polyclinic.standards.x12.refused import Refused
from polyclinic.standards.x12.tokens import Segment, Separators

_DIAGNOSES = frozenset(("ABK", "ABF", "BK", "BF"))


def read_claim(
    run: list[Segment], provider: BillingProvider, treated: Treated, separators: Separators
) -> Claim:
    """The claim that this run of segments, from its CLM on, says. Refused with its place."""
    above, line_runs = split(run, starts_with("LX"))
    own, other_runs = split(above, starts_with("SBR"))
    head = run[0]
    if not line_runs:
        raise Refused("LX", 0, head.position, "IK304-3", "The claim has no service line.")
    place = parts(head, 5, separators)
    onset = only(own, "DTP", "431")
    lines = tuple(_line(lines, separators) for lines in line_runs)
    claim = Claim(
        need_element(head, 1),
        need_amount(head, 2),
        provider,
        treated.subscriber,
        treated.payer,
        _diagnoses(own, head, separators),
        lines,
        treated.patient,
        place[0],
        place[2] if len(place) > 2 else "",
        _reference(own, "F8"),
        read_day(onset, 3) if onset else None,
        _reference(own, "G1"),
        read_rendering_provider(own),
        treated.payer_sequence,
        tuple(_other_payer(others) for others in other_runs),
    )
    _check(head, claim)
    return claim


def _check(head: Segment, claim: Claim) -> None:
    if len(claim.claim_id) > 20:
        raise head.refused(1, "IK403-5", "A claim's id has one to 20 characters.")
    if claim.frequency not in ("1", "7", "8"):
        text = "A claim is an original (1), a replacement (7) or a void (8)."
        raise head.refused(5, "IK403-7", text)
    if claim.total != sum(line.charge for line in claim.lines):
        raise head.refused(2, "BAL-CLM02", "The total is not the sum of the lines.")
    for line in claim.lines:
        if any(not 1 <= place <= len(claim.diagnoses) for place in line.diagnoses):
            raise head.refused(0, "IK403-7", "A line points to a diagnosis that is not there.")


def _reference(segments: list[Segment], qualifier: str) -> str:
    found = only(segments, "REF", qualifier)
    return need_element(found, 2) if found else ""


def _diagnoses(own: list[Segment], head: Segment, separators: Separators) -> tuple[str, ...]:
    codes: list[str] = []
    for segment in own:
        if segment.tag != "HI" or parts(segment, 1, separators)[0] not in _DIAGNOSES:
            continue
        if codes:
            raise segment.refused(0, "IK304-5", "The segment stands here once too often.")
        for element in range(1, len(segment.elements) + 1):
            code = parts(segment, element, separators)
            if len(code) < 2 or code[0] not in _DIAGNOSES or not code[1]:
                raise segment.refused(element, "IK403-7", "The element is no diagnosis.")
            codes.append(code[1])
    if not codes:
        raise Refused("HI", 0, head.position, "IK304-3", "The claim has no diagnosis.")
    if len(codes) > 12:
        raise head.refused(0, "IK403-3", "A claim has at most twelve diagnoses.")
    return tuple(codes)


def _other_payer(run: list[Segment]) -> OtherPayer:
    other = read_other_people(run, run[0])
    paid = only(run, "AMT", "D")
    adjustments = [read_adjustments(each) for each in run if each.tag == "CAS"]
    return replace(
        other,
        paid=need_amount(paid, 2) if paid else None,
        adjustments=tuple(each for several in adjustments for each in several),
    )


def _line(run: list[Segment], separators: Separators) -> ServiceLine:
    # What another payer decided about the line (SVD) has CAS and DTP segments of its own.
    run, _ = split(run, starts_with("SVD"))
    service = need_only(run, "SV1", after=run[0])
    code = parts(service, 1, separators)
    if len(code) < 2 or not code[1]:
        raise service.refused(1, "IK403-1", "The service has no code.")
    begin, end = read_days(need_only(run, "DTP", "472", after=run[0]))
    return ServiceLine(
        code[1],
        need_amount(service, 2),
        begin,
        _pointers(service, separators),
        tuple(mark for mark in code[2:6] if mark),
        read_quantity(service, 4),
        _reference(run, "6R"),
        end,
    )


def _pointers(service: Segment, separators: Separators) -> tuple[int, ...]:
    places = parts(service, 7, separators)
    if not 1 <= len(places) <= 4 or not all(
        place.isascii() and place.isdigit() and len(place) <= 2 for place in places
    ):
        raise service.refused(7, "IK403-7", "One to four pointers to the claim's diagnoses.")
    return tuple(map(int, places))
