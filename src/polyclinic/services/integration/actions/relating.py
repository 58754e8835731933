"""Opens and closes messages about a patient to the clinician of an appointment."""

from datetime import datetime
from hashlib import blake2b

from polyclinic.contracts.appointments import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentMoved,
)
from polyclinic.foundation.database import Transaction
from polyclinic.services.integration.actions.state import Engine
from polyclinic.services.integration.store import relations


async def open_messages(
    engine: Engine, tx: Transaction, at: datetime, booked: AppointmentBooked
) -> None:
    row = _row(engine, booked.practitioner, booked)
    await relations.save(tx, *row, since=at, until=None)


async def move_messages(
    engine: Engine, tx: Transaction, at: datetime, moved: AppointmentMoved
) -> None:
    if moved.former_practitioner != moved.practitioner:
        former = _row(engine, moved.former_practitioner, moved)
        await relations.save(tx, *former, since=None, until=at)
    row = _row(engine, moved.practitioner, moved)
    await relations.save(tx, *row, since=at, until=None)


async def close_messages(
    engine: Engine, tx: Transaction, at: datetime, cancelled: AppointmentCancelled
) -> None:
    row = _row(engine, cancelled.practitioner, cancelled)
    await relations.save(tx, *row, since=None, until=at)


def _row(
    engine: Engine,
    practitioner: str,
    said: AppointmentBooked | AppointmentMoved | AppointmentCancelled,
) -> tuple[int, int, bytes]:
    person = engine.server.store.terms.person
    source = blake2b(f"Appointment/{said.appointment}".encode(), digest_size=16).digest()
    return person(f"Practitioner/{practitioner}"), person(f"Patient/{said.patient}"), source
