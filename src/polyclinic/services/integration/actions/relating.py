"""Opens and closes messages about a patient to the clinician of an appointment."""

from collections.abc import Sequence
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
from polyclinic.services.integration.store.relations import Relation


async def open_messages(
    engine: Engine, tx: Transaction, told: Sequence[tuple[datetime, AppointmentBooked]]
) -> None:
    rows = [_row(engine, said.practitioner, said, since=at) for at, said in told]
    await relations.save(tx, rows)


async def move_messages(
    engine: Engine, tx: Transaction, told: Sequence[tuple[datetime, AppointmentMoved]]
) -> None:
    rows: list[Relation] = []
    for at, moved in told:
        if moved.former_practitioner != moved.practitioner:
            rows.append(_row(engine, moved.former_practitioner, moved, until=at))
        rows.append(_row(engine, moved.practitioner, moved, since=at))
    await relations.save(tx, rows)


async def close_messages(
    engine: Engine, tx: Transaction, told: Sequence[tuple[datetime, AppointmentCancelled]]
) -> None:
    rows = [_row(engine, said.practitioner, said, until=at) for at, said in told]
    await relations.save(tx, rows)


def _row(
    engine: Engine,
    practitioner: str,
    said: AppointmentBooked | AppointmentMoved | AppointmentCancelled,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Relation:
    person = engine.server.store.terms.person
    source = blake2b(f"Appointment/{said.appointment}".encode(), digest_size=16).digest()
    whose = person(f"Practitioner/{practitioner}"), person(f"Patient/{said.patient}")
    return Relation(*whose, source, since, until)
