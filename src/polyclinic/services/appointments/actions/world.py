"""The set-up in force, with everybody's number; looked at anew every second."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

import msgspec

from polyclinic.foundation.database import Database
from polyclinic.services.appointments.domain.atoms import Range
from polyclinic.services.appointments.domain.hours import Offer, offers
from polyclinic.services.appointments.domain.problems import NotOffered
from polyclinic.services.appointments.domain.setup import Clinician, Setup, VisitType
from polyclinic.services.appointments.domain.values import Place
from polyclinic.services.appointments.store import setups

FRESH_SECONDS = 1.0
_OFFERS_MAX = 4096


@dataclass(slots=True)
class World:
    """One version of the set-up, ready for questions."""

    version: int
    setup: Setup
    numbers: dict[str, int]
    room_numbers: dict[str, int]
    visits: dict[str, VisitType]
    clinicians: dict[str, Clinician]
    _offers: OrderedDict[tuple[str, str, Range], tuple[Offer, ...]] = field(
        default_factory=OrderedDict[tuple[str, str, Range], tuple[Offer, ...]]
    )

    @classmethod
    def of(cls, kept: setups.KeptSetup) -> "World":
        setup = msgspec.json.decode(kept.document, type=Setup)
        return cls(
            kept.version,
            setup,
            kept.clinicians,
            kept.rooms,
            {each.id: each for each in setup.visit_types},
            {each.practitioner: each for each in setup.clinicians},
        )

    def visit(self, name: str) -> VisitType:
        if name not in self.visits:
            raise NotOffered("The clinic has no such visit type.", place="visit_type")
        return self.visits[name]

    def clinician(self, practitioner: str) -> Clinician:
        if practitioner not in self.clinicians:
            raise NotOffered("This clinician has no hours here.", place="practitioner")
        return self.clinicians[practitioner]

    def rooms(self, visit: VisitType) -> dict[str, tuple[int, ...]]:
        """The numbers of the rooms that would do, by site."""
        found: dict[str, tuple[int, ...]] = {}
        for room in self.setup.rooms:
            if room.kind == visit.room_kind:
                found[room.site] = (*found.get(room.site, ()), self.room_numbers[room.id])
        return found

    def rooms_for(self, place: Place) -> tuple[int, ...]:
        """Every room in which the visit may end up."""
        visit = self.visits.get(place.visit_type)
        return self.rooms(visit).get(place.site, ()) if visit and visit.room_kind else ()

    def offers(self, clinician: Clinician, visit: VisitType, asked: Range) -> tuple[Offer, ...]:
        """The hours of a clinician for a visit type; `asked` should be whole days."""
        key = (clinician.practitioner, visit.id, asked)
        found = self._offers.get(key)
        if found is None:
            found = self._offers[key] = offers(self.setup, clinician, visit, asked)
            if len(self._offers) > _OFFERS_MAX:
                self._offers.popitem(last=False)
        return found

    def name_of(self, number: int) -> str | None:
        """The practitioner behind a number."""
        return next((name for name, known in self.numbers.items() if known == number), None)


class Worlds:
    """Holds the newest world; one look at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._world: World | None = None
        self._until = 0.0
        self._one_at_a_time = asyncio.Lock()

    async def now(self) -> World:
        if self._world is not None and asyncio.get_running_loop().time() < self._until:
            return self._world
        async with self._one_at_a_time:
            loop = asyncio.get_running_loop()
            if self._world is not None and loop.time() < self._until:
                return self._world
            version = await setups.newest_version(self._database)
            if self._world is None or self._world.version != version:
                self._world = World.of(await setups.load(self._database))
            self._until = loop.time() + FRESH_SECONDS
            return self._world

    def forget(self) -> None:
        """The next question looks at the database."""
        self._until = 0.0
