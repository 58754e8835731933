"""Looks for what must never be found, and clears away what has ended."""

from datetime import datetime

from polyclinic.foundation import once as keys
from polyclinic.services.appointments.actions import waiting
from polyclinic.services.appointments.actions.state import Desk
from polyclinic.services.appointments.domain.atoms import DAY, atom_of
from polyclinic.services.appointments.store import appointments


async def audit(desk: Desk, now: datetime) -> dict[str, int]:
    """Overlaps of patients, rooms and clinicians, and atoms of nobody, from a week ago on."""
    return await appointments.audit(desk.running.database, atom_of(now) - 7 * DAY)


async def settle(desk: Desk) -> None:
    """Wishes come true, offers over, and answers that nobody will ask for again."""
    await waiting.settle(desk)
    await keys.sweep(desk.running.database, desk.settings.idempotency_hours)
