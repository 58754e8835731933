"""Segments in their envelopes: what is counted and numbered twice must agree both times."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from polyclinic.standards.x12.refused import Refused
from polyclinic.standards.x12.tokens import Segment, Separators, Tokens


@dataclass(frozen=True, slots=True)
class Transaction:
    """One ST with all up to its SE."""

    segments: tuple[Segment, ...]
    faults: tuple[Refused, ...] = ()

    @property
    def set_id(self) -> str:
        return self.segments[0][1]

    @property
    def control_number(self) -> str:
        return self.segments[0][2]

    @property
    def convention(self) -> str:
        """ST03, the implementation guide; an 835 leaves it to GS08."""
        return self.segments[0][3]


@dataclass(frozen=True, slots=True)
class Group:
    """One GS with its transactions; `tail` is absent where the file broke off."""

    head: Segment
    transactions: tuple[Transaction, ...]
    tail: Segment | None
    faults: tuple[Refused, ...] = ()

    @property
    def functional_id(self) -> str:
        return self.head[1]

    @property
    def control_number(self) -> str:
        return self.head[6]

    @property
    def version(self) -> str:
        return self.head[8]


@dataclass(frozen=True, slots=True)
class Interchange:
    """One ISA with its groups and the TA1 segments that it carries."""

    separators: Separators
    head: Segment
    acknowledgments: tuple[Segment, ...]
    groups: tuple[Group, ...]
    tail: Segment | None
    faults: tuple[Refused, ...] = ()

    @property
    def control_number(self) -> str:
        return self.head[13]

    @property
    def sender_id(self) -> str:
        return self.head[6].strip()

    @property
    def receiver_id(self) -> str:
        return self.head[8].strip()

    def segments(self) -> Iterator[Segment]:
        yield self.head
        yield from self.acknowledgments
        for group in self.groups:
            yield group.head
            for transaction in group.transactions:
                yield from transaction.segments
            if group.tail:
                yield group.tail
        if self.tail:
            yield self.tail


_NUMBER = re.compile(r"[0-9]{1,10}").fullmatch
_PARTY_QUALIFIERS = frozenset(["01", "14", "20", "27", "28", "29", "30", "33", "ZZ"])
_HOUR = re.compile(r"([01][0-9]|2[0-3])[0-5][0-9]").fullmatch
_SHORT_DATE = re.compile(r"[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])").fullmatch

# Element, TA105, what must hold of it.
_HEAD_RULES: tuple[tuple[int, str, Callable[[str], object]], ...] = (
    (1, "010", frozenset(("00", "03")).__contains__),
    (3, "012", frozenset(("00", "01")).__contains__),
    (5, "005", _PARTY_QUALIFIERS.__contains__),
    (6, "006", str.strip),
    (7, "007", _PARTY_QUALIFIERS.__contains__),
    (8, "008", str.strip),
    (9, "014", _SHORT_DATE),
    (10, "015", _HOUR),
    (12, "017", "00501".__eq__),
    (13, "018", re.compile(r"[0-9]{9}").fullmatch),
    (14, "019", frozenset("01").__contains__),
    (15, "020", frozenset("PT").__contains__),
)


def assemble(tokens: Tokens) -> Interchange:
    """The interchange of these tokens, with every fault noted at what it spoils."""
    work = _Work(tokens)
    for segment in tokens.segments[1:]:
        work.take(segment)
    return work.finish()


def count_fault(tail: Segment, actual: int, code: str, what: str) -> Refused | None:
    """Of a trailer whose first element does not say how many there are."""
    said = tail[1]
    if not _NUMBER(said):
        return tail.refused(1, code, f"The count of {what} is not a number.")
    if int(said) != actual:
        return tail.refused(1, code, f"The trailer counts {int(said)} {what}, there are {actual}.")
    return None


@dataclass
class _OpenGroup:
    head: Segment
    transactions: list[Transaction] = field(default_factory=list)
    numbers: set[str] = field(default_factory=set)


class _Work:
    """An interchange half read."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._head = tokens.segments[0]
        self._loose = {fault.position.segment: fault for fault in reversed(tokens.faults)}
        self._acknowledgments: list[Segment] = []
        self._groups: list[Group] = []
        self._group: _OpenGroup | None = None
        self._open: list[Segment] = []  # the transaction that is being read
        self._tail: Segment | None = None
        self._faults: list[Refused] = []
        self._doors: dict[str, Callable[[Segment], None]] = {
            "GS": self._start_group, "GE": self._end_group, "IEA": self._end,
            "ST": self._start, "SE": self._finish_transaction,
        }  # fmt: skip

    def take(self, segment: Segment) -> None:
        door = self._doors.get(segment.tag)
        if door:
            door(segment)
        elif self._open:
            self._open.append(segment)
        elif segment.tag == "TA1" and not self._groups and not self._group:
            self._acknowledgments.append(segment)
        else:
            self._stray(segment)

    def _stray(self, segment: Segment) -> None:
        text = "The segment stands outside of every transaction."
        self._faults.append(segment.refused(0, "TA105-024", text))

    def _start_group(self, head: Segment) -> None:
        self._close_group(None)
        self._group = _OpenGroup(head)

    def _start(self, segment: Segment) -> None:
        self._close_transaction()
        if self._group is None:
            self._stray(segment)
        else:
            self._open = [segment]

    def _finish_transaction(self, segment: Segment) -> None:
        if self._open:
            self._open.append(segment)
            self._close_transaction()
        else:
            self._stray(segment)

    def _close_transaction(self) -> None:
        if not self._open or self._group is None:
            return
        segments, self._open = tuple(self._open), []
        faults = list(_transaction_faults(segments, self._group.numbers))
        faults.extend(self._loose_in(segments))
        self._group.numbers.add(segments[0][2])
        self._group.transactions.append(Transaction(segments, tuple(faults)))

    def _loose_in(self, segments: tuple[Segment, ...]) -> list[Refused]:
        if not self._loose:
            return []
        numbers = (segment.position.segment for segment in segments)
        return [self._loose.pop(number) for number in numbers if number in self._loose]

    def _end_group(self, segment: Segment) -> None:
        if self._group is None:
            self._stray(segment)
        else:
            self._close_group(segment)

    def _close_group(self, tail: Segment | None) -> None:
        self._close_transaction()
        if self._group is None:
            return
        work, self._group = self._group, None
        faults = list(_group_faults(work, tail))
        if any(group.control_number == work.head[6] for group in self._groups):
            text = "The group's control number is used twice in the interchange."
            faults.append(work.head.refused(6, "AK905-19", text))
        self._groups.append(Group(work.head, tuple(work.transactions), tail, tuple(faults)))

    def _end(self, segment: Segment) -> None:
        self._close_group(None)
        self._tail = segment

    def finish(self) -> Interchange:
        self._close_group(None)
        self._faults.extend(_head_faults(self._head))
        self._faults.extend(self._tail_faults())
        self._faults.extend(self._loose.values())
        return Interchange(
            self._tokens.separators, self._head, tuple(self._acknowledgments),
            tuple(self._groups), self._tail, tuple(self._faults),
        )  # fmt: skip

    def _tail_faults(self) -> Iterator[Refused]:
        if self._tail is None:
            last = self._tokens.segments[-1]
            yield last.refused(0, "TA105-023", "The interchange ends without its IEA segment.")
            return
        if fault := count_fault(self._tail, len(self._groups), "TA105-021", "groups"):
            yield fault
        if self._tail[2] != self._head[13]:
            text = "The interchange's control number differs between ISA13 and IEA02."
            yield self._tail.refused(2, "TA105-001", text)
        if not self._groups and not self._acknowledgments:
            text = "The interchange holds neither a group nor an acknowledgment."
            yield self._tail.refused(0, "TA105-024", text)


