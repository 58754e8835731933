"""Leaves: what a row of a trail says, read from its canonical bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from polyclinic.foundation.errors import Problem
from polyclinic.standards.transparency.merkle import leaf_hash

WIDTH = 256  # leaves below a node that is kept; 8 levels of the tree at a time


class BadTrail(Problem):
    """A trail says something that no trail says."""


class _Row(msgspec.Struct, frozen=True):
    """What every row has; the rest depends on the trail."""

    source: str
    generation: int
    tx: int
    position: int
    at: datetime
    patient: int | None = None
    actor: str | None = None
    account_id: str | None = None
    client_id: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A leaf, as it is kept."""

    source: str
    generation: int
    tx: int
    position: int
    at: datetime
    patient: int | None
    actor: str
    leaf: bytes
    body: bytes

    @property
    def spot(self) -> tuple[int, int, int]:
        return self.generation, self.tx, self.position


def entry_of(source: str, body: bytes) -> Entry:
    """The leaf of a row; raises BadTrail when it is none of this trail."""
    try:
        row = msgspec.json.decode(body, type=_Row)
    except (msgspec.DecodeError, UnicodeDecodeError) as odd:
        raise BadTrail(f"A row of {source} cannot be read.", place=source) from odd
    if row.source != source:
        raise BadTrail(f"A row of {row.source} stands in {source}.", place=source)
    actor = row.actor or row.account_id or row.client_id or ""
    return Entry(
        source, row.generation, row.tx, row.position, row.at, row.patient, actor,
        leaf_hash(body), body,
    )  # fmt: skip


def entries_of(source: str, after: tuple[int, int, int], rows: Sequence[bytes]) -> list[Entry]:
    """Leaves of a page; raises BadTrail unless they go on from `after` in order."""
    found = [entry_of(source, row) for row in rows]
    last = after
    for each in found:
        if each.spot <= last:
            raise BadTrail(f"The rows of {source} are out of order.", place=source)
        last = each.spot
    return found
