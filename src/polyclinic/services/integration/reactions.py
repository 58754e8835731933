"""What integration does when others speak: whoever wants to be told is told.

And a booked appointment opens the messages about its patient to its clinician.
"""

import uuid
from collections.abc import Sequence

from polyclinic.contracts.appointments import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentMoved,
)
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.events import Told
from polyclinic.foundation.service import React, Reaction, Running
from polyclinic.services.integration.actions import relating
from polyclinic.services.integration.actions.state import Engine
from polyclinic.services.integration.domain import telling
from polyclinic.services.integration.store import deliveries


async def tell(running: Running, tx: Transaction, told: Sequence[Told]) -> None:
    """One row for each receiver, in the transaction that notes the event: neither is lost."""
    engine: Engine = running.state
    await deliveries.tell(
        tx,
        [
            telling.said(
                uuid.UUID(each.id), (each.source, each.kind, each.subject), each.at, each.data
            )
            for each in told
        ],
    )
    engine.courier.wake.set()


async def booked(running: Running, tx: Transaction, told: Sequence[Told]) -> None:
    read = [(each.at, each.read(AppointmentBooked)) for each in told]
    await relating.open_messages(running.state, tx, read)
    await tell(running, tx, told)


async def moved(running: Running, tx: Transaction, told: Sequence[Told]) -> None:
    read = [(each.at, each.read(AppointmentMoved)) for each in told]
    await relating.move_messages(running.state, tx, read)
    await tell(running, tx, told)


async def cancelled(running: Running, tx: Transaction, told: Sequence[Told]) -> None:
    read = [(each.at, each.read(AppointmentCancelled)) for each in told]
    await relating.close_messages(running.state, tx, read)
    await tell(running, tx, told)


_DOES_MORE: dict[tuple[str, str], React] = {
    ("appointments", "AppointmentBooked"): booked,
    ("appointments", "AppointmentMoved"): moved,
    ("appointments", "AppointmentCancelled"): cancelled,
}
reactions = tuple(
    Reaction(source, kind, _DOES_MORE.get((source, kind), tell))
    for source, kinds in telling.SAID.items()
    for kind in kinds
)
