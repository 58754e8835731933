"""Interchanges hold groups, groups hold transactions; a fault spoils only what it stands in."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from polyclinic.standards.x12.assembly import Group, Interchange, Transaction, assemble
from polyclinic.standards.x12.refused import Position, Refused
from polyclinic.standards.x12.tokens import STANDARD, Segment, render, tokenize

__all__ = [
    "CONTROL_NUMBER_MAX", "Envelope", "Group", "Interchange", "Party", "Transaction",
    "good_transactions", "parse", "parse_all", "refusals", "wrap", "write",
]  # fmt: skip

CONTROL_NUMBER_MAX = 999_999_999  # ISA13 has nine digits


@dataclass(frozen=True, slots=True)
class Party:
    """A trading partner as ISA names it: `qualifier` is ISA05/07, `code` GS02/03 if it differs."""

    id: str
    qualifier: str = "ZZ"
    code: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What ISA and GS say of a file to be written; control numbers come from the caller's count."""

    sender: Party
    receiver: Party
    made_at: datetime
    control_number: int
    group_control_number: int = 1
    usage: str = "P"  # P is production, T is test
    acknowledgment_requested: bool = True
    line_end: str = ""


def parse(data: bytes) -> Interchange:
    """The one interchange of a file: `write(parse(x)) == x` whenever nothing in it is at fault.

    Refused only where there is no envelope to speak of; everything else stands in `faults`.
    """
    first, *others = parse_all(data)
    if others:
        raise others[0].head.refused(0, "TA105-022", "The file holds a second interchange.")
    return first


def parse_all(data: bytes) -> tuple[Interchange, ...]:
    return tuple(assemble(tokens) for tokens in tokenize(data))


def write(interchange: Interchange) -> bytes:
    """The bytes of the interchange. Refused when a value holds one of its separators."""
    return render(interchange.segments(), interchange.separators)


def good_transactions(interchange: Interchange) -> Iterator[tuple[Group, Transaction]]:
    """The transactions that may be read on: sound themselves, in a sound group and envelope."""
    if interchange.faults:
        return
    for group in interchange.groups:
        if not group.faults:
            yield from ((group, each) for each in group.transactions if not each.faults)


def refusals(interchange: Interchange) -> tuple[Refused, ...]:
    """Every structural fault, from the envelope inwards."""
    found = list(interchange.faults)
    for group in interchange.groups:
        found.extend(group.faults)
        for transaction in group.transactions:
            found.extend(transaction.faults)
    return tuple(found)


def wrap(
    envelope: Envelope, functional_id: str, version: str, bodies: Iterable[Sequence[Segment]]
) -> Interchange:
    """Puts ISA, GS, ST and their trailers around bodies; each begins with its own ST segment.

    A body's ST carries no control number yet (ST02 is given here, 0001 and on); the positions
    and line ends are those of the file as it will be written.
    """
    line_end = envelope.line_end
    transactions: list[Transaction] = []
    for number, body in enumerate(bodies, 1):
        control = f"{number:04d}"
        start = Segment("ST", (body[0][1], control, *body[0].elements[2:]))
        end = Segment("SE", (str(len(body) + 1), control))
        lines = (start, *body[1:], end)
        transactions.append(Transaction(tuple(replace(each, line_end=line_end) for each in lines)))
    group_number = str(envelope.group_control_number)
    head = Segment("GS", _group_head(envelope, functional_id, version), line_end=line_end)
    tail = Segment("GE", (str(len(transactions)), group_number), line_end=line_end)
    return seal(envelope, (Group(head, tuple(transactions), tail),))


def seal(
    envelope: Envelope, groups: tuple[Group, ...], acknowledgments: tuple[Segment, ...] = ()
) -> Interchange:
    """Puts ISA and IEA around groups and TA1 segments that are ready."""
    if not 0 < envelope.control_number <= CONTROL_NUMBER_MAX:
        text = "An interchange control number has nine digits."
        raise Refused("ISA", 13, Position(0, 0), "TA105-018", text)
    head = Segment("ISA", _interchange_head(envelope), line_end=envelope.line_end)
    tail = Segment(
        "IEA", (str(len(groups)), f"{envelope.control_number:09d}"), line_end=envelope.line_end
    )
    return Interchange(STANDARD, head, acknowledgments, groups, tail)


def _interchange_head(envelope: Envelope) -> tuple[str, ...]:
    for element, party in ((6, envelope.sender), (8, envelope.receiver)):
        if not 0 < len(party.id) <= 15 or len(party.qualifier) != 2:
            text = "A partner has an id of at most 15 characters and a qualifier of two."
            raise Refused("ISA", element, Position(0, 0), "TA105-006", text)
    at = envelope.made_at
    return (
        "00", " " * 10, "00", " " * 10,
        envelope.sender.qualifier, f"{envelope.sender.id:15}",
        envelope.receiver.qualifier, f"{envelope.receiver.id:15}",
        f"{at:%y%m%d}", f"{at:%H%M}", STANDARD.repetition, "00501",
        f"{envelope.control_number:09d}", "01"[envelope.acknowledgment_requested],
        envelope.usage, STANDARD.component,
    )  # fmt: skip


def _group_head(envelope: Envelope, functional_id: str, version: str) -> tuple[str, ...]:
    sender, receiver, at = envelope.sender, envelope.receiver, envelope.made_at
    return (
        functional_id, sender.code or sender.id, receiver.code or receiver.id,
        f"{at:%Y%m%d}", f"{at:%H%M}", str(envelope.group_control_number), "X", version,
    )  # fmt: skip
