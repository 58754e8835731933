"""Sets up the clinic's week: the whole document is taken, or none of it."""

from dataclasses import dataclass
from typing import Any

import msgspec

from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Stale
from polyclinic.services.appointments.actions.keeping import atomically
from polyclinic.services.appointments.actions.state import Desk, Visitor, draft
from polyclinic.services.appointments.domain import access, resources
from polyclinic.services.appointments.domain.checking import check
from polyclinic.services.appointments.domain.setup import Setup
from polyclinic.services.appointments.store import setups

SCHEDULE = "Schedule"


@dataclass(frozen=True, slots=True)
class SetUp:
    """A set-up in force."""

    version: int
    setup: Setup


async def current(desk: Desk) -> SetUp:
    """The set-up as it is; everybody who signs in may read it, for it names nobody's visits."""
    world = await desk.world()
    return SetUp(world.version, world.setup)


async def replace_setup(
    desk: Desk, visitor: Visitor, setup: Setup, if_version: int | None
) -> SetUp:
    """Puts a new set-up in force; what is booked stays as it is."""
    access.check_setup(visitor.caller)
    check(setup)
    document = msgspec.json.encode(setup)
    before = await desk.world()

    async def act(tx: Transaction) -> int:
        version = await setups.lock_newest(tx)
        if if_version is not None and if_version != version:
            raise Stale
        await setups.number(tx, "clinician", [c.practitioner for c in setup.clinicians])
        await setups.number(tx, "room", [room.id for room in setup.rooms])
        await setups.add(tx, version + 1, visitor.caller.subject, document)
        await _write_schedules(desk, tx, visitor, (before.setup, setup))
        return version + 1

    version = await atomically(desk, act)
    desk.worlds.forget()
    desk.calendar.forget()
    return SetUp(version, setup)


async def _write_schedules(
    desk: Desk, tx: Transaction, visitor: Visitor, change: tuple[Setup, Setup]
) -> None:
    """One Schedule a clinician; of one who left it stays, inactive."""
    before, now = change
    listed = [resources.schedule(now, n) for n in range(len(now.clinicians))]
    kept = {each["id"] for each in listed}
    for n in range(len(before.clinicians)):
        former: dict[str, Any] = resources.schedule(before, n)
        if former["id"] not in kept:
            listed.append({**former, "active": False})
    drafts = [draft(visitor.errand, SCHEDULE, each) for each in listed]
    for each in drafts:
        desk.server.store.drafting.index(each)
    await desk.server.store.apply(tx, drafts)
