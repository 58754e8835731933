"""A batch of bookings: no two of a round want the same atom, and one statement takes for all."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

import msgspec

from polyclinic.foundation import once as keys
from polyclinic.foundation import telemetry
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Conflict, Problem
from polyclinic.foundation.once import Once, Stored, TooManyRaces
from polyclinic.foundation.outbox import announce
from polyclinic.services.appointments.actions import keeping, shown
from polyclinic.services.appointments.actions.keeping import Kept
from polyclinic.services.appointments.actions.said import booked
from polyclinic.services.appointments.actions.state import Desk
from polyclinic.services.appointments.actions.wants import wants
from polyclinic.services.appointments.store import places
from polyclinic.services.appointments.store.places import Asked, Took, Want
from polyclinic.services.appointments.store.races import OVERLAP, RACES

Atoms = frozenset[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Batched:
    """One booking of a batch."""

    kept: Kept
    once: Once | None
    now: datetime
    is_held: bool = False  # its own hold has the place, so that it wins where others lose

    def asked(self) -> Asked:
        found = self.kept.appointment
        return Asked(found.id, wants(found.place, found.person), self.once)

    def atoms(self) -> Atoms:
        return frozenset(
            (want.resource, at)
            for want in self.asked().wants
            for at in range(want.first, want.last)
        )

    def meets(self, gone: AbstractSet[Want]) -> frozenset[int]:
        """Of what of it somebody outside of this batch has the very same run."""
        if self.is_held:
            return frozenset()
        return frozenset(want.resource for want in self.asked().wants if want in gone)


class Lost(Conflict):
    """Somebody else has some of these atoms."""

    def __init__(self, lacking: frozenset[int]) -> None:
        super().__init__()
        self.lacking = lacking


async def book_batch(desk: Desk, asks: list[Batched]) -> Sequence[Stored | Problem]:
    """Answers each; who meets a winner of the same batch, or wants just what one of it did not
    get, has lost without another question: a hot place costs a batch one look, not one each."""
    answers: dict[int, Stored | Problem] = {}
    waiting = {n: ask.atoms() for n, ask in enumerate(asks)}
    while waiting:
        chosen = _apart(waiting)
        for n, answer in zip(chosen, await _round(desk, [asks[n] for n in chosen]), strict=True):
            answers[n] = answer
        won = {atom for n in chosen if isinstance(answers[n], Stored) for atom in waiting[n]}
        for n in chosen:
            del waiting[n]
        for n in [n for n, atoms in waiting.items() if atoms & won]:
            answers[n] = Lost(frozenset(resource for resource, _ in waiting.pop(n) & won))
        gone = {want for n in chosen for want in _not_got(desk, asks[n], answers[n])}
        for n in [n for n in waiting if asks[n].meets(gone)]:
            del waiting[n]
            answers[n] = Lost(asks[n].meets(gone))
    return [answers[n] for n in range(len(asks))]


def _not_got(desk: Desk, ask: Batched, answer: Stored | Problem) -> list[Want]:
    """What somebody else has of it; the picture that showed it as free is out of date."""
    if not isinstance(answer, Lost):
        return []
    found = ask.kept.appointment
    if answer.lacking - {found.person}:
        desk.calendar.drop(found.place)
    return [want for want in ask.asked().wants if want.resource in answer.lacking]


def _apart(waiting: dict[int, Atoms]) -> list[int]:
    """The first of all who want the same: a statement may not touch an atom twice."""
    seen: set[tuple[int, int]] = set()
    chosen: list[int] = []
    for n, atoms in waiting.items():
        if not atoms & seen:
            chosen.append(n)
            seen |= atoms
    return chosen


async def _round(desk: Desk, asks: list[Batched]) -> list[Stored | Problem]:
    for _ in range(keeping.ATTEMPTS):
        try:
            return await _once(desk, asks)
        except OVERLAP:
            # Never seen: the auditor found what the atoms let pass. A bug, and nobody's place.
            telemetry.log("auditor refused a booking", table="appointment", count=len(asks))
            if len(asks) == 1:
                return [Lost(frozenset({asks[0].kept.appointment.place.clinician}))]
        except RACES:
            if len(asks) == 1:
                continue
        return [answer for ask in asks for answer in await _round(desk, [ask])]
    return [TooManyRaces()]


async def _once(desk: Desk, asks: list[Batched]) -> list[Stored | Problem]:
    world = await desk.world()
    stored = [
        Stored(
            201, msgspec.json.encode({"appointment": shown.appointment(world, a.kept.appointment)})
        )
        for a in asks
    ]
    await desk.server.store.keys.of_owners(
        desk.running.vault.owner("patient", a.kept.appointment.patient.partition("/")[2])
        for a in asks
    )
    async with desk.running.database.transaction() as tx:
        took = await places.take(tx, [ask.asked() for ask in asks])
        await _give_back(tx, asks, took)
        won = [n for n, each in enumerate(took) if each.is_new and not each.lacking]
        if won:
            await _keep(desk, tx, [(asks[n], stored[n]) for n in won])
    for n in won:
        desk.calendar.take(asks[n].kept.appointment.place)
    repeated = [
        ask.once.name for ask, t in zip(asks, took, strict=True) if ask.once and not t.is_new
    ]
    known = await keys.find(desk.running.database, repeated) if repeated else {}
    return [_answer(*row, known) for row in zip(asks, took, stored, strict=True)]


async def _give_back(tx: Transaction, asks: list[Batched], took: list[Took]) -> None:
    """A loser keeps nothing: no atoms, no hold, no claim of its key."""
    lost = [ask for ask, each in zip(asks, took, strict=True) if each.is_new and each.lacking]
    if lost:
        names = [ask.once.name for ask in lost if ask.once]
        await places.give_back(tx, [ask.kept.appointment.id for ask in lost], names)


async def _keep(desk: Desk, tx: Transaction, won: list[tuple[Batched, Stored]]) -> None:
    kept = [ask.kept for ask, _ in won]
    await keeping.add(desk, tx, kept, won[0][0].now)
    await announce(tx, *(booked(each.appointment) for each in kept))
    await keys.answer(tx, [(ask.once, stored) for ask, stored in won if ask.once])


def _answer(
    ask: Batched, took: Took, stored: Stored, known: dict[bytes, keys.Answered]
) -> Stored | Problem:
    if not took.is_new:
        assert ask.once is not None
        try:
            return keys.checked(ask.once, known.get(ask.once.name))
        except Problem as refused:
            return refused
    return Lost(took.lacking) if took.lacking else stored


async def remember(desk: Desk, given: list[tuple[Once, Stored]]) -> Sequence[Stored | Problem]:
    """Keeps refusals, so that a repeated request hears the same; answers what stands."""
    first = {once.name: (once, stored) for once, stored in reversed(given)}
    new = await keys.remember(desk.running.database, list(first.values()))
    old = [name for name in first if name not in new]
    known = await keys.find(desk.running.database, old) if old else {}
    answers: list[Stored | Problem] = []
    for once, _ in given:
        if once.name in new:
            answers.append(first[once.name][1])
            continue
        try:
            answers.append(keys.checked(once, known.get(once.name)))
        except Problem as refused:
            answers.append(refused)
    return answers
