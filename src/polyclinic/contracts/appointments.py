"""What appointments says: ids and times only, never why somebody comes."""

from datetime import datetime
from uuid import UUID, uuid5

from polyclinic.foundation.events import Event

_ELSEWHERE = UUID("0e6b1a52-5d0c-4a53-9a35-0c6f6d2b7c11")  # ours: names of others' bookings


def elsewhere_id(source: str, key: str) -> UUID:
    """The id here of an appointment that another system booked under a number of its own."""
    return uuid5(_ELSEWHERE, f"{source}\n{key}")


class AppointmentBooked(Event, frozen=True, kw_only=True):
    """A patient has a place with a clinician."""

    appointment: str
    patient: str
    practitioner: str
    start: datetime
    end: datetime
    site: str


class AppointmentMoved(Event, frozen=True, kw_only=True):
    """The same appointment takes place at another time, or with another clinician."""

    appointment: str
    patient: str
    practitioner: str
    start: datetime
    end: datetime
    site: str
    former_practitioner: str
    former_start: datetime


class AppointmentCancelled(Event, frozen=True, kw_only=True):
    """The appointment will not take place; `by` is `patient` or `clinic`."""

    appointment: str
    patient: str
    practitioner: str
    start: datetime
    by: str


class PatientArrived(Event, frozen=True, kw_only=True):
    """The patient is in the house."""

    appointment: str
    patient: str
    practitioner: str
    at: datetime


class PatientCheckedIn(Event, frozen=True, kw_only=True):
    """The desk has checked who it is, and the patient waits for the clinician."""

    appointment: str
    patient: str
    practitioner: str
    at: datetime


class AppointmentFulfilled(Event, frozen=True, kw_only=True):
    """The visit has taken place."""

    appointment: str
    patient: str
    practitioner: str
    at: datetime


class PatientMissed(Event, frozen=True, kw_only=True):
    """The patient did not come."""

    appointment: str
    patient: str
    practitioner: str
    start: datetime
