"""Openings: what the hours offer and nobody has taken, for one clinician or the first of many."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import islice
from typing import NamedTuple

from polyclinic.services.appointments.domain.atoms import Range, atoms_of, mask
from polyclinic.services.appointments.domain.hours import Offer
from polyclinic.services.appointments.domain.setup import VisitType


class Shape(NamedTuple):
    """A visit in atoms: how long it is, and what stays free around it."""

    length: int
    before: int
    after: int

    @classmethod
    def of(cls, visit: VisitType) -> "Shape":
        return cls(atoms_of(visit.minutes), atoms_of(visit.before), atoms_of(visit.after))


class Opening(NamedTuple):
    """A place that can be booked; the earliest, then the first clinician by name, comes first."""

    start: int
    practitioner: str
    site: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What stands in the way, as bits from the asked range's first atom less `margin`."""

    clinician: int = 0
    # For each room that would do, by site: a visit needs one that is free throughout.
    rooms: dict[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    # Beginnings of shared visits of this very type that have seats left.
    joinable: int = 0


MARGIN = 64  # atoms before the asked range whose bookings may reach into it: buffers end at 4 hours


def starts(offer: Offer, shape: Shape, taken: Taken, width: int, *, needs_room: bool) -> int:
    """Bits of the atoms at which a visit may begin."""
    possible = offer.starts & _runs(offer.open, shape.length)
    alone = possible & _fits(taken.clinician, shape, width)
    if needs_room:
        free = 0
        for room in taken.rooms.get(offer.site, ()):
            free |= _fits(room, shape, width)
        alone &= free
    return alone | (possible & taken.joinable)


def openings(
    practitioner: str,
    offers: Iterable[Offer],
    places: Iterable[int],
    asked: Range,
) -> Iterator[Opening]:
    """The openings of one clinician, in order; `places` are the `starts` of each offer."""
    found = [
        _listed(bits, practitioner, offer.site, asked.first)
        for offer, bits in zip(offers, places, strict=True)
    ]
    return merge(*found)


def first_openings(many: Sequence[Iterator[Opening]], limit: int) -> list[Opening]:
    """The first of all of them."""
    return list(islice(merge(*many), limit))


def nearest(found: Iterable[Opening], start: int, limit: int) -> list[Opening]:
    """Those closest to a moment, in the order of the clock."""
    return sorted(sorted(found, key=lambda o: (abs(o.start - start), o))[:limit])


def _listed(bits: int, practitioner: str, site: str, base: int) -> Iterator[Opening]:
    while bits:
        low = bits & -bits
        yield Opening(base + low.bit_length() - 1, practitioner, site)
        bits ^= low


def _runs(bits: int, length: int) -> int:
    """Where a run of `length` set bits begins."""
    have = 1
    while have < length:
        step = min(have, length - have)
        bits &= bits >> step
        have += step
    return bits


def _fits(taken: int, shape: Shape, width: int) -> int:
    """Where a visit and its buffers meet nothing; `taken` begins MARGIN bits before the range."""
    total = shape.before + shape.length + shape.after
    free = mask(0, width + 2 * MARGIN + shape.length) & ~taken
    return _runs(free, total) >> (MARGIN - shape.before)
