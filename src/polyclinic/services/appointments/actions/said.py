"""What is announced of an appointment."""

from datetime import datetime

from polyclinic.contracts.appointments import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentFulfilled,
    AppointmentMoved,
    PatientArrived,
    PatientCheckedIn,
    PatientMissed,
)
from polyclinic.foundation.events import Event
from polyclinic.services.appointments.domain.atoms import moment_of
from polyclinic.services.appointments.domain.lifecycle import (
    ARRIVED,
    CHECKED_IN,
    FULFILLED,
    NO_SHOW,
)
from polyclinic.services.appointments.domain.values import Appointment, Place

Said = tuple[str, Event]


def booked(found: Appointment) -> Said:
    return _subject(found), AppointmentBooked(
        appointment=_name(found), patient=_id(found.patient),
        practitioner=_id(found.place.practitioner),
        start=moment_of(found.place.start), end=moment_of(found.place.end), site=found.place.site,
    )  # fmt: skip


def moved(found: Appointment, former: Place) -> Said:
    return _subject(found), AppointmentMoved(
        appointment=_name(found), patient=_id(found.patient),
        practitioner=_id(found.place.practitioner),
        start=moment_of(found.place.start), end=moment_of(found.place.end), site=found.place.site,
        former_practitioner=_id(former.practitioner), former_start=moment_of(former.start),
    )  # fmt: skip


def cancelled(found: Appointment) -> Said:
    return _subject(found), AppointmentCancelled(
        appointment=_name(found), patient=_id(found.patient),
        practitioner=_id(found.place.practitioner),
        start=moment_of(found.place.start), by=found.cancelled_by or "clinic",
    )  # fmt: skip


def of_status(found: Appointment, now: datetime) -> list[Said]:
    """What a new state means to others; going a step back is said by nothing."""
    name, practitioner = _name(found), _id(found.place.practitioner)
    patient = _id(found.patient)
    if found.status == NO_SHOW:
        start = moment_of(found.place.start)
        missed = PatientMissed(
            appointment=name, patient=patient, practitioner=practitioner, start=start
        )
        return [(_subject(found), missed)]
    kinds = {
        ARRIVED: PatientArrived,
        CHECKED_IN: PatientCheckedIn,
        FULFILLED: AppointmentFulfilled,
    }
    kind = kinds.get(found.status)
    if kind is None:
        return []
    event = kind(appointment=name, patient=patient, practitioner=practitioner, at=now)
    return [(_subject(found), event)]


def _subject(found: Appointment) -> str:
    return f"Appointment/{found.id}"


def _name(found: Appointment) -> str:
    return str(found.id)


def _id(reference: str) -> str:
    """Events carry ids: which type each is, its field says (contracts/appointments.py)."""
    return reference.partition("/")[2]
