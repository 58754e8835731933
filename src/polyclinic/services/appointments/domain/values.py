"""What a booking is made of."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import msgspec

from polyclinic.foundation.errors import Invalid
from polyclinic.services.appointments.domain.atoms import Range
from polyclinic.services.appointments.domain.openings import Shape
from polyclinic.services.appointments.domain.setup import VisitType

ALL_SEATS = Range(0, 1024)
REASON_MAX = 1000
_PATIENT = re.compile(r"Patient/[A-Za-z0-9.-]{1,64}", re.ASCII)


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why somebody comes, in their words: sealed wherever it is kept.

    `elsewhere`: what other systems call the booking, by the names of those systems.
    """

    reason: str | None = None
    comment: str | None = None
    overbooking: str | None = None
    elsewhere: dict[str, str] = {}

    def __bool__(self) -> bool:
        return any((self.reason, self.comment, self.overbooking, self.elsewhere))


NO_NOTE = Note()


@dataclass(frozen=True, slots=True)
class Place:
    """Where and when: a clinician, a room if one is needed, and the time with its buffers."""

    practitioner: str
    clinician: int
    site: str
    visit_type: str
    start: int
    end: int
    around: Range
    room: int | None = None
    seats: Range = ALL_SEATS

    @property
    def is_shared(self) -> bool:
        return self.seats != ALL_SEATS


@dataclass(frozen=True, slots=True)
class Appointment:
    """An appointment as the tables know it."""

    id: UUID
    patient: str
    person: int
    place: Place
    status: str
    overbooked: bool = False
    version: int = 1
    made: datetime | None = None
    arrived: datetime | None = None
    checked_in: datetime | None = None
    cancelled_by: str | None = None
    reason_code: str | None = None
    note: bytes | None = field(default=None, repr=False)


def place_of(practitioner: str, clinician: int, site: str, visit: VisitType, start: int) -> Place:
    """The place of a visit that begins at an atom; its room and seat are chosen later."""
    shape = Shape.of(visit)
    end = start + shape.length
    around = Range(start - shape.before, end + shape.after)
    return Place(practitioner, clinician, site, visit.id, start, end, around)


def check_patient(reference: str) -> str:
    if not _PATIENT.fullmatch(reference):
        raise Invalid("A patient is written Patient/id.", place="patient")
    return reference


def check_note(note: Note) -> Note:
    for name in ("reason", "comment", "overbooking"):
        if len(getattr(note, name) or "") > REASON_MAX:
            raise Invalid(f"This has at most {REASON_MAX} characters.", place=name)
    return note
