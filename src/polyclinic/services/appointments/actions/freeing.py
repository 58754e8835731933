"""Gives places back; a visit that was booked over a taken time gets what is free of it now."""

from collections.abc import Sequence

from polyclinic.foundation.database import Transaction
from polyclinic.services.appointments.actions.wants import session_of, wants
from polyclinic.services.appointments.domain.values import Place
from polyclinic.services.appointments.store import appointments, places
from polyclinic.services.appointments.store.places import Asked, Held


async def end_holds(tx: Transaction, ended: Sequence[Held]) -> None:
    """Held places are free again; the holds are locked, and what was confirmed stays."""
    await places.end_holds(tx, [each.id for each in ended])
    for each in ended:
        await vacated(tx, each)


async def vacated(tx: Transaction, left: Place | Held) -> None:
    """Somebody's own atoms of a place were given back: sees to those who shared or wanted it."""
    if left.is_shared:
        await _end_session(tx, left)
    # Whoever overbooks meanwhile has locked the atoms that were given back, so is seen here.
    for over in await appointments.lock_overbooked(tx, left.clinician, left.room, left.around):
        await places.take(tx, [Asked(over.id, wants(over.place, None), None)])


async def _end_session(tx: Transaction, left: Place | Held) -> None:
    """When the last member of a shared visit has gone, the clinician is free again."""
    session = session_of(left.clinician, left.visit_type, left.start)
    await places.lock_atoms(tx, session)
    # Whoever took a seat meanwhile had to lock the same atoms first, so this sees the seat.
    if not await places.taken_seats(tx, left.clinician, left.start):
        await places.release(tx, session)