def _head_faults(head: Segment) -> Iterator[Refused]:
    for element, code, holds in _HEAD_RULES:
        if not holds(head[element]):
            yield head.refused(element, f"TA105-{code}", "The value is none that is allowed here.")


def _group_faults(work: _OpenGroup, tail: Segment | None) -> Iterator[Refused]:
    head = work.head
    if len(head.elements) != 8 or not _NUMBER(head[6]):
        yield head.refused(6, "AK905-6", "The group has no control number of up to nine digits.")
    if tail is None:
        yield head.refused(0, "AK905-3", "The group ends without its GE segment.")
        return
    if fault := count_fault(tail, len(work.transactions), "AK905-5", "transactions"):
        yield fault
    if tail[2] != head[6]:
        text = "The group's control number differs between GS06 and GE02."
        yield tail.refused(2, "AK905-4", text)


def _transaction_faults(segments: tuple[Segment, ...], numbers: set[str]) -> Iterator[Refused]:
    head, tail = segments[0], segments[-1]
    if not re.fullmatch(r"[0-9]{3}", head[1]):
        yield head.refused(1, "IK502-6", "The transaction does not say which set it is.")
    if not re.fullmatch(r"[A-Za-z0-9]{4,9}", head[2]):
        yield head.refused(2, "IK502-7", "A control number has four to nine characters.")
    if head[2] in numbers:
        text = "The transaction's control number is used twice in the group."
        yield head.refused(2, "IK502-23", text)
    if tail.tag != "SE":
        yield tail.refused(0, "IK502-2", "The transaction ends without its SE segment.")
        return
    if fault := count_fault(tail, len(segments), "IK502-4", "segments"):
        yield fault
    if tail[2] != head[2]:
        text = "The transaction's control number differs between ST02 and SE02."
        yield tail.refused(2, "IK502-3", text)
