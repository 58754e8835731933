"""What a file of a payer is, and what became of it."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from polyclinic.standards.x12.assembly import Group
from polyclinic.standards.x12.envelope import parse_all
from polyclinic.standards.x12.refused import Refused
from polyclinic.standards.x12.tokens import Segment

# GS01 of 005010: functional acknowledgment, claim acknowledgment, claim payment.
_KINDS = {"FA": "999", "HN": "277CA", "HP": "835"}
# What an 835 (CLP01) and a 277CA (TRN02) speak of is told even where they are not sound.
_NAMES = {"CLP": 1, "TRN": 2}
_PARTS = frozenset({"CLP", "SVC", "STC"})
TOLD_MAX = 5


@dataclass(frozen=True, slots=True)
class Received:
    """`status` is taken, held (it waits for a person) or refused (it is not what it should be)."""

    status: str
    problem: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file as its envelope tells it; `payer` is the one that signs with `sender` (ISA06)."""

    file: UUID
    content: bytes
    kind: str
    control: str | None = None
    sender: str = ""
    payer: str | None = None
    named: tuple[str, ...] = ()  # numbers of claims, ours or not
    parts: int = 0  # claims and lines


def incoming(file: UUID, content: bytes) -> Incoming:
    """Of the kind `unknown` when there is no envelope that could be read."""
    try:
        interchanges = parse_all(content)
    except Refused:
        return Incoming(file, content, "unknown")
    first = interchanges[0]
    groups = [group for interchange in interchanges for group in interchange.groups]
    if groups:
        kind = _KINDS.get(groups[0].functional_id, "unknown")
    else:
        kind = "TA1" if any(each.acknowledgments for each in interchanges) else "unknown"
    named = tuple(sorted({each[_NAMES[each.tag]] for each in _segments(groups, _NAMES)}))
    parts = sum(1 for _ in _segments(groups, _PARTS))
    return Incoming(
        file, content, kind, first.control_number, first.sender_id, None, named, parts
    )  # fmt: skip


def _segments(groups: Iterable[Group], tags: Collection[str]) -> Iterator[Segment]:
    for group in groups:
        for transaction in group.transactions:
            yield from (segment for segment in transaction.segments if segment.tag in tags)


def told(refused: Iterable[Refused]) -> str:
    """The first faults as sentences; they name segments and positions and quote nothing."""
    several = list(refused)
    more = f" And {len(several) - TOLD_MAX} more." if len(several) > TOLD_MAX else ""
    return " ".join(str(each) for each in several[:TOLD_MAX]) + more
