"""What records does when other services speak: a booked appointment opens the chart.

The relation lives as long as the appointment stands: it begins with the booking, moves with it to
another clinician, and ends when the appointment is cancelled. Nothing of the appointment is kept
but its hash, as the relation's source.
"""

from collections.abc import Sequence

from polyclinic.contracts.appointments import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentMoved,
)
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.events import Told
from polyclinic.foundation.service import Reaction, Running
from polyclinic.services.records.actions import relating
from polyclinic.services.records.domain import CareRelation


async def open_chart(running: Running, tx: Transaction, told: Sequence[Told]) -> None:
    relations = list[CareRelation]()
    for each in told:
        booked = each.read(AppointmentBooked)
        practitioner, patient = _people(booked.practitioner, booked.patient)
        source = f"Appointment/{booked.appointment}"
        relations.append(CareRelation(practitioner, patient, source, each.at, None))
    await relating.relate_in(running.state, tx, relations)


async def move_chart(running: Running, tx: Transaction, told: Sequence[Told]) -> None:
    relations = list[CareRelation]()
    for each in told:
        moved = each.read(AppointmentMoved)
        source = f"Appointment/{moved.appointment}"
        practitioner, patient = _people(moved.practitioner, moved.patient)
        former, _ = _people(moved.former_practitioner, moved.patient)
        if former != practitioner:
            relations.append(CareRelation(former, patient, source, None, each.at))
        relations.append(CareRelation(practitioner, patient, source, each.at, None))
    await relating.relate_in(running.state, tx, relations)


async def close_chart(running: Running, tx: Transaction, told: Sequence[Told]) -> None:
    relations = list[CareRelation]()
    for each in told:
        cancelled = each.read(AppointmentCancelled)
        practitioner, patient = _people(cancelled.practitioner, cancelled.patient)
        source = f"Appointment/{cancelled.appointment}"
        relations.append(CareRelation(practitioner, patient, source, None, each.at))
    await relating.relate_in(running.state, tx, relations)


def _people(practitioner: str, patient: str) -> tuple[str, str]:
    return f"Practitioner/{practitioner}", f"Patient/{patient}"


reactions = (
    Reaction("appointments", "AppointmentBooked", open_chart),
    Reaction("appointments", "AppointmentMoved", move_chart),
    Reaction("appointments", "AppointmentCancelled", close_chart),
)
