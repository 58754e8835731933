"""TA1 and 999 as values: our structural checks, said in the codes that partners read."""

from collections.abc import Iterable

from polyclinic.standards.x12.acknowledge.values import (
    Acknowledgments,
    ElementError,
    GroupAcknowledgment,
    InterchangeAcknowledgment,
    SegmentError,
    TransactionAcknowledgment,
)
from polyclinic.standards.x12.assembly import Group, Interchange, Transaction
from polyclinic.standards.x12.refused import Refused

_CODES_MAX = 5  # IK502 to IK506, AK905 to AK909
# A sum that does not agree, a payee that is another: 999 has no code of its own for it.
_PATTERN = "I12"


def acknowledge(interchange: Interchange, content: Iterable[Refused] = ()) -> Acknowledgments:
    """What we answer to this file. `content` is what its readers refused, or the caller adds.

    (Say, TA105-025 for a control number seen before.) Each is put down at the transaction in
    which it stands. A rejected interchange is not looked into: it gets a TA1 and no 999.
    """
    added = tuple(content)
    codes = [_value(fault, "TA105") or "024" for fault in interchange.faults]
    codes += [code for fault in added if (code := _value(fault, "TA105"))]
    head = interchange.head
    answer = InterchangeAcknowledgment(
        head[13], head[9], head[10], "R" if codes else "A", codes[0] if codes else "000"
    )
    if codes:
        return Acknowledgments((answer,), ())
    return Acknowledgments((answer,), tuple(_group(each, added) for each in interchange.groups))


def _group(group: Group, content: tuple[Refused, ...]) -> GroupAcknowledgment:
    transactions = tuple(_transaction(each, content) for each in group.transactions)
    codes = _unique(_value(fault, "AK905") for fault in group.faults)
    accepted = 0 if codes else sum(each.status != "R" for each in transactions)
    said = group.tail[1] if group.tail else ""
    return GroupAcknowledgment(
        group.functional_id,
        group.control_number,
        group.version,
        _group_status(transactions, accepted, has_faults=bool(codes)),
        int(said) if said.isascii() and said.isdigit() and len(said) <= 6 else len(transactions),
        len(transactions),
        accepted,
        codes,
        transactions,
    )


def _group_status(
    transactions: tuple[TransactionAcknowledgment, ...], accepted: int, *, has_faults: bool
) -> str:
    if has_faults or not accepted:
        return "R"
    if accepted < len(transactions):
        return "P"
    return "A" if all(each.status == "A" for each in transactions) else "E"


def _transaction(
    transaction: Transaction, content: tuple[Refused, ...]
) -> TransactionAcknowledgment:
    start, end = (transaction.segments[place].position.segment for place in (0, -1))
    inside = [fault for fault in content if start <= fault.position.segment <= end]
    known = set(transaction.faults)
    faults = [*transaction.faults, *(fault for fault in inside if fault not in known)]
    codes = _unique(_value(fault, "IK502") for fault in faults)
    errors = _errors([each for each in faults if not _value(each, "IK502")], start)
    if errors:
        codes = _unique((*codes, "5"))
    return TransactionAcknowledgment(
        transaction.set_id,
        transaction.control_number,
        transaction.convention,
        _status(transaction, faults),
        codes[:_CODES_MAX],
        errors,
    )


def _status(transaction: Transaction, faults: list[Refused]) -> str:
    if not faults:
        return "A"
    # Single claims of an 837 are refused alone; an 835 is posted whole or not at all.
    is_in_part = transaction.set_id == "837" and all(fault.claim_id for fault in faults)
    return "E" if is_in_part else "R"


def _errors(faults: list[Refused], start: int) -> tuple[SegmentError, ...]:
    found: dict[tuple[int, str, str], list[ElementError]] = {}
    for fault in sorted(faults, key=lambda each: each.position):
        whole = _value(fault, "IK304")
        tag = fault.segment if fault.segment.isalnum() else "ZZ"
        elements = found.setdefault((fault.position.segment - start + 1, tag, whole or "8"), [])
        if not whole:
            elements.append(ElementError(fault.element, _value(fault, "IK403") or _PATTERN))
    return tuple(
        SegmentError(tag, number, code, tuple(elements))
        for (number, tag, code), elements in found.items()
    )


def _value(fault: Refused, element: str) -> str:
    name, _, value = fault.code.partition("-")
    return value if name == element else ""


def _unique(codes: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(code for code in codes if code))[:_CODES_MAX]
