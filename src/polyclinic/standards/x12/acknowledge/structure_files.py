"""TA1 and 999 005010X231A1 on the wire: acknowledgments written, and those of others read."""

from collections.abc import Iterator
from dataclasses import replace

from polyclinic.standards.x12.acknowledge.values import (
    Acknowledgments,
    ElementError,
    GroupAcknowledgment,
    InterchangeAcknowledgment,
    SegmentError,
    TransactionAcknowledgment,
)
from polyclinic.standards.x12.assembly import Interchange
from polyclinic.standards.x12.elements import clean_text, segment
from polyclinic.standards.x12.envelope import (
    Envelope,
    good_transactions,
    parse_all,
    refusals,
    seal,
    wrap,
    write,
)
from polyclinic.standards.x12.loops import need, need_element, need_only, split, starts_with
from polyclinic.standards.x12.refused import Refused
from polyclinic.standards.x12.tokens import Segment

GUIDE = "005010X231A1"


def write_acknowledgments(envelope: Envelope, answers: Acknowledgments) -> bytes:
    """One file: the TA1 segments, and a 999 for each group. It asks for no answer itself."""
    envelope = replace(envelope, acknowledgment_requested=False)
    notes = tuple(
        replace(_interchange(each), line_end=envelope.line_end) for each in answers.interchanges
    )
    if not answers.groups:
        return write(seal(envelope, (), notes))
    file = wrap(envelope, "FA", GUIDE, [list(_group(each)) for each in answers.groups])
    return write(replace(file, acknowledgments=notes))


def read_acknowledgments(data: bytes) -> Acknowledgments:
    """Refused only where there is no envelope; all else that is wrong stands in `refused`."""
    notes: list[InterchangeAcknowledgment] = []
    groups: list[GroupAcknowledgment] = []
    refused: list[Refused] = []
    for interchange in parse_all(data):
        refused.extend(refusals(interchange))
        notes.extend(_read_notes(interchange))
        for _, transaction in good_transactions(interchange):
            if transaction.set_id != "999":
                continue
            try:
                groups.append(_read_group(transaction.segments))
            except Refused as fault:
                refused.append(fault)
    return Acknowledgments(tuple(notes), tuple(groups), tuple(refused))


def _interchange(note: InterchangeAcknowledgment) -> Segment:
    echoed = (_echo(each, 9) for each in (note.control_number, note.day, note.time))
    return segment("TA1", *echoed, note.status, note.code)


def _echo(text: str, length: int) -> str:
    """What another has sent, said back: it may be anything, but our file stays sound."""
    return clean_text(text, length) or "0"


def _group(group: GroupAcknowledgment) -> Iterator[Segment]:
    yield segment("ST", "999", "", GUIDE)
    yield segment(
        "AK1", _echo(group.functional_id, 2), _echo(group.control_number, 9),
        clean_text(group.version, 12),
    )  # fmt: skip
    for each in group.transactions:
        yield from _transaction(each)
    counts = (str(each) for each in (group.included, group.received, group.accepted))
    yield segment("AK9", group.status, *counts, *group.codes)


def _transaction(answer: TransactionAcknowledgment) -> Iterator[Segment]:
    number = _echo(answer.control_number, 9)
    yield segment("AK2", _echo(answer.set_id, 3), number, clean_text(answer.convention, 35))
    for error in answer.errors:
        yield segment("IK3", error.segment, str(error.number), "", error.code)
        for element in error.elements:
            yield segment("IK4", str(element.element), "", element.code)
    yield segment("IK5", answer.status, *answer.codes)


def _read_notes(interchange: Interchange) -> Iterator[InterchangeAcknowledgment]:
    for note in interchange.acknowledgments:
        yield InterchangeAcknowledgment(note[1], note[2], note[3], note[4], note[5])


def _read_group(segments: tuple[Segment, ...]) -> GroupAcknowledgment:
    about = need_only(segments, "AK1", after=segments[0])
    result = need_only(segments, "AK9", after=segments[-1])
    _, runs = split(segments[1:-1], starts_with("AK2"))
    return GroupAcknowledgment(
        need_element(about, 1),
        need_element(about, 2),
        about[3],
        need_element(result, 1),
        _count(result, 2),
        _count(result, 3),
        _count(result, 4),
        tuple(filter(None, result.elements[4:9])),
        tuple(_read_transaction(run) for run in runs),
    )


def _read_transaction(run: list[Segment]) -> TransactionAcknowledgment:
    about, result = run[0], need(run, "IK5", after=run[0])
    _, errors = split(run, starts_with("IK3"))
    return TransactionAcknowledgment(
        need_element(about, 1),
        need_element(about, 2),
        about[3],
        need_element(result, 1),
        tuple(filter(None, result.elements[1:6])),
        tuple(_read_error(each) for each in errors),
    )


def _read_error(run: list[Segment]) -> SegmentError:
    head = run[0]
    elements = (
        ElementError(_place(each), need_element(each, 3)) for each in run if each.tag == "IK4"
    )
    return SegmentError(need_element(head, 1), _count(head, 2), head[4], tuple(elements))


def _place(note: Segment) -> int:
    """IK401 may say the component too; the element is enough for us."""
    number = need_element(note, 1)
    digits = number[:2] if number[1:2].isdigit() else number[:1]
    if not digits.isascii() or not digits.isdigit():
        raise note.refused(1, "IK403-6", "The element's number is none.")
    return int(digits)


def _count(said: Segment, element: int) -> int:
    text = need_element(said, element)
    if not text.isascii() or not text.isdigit() or len(text) > 10:
        raise said.refused(element, "IK403-6", "The element is not a count.")
    return int(text)
