"""What is taken, remembered for a moment: good for showing openings, never for giving them."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from polyclinic.foundation.database import Database
from polyclinic.services.appointments.domain.atoms import DAY, Range, mask
from polyclinic.services.appointments.domain.openings import MARGIN
from polyclinic.services.appointments.domain.values import Place
from polyclinic.services.appointments.store import appointments
from polyclinic.services.appointments.store.places import Held

WEEKS = 28 * DAY  # what people look through; one load serves every question within it
KNOWN_MAX = 4096


@dataclass(slots=True)
class Busy:
    """The taken atoms of one clinician or room over a span, bit 0 being the span's first."""

    until: float
    span: Range
    bits: int
    shared: dict[tuple[str, int], int]  # visit type and beginning → seats taken


_NOTHING = Busy(0.0, Range(0, 0), 0, {})


class Calendar:
    """A short-lived picture; bookings of this process change it at once."""

    def __init__(self, database: Database, fresh_seconds: float) -> None:
        self._database, self._fresh = database, fresh_seconds
        self._known: dict[tuple[str, int], Busy] = {}
        self._one_at_a_time = {"clinician": asyncio.Lock(), "room": asyncio.Lock()}
        self.generation = 0  # counts every change of the picture

    async def busy(self, kind: str, numbers: Sequence[int], asked: Range) -> dict[int, Busy]:
        """What is taken, at most `fresh_seconds` old; one load at a time."""
        if any(self.peek(kind, number, asked) is None for number in numbers):
            async with self._one_at_a_time[kind]:
                lacking = [n for n in numbers if self.peek(kind, n, asked) is None]
                if lacking:
                    await self._load(kind, lacking, asked)
        return {number: self._known.get((kind, number)) or _NOTHING for number in numbers}

    def peek(self, kind: str, number: int, asked: Range) -> Busy | None:
        """What is known without asking the database."""
        found = self._known.get((kind, number))
        if found is None or found.until < asyncio.get_running_loop().time():
            return None
        covers = found.span.first <= asked.first - MARGIN and asked.last + MARGIN <= found.span.last
        return found if covers else None

    def take(self, place: Place) -> None:
        """A place was given: whoever looks in this process sees it."""
        if place.is_shared:
            self.drop(place)
            return
        for key in _keys(place):
            busy = self._known.get(key)
            if busy is not None:
                first, last = (max(at - busy.span.first, 0) for at in place.around)
                busy.bits |= mask(first, last)
        self.generation += 1

    def drop(self, place: Place | Held, rooms: Iterable[int] = ()) -> None:
        """Something was given back: what is known of it (and of `rooms`) is out of date."""
        for key in (*_keys(place), *(("room", room) for room in rooms)):
            self._known.pop(key, None)
        self.generation += 1

    def forget(self) -> None:
        """Everything is looked at anew."""
        self._known.clear()
        self.generation += 1

    async def _load(self, kind: str, numbers: list[int], asked: Range) -> None:
        first = asked.first - asked.first % DAY - DAY
        span = Range(first, max(asked.last, asked.first + WEEKS) + DAY)
        before = self.generation
        until = asyncio.get_running_loop().time() + self._fresh
        rows = await appointments.taken(self._database, kind, numbers, span)
        shared = (
            await appointments.shared(self._database, numbers, span) if kind == "clinician" else []
        )
        if len(self._known) + len(numbers) > KNOWN_MAX:
            self._known.clear()
        if self.generation != before:
            until = 0.0  # something was given meanwhile: good for this once, not to be kept
        found = {n: Busy(until, span, 0, {}) for n in numbers}
        for row in rows:
            found[row["number"]].bits = _bits(zip(row["firsts"], row["lasts"], strict=True), span)
        for row in shared:
            found[row["clinician"]].shared[row["visit_type"], row["start_at"]] = row["seats"]
        self._known.update({(kind, number): busy for number, busy in found.items()})
        self.generation += 1


def _bits(runs: Iterable[tuple[int, int]], span: Range) -> int:
    found = 0
    for first, last in runs:
        found |= mask(max(first - span.first, 0), max(last - span.first, 0))
    return found


def _keys(place: Place | Held) -> list[tuple[str, int]]:
    room = [("room", place.room)] if place.room is not None else []
    return [("clinician", place.clinician), *room]
