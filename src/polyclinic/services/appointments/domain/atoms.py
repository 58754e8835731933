"""Time in atoms: five minutes each, numbered since 1970 in UTC; a visit is a run of them."""

from datetime import UTC, datetime
from typing import NamedTuple

MINUTES = 5  # the finest step of any clinic's grid that we found; also what a unique key locks
SECONDS = MINUTES * 60
DAY = 24 * 60 // MINUTES


class Range(NamedTuple):
    """Atoms from `first` up to, but without, `last`."""

    first: int
    last: int


def atom_of(moment: datetime) -> int:
    """The atom in which a moment lies."""
    return int(moment.timestamp()) // SECONDS


def atom_from(moment: datetime) -> int:
    """The first atom that begins at the moment or after it."""
    return -(-int(moment.timestamp()) // SECONDS)


def begins_atom(moment: datetime) -> bool:
    return moment.timestamp() % SECONDS == 0


def moment_of(atom: int) -> datetime:
    return datetime.fromtimestamp(atom * SECONDS, UTC)


def atoms_of(minutes: int) -> int:
    """How many atoms these minutes take; a begun atom counts whole."""
    return -(-minutes // MINUTES)


def mask(first: int, last: int) -> int:
    """A number whose bits `first` to `last - 1` are set."""
    return ((1 << (last - first)) - 1) << first if last > first else 0
