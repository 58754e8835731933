"""What records does when other services speak: a booked appointment opens the chart.

The relation lives as long as the appointment stands: it begins with the booking, moves with it to
another clinician, and ends when the appointment is cancelled. Nothing of the appointment is kept
but its hash, as the relation's source.
"""

from polyclinic.contracts.appointments import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentMoved,
)
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.events import Told
from polyclinic.foundation.service import Reaction, Running
from polyclinic.services.records import actions
from polyclinic.services.records.domain import CareRelation


async def open_chart(running: Running, tx: Transaction, told: Told) -> None:
    booked = told.read(AppointmentBooked)
    relation = CareRelation(
        f"Practitioner/{booked.practitioner}",
        f"Patient/{booked.patient}",
        f"Appointment/{booked.appointment}",
        told.at,
        None,
    )
    await actions.relate_in(running.state, tx, [relation])


async def move_chart(running: Running, tx: Transaction, told: Told) -> None:
    moved = told.read(AppointmentMoved)
    source = f"Appointment/{moved.appointment}"
    patient = f"Patient/{moved.patient}"
    if moved.former_practitioner != moved.practitioner:
        former = f"Practitioner/{moved.former_practitioner}"
        closed = CareRelation(former, patient, source, None, told.at)
        await actions.relate_in(running.state, tx, [closed])
    now = CareRelation(f"Practitioner/{moved.practitioner}", patient, source, told.at, None)
    await actions.relate_in(running.state, tx, [now])


async def close_chart(running: Running, tx: Transaction, told: Told) -> None:
    cancelled = told.read(AppointmentCancelled)
    relation = CareRelation(
        f"Practitioner/{cancelled.practitioner}",
        f"Patient/{cancelled.patient}",
        f"Appointment/{cancelled.appointment}",
        None,
        told.at,
    )
    await actions.relate_in(running.state, tx, [relation])


reactions = (
    Reaction("appointments", "AppointmentBooked", open_chart),
    Reaction("appointments", "AppointmentMoved", move_chart),
    Reaction("appointments", "AppointmentCancelled", close_chart),
)
