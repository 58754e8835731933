"""Appointments kept in memory: a small clinic's week, holds and bookings."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from polyclinic.foundation import clock, ids
from polyclinic.foundation.errors import NotFound, Unavailable
from polyclinic.services.portal.domain.booking import (
    Appointment,
    Clinician,
    DayColumn,
    DayOf,
    Hold,
    Hours,
    Opening,
    Setup,
    Site,
    VisitType,
    Waiting,
)
from polyclinic.services.portal.gateways.appointments import (
    AlreadyThere,
    Asked,
    Booking,
    HoldOver,
    Refused,
    Taken,
    Wish,
)
from polyclinic.services.portal.gateways.events import DeadLetter

ZONE = ZoneInfo("America/New_York")
RUIZ, NAIR = "Practitioner/ruiz", "Practitioner/nair"
TYPES = ("review", "nurse", "video")
SETUP = Setup(
    visit_types=(
        VisitType(id="review", name="Blood pressure review", minutes=20),
        VisitType(id="nurse", name="Diabetes nurse check", minutes=30),
        VisitType(id="video", name="Talk about results", minutes=15, mode="video"),
        VisitType(id="minor", name="Minor procedure", minutes=60, patients_book=False),
    ),
    sites=(Site(id="northside", name="Northside Clinic", time_zone=ZONE.key),),
    clinicians=(
        Clinician(RUIZ, TYPES, ("northside",)),
        Clinician(NAIR, TYPES, ("northside",)),
    ),
)
HOURS = {RUIZ: ((9, 12), (13, 17)), NAIR: ((10, 16),)}


def on(days: int, hour: int, minute: int = 0) -> datetime:
    """A time so many days from today, by the clinic's clock."""
    day = clock.now().astimezone(ZONE).date() + timedelta(days=days)
    return datetime.combine(day, time(hour, minute), ZONE)


def visit(key: str, patient: str, start: datetime, **changed: object) -> Appointment:
    values: dict[str, object] = {
        "id": key,
        "patient": f"Patient/{patient}",
        "practitioner": RUIZ,
        "visit_type": "review",
        "site": "northside",
        "start": start,
        "end": start + timedelta(minutes=20),
        "status": "booked",
        "visit_name": "Blood pressure review",
        **changed,
    }
    return Appointment(**values)  # pyright: ignore


STEPS = {
    "arrive": "arrived",
    "check-in": "checked-in",
    "fulfil": "fulfilled",
    "no-show": "noshow",
    "cancel": "cancelled",
    "undo": "booked",
}


@dataclass
class AppointmentsInMemory:
    """Answers as appointments does; `me` is the patient whose token is a patient's."""

    setup_: Setup = SETUP
    found: list[Appointment] = field(default_factory=list)
    listed: list[Waiting] = field(default_factory=list)
    taken: set[datetime] = field(default_factory=set)
    keys: dict[str, object] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    overrides: dict[str, str] = field(default_factory=dict)
    holds: dict[str, Opening] = field(default_factory=dict)
    offered: list[str] = field(default_factory=list)
    wishes: list[Wish] = field(default_factory=list)
    ended_holds: bool = False
    down: bool = False
    me: str = "Patient/maria"

    async def setup(self, token: str) -> Setup:
        self._listen()
        return self.setup_

    async def openings(self, token: str, asked: Asked) -> list[Opening]:
        self._listen()
        kind = self.setup_.visit_type(asked.visit_type)
        assert kind is not None
        clinicians = asked.clinicians or (RUIZ, NAIR)
        first = asked.begins.astimezone(ZONE).replace(hour=9, minute=0)
        starts = (
            first + timedelta(days=d, minutes=40 * n) for d in range(asked.days) for n in range(10)
        )
        # On a Friday the first opening of the next days would be the very visit that is moved.
        busy = self.taken.union(each.start for each in self.found)
        offered = [
            self._opening(start, who, kind)
            for start in starts
            for who in clinicians
            if start > clock.now() and start not in busy and start.weekday() < 5
        ]
        return offered[: asked.limit]

    async def hold(self, token: str, key: str, patient: str, opening: Opening) -> Hold:
        self._listen()
        if opening.start in self.taken:
            raise Taken(nearest=tuple(await self._near(opening)))
        found = Hold(id=ids.new_id(), ends=clock.now() + timedelta(minutes=5))
        self.holds[found.id] = opening
        return found

    async def book(self, token: str, key: str, booking: Booking) -> Appointment:
        self._listen()
        if key in self.keys:
            return self.keys[key]  # pyright: ignore
        if booking.hold and self.ended_holds:
            raise HoldOver
        if booking.opening.start in self.taken and not booking.override:
            raise Taken(nearest=tuple(await self._near(booking.opening)))
        o = booking.opening
        if any(a.patient == booking.patient and a.start == o.start for a in self.found):
            raise AlreadyThere("The patient already has an appointment at this time.")
        made = Appointment(
            id=ids.new_id(),
            patient=booking.patient,
            practitioner=o.practitioner,
            visit_type=o.visit_type,
            site=o.site,
            start=o.start,
            end=o.end,
            status="booked",
            visit_name=next(t.name for t in self.setup_.visit_types if t.id == o.visit_type),
            overbooked=bool(booking.override),
        )
        self.keys[key] = made
        self.reasons[made.id], self.overrides[made.id] = booking.reason, booking.override
        self.found.append(made)
        return made

    async def move(self, token: str, key: str, appointment: str, booking: Booking) -> Appointment:
        self._listen()
        if booking.opening.start in self.taken:
            raise Taken(nearest=tuple(await self._near(booking.opening)))
        o = booking.opening
        return self._change(appointment, start=o.start, end=o.end, practitioner=o.practitioner)

    async def deed(
        self, token: str, key: str, appointment: str, verb: str, reason: str = ""
    ) -> Appointment:
        self._listen()
        if key in self.keys:
            return self.keys[key]  # pyright: ignore
        now = clock.now()
        old = await self.read(token, appointment)
        if old.status == "cancelled":
            raise Refused("The appointment is cancelled; this cannot be done to it any more.")
        changed: dict[str, object] = {"status": STEPS[verb]}
        if verb == "arrive":
            changed["arrived"] = now
        if verb == "check-in":
            changed |= {"checked_in": now, "arrived": old.arrived or now}
        self.reasons[appointment] = reason
        made = self._change(appointment, **changed)
        self.keys[key] = made
        return made

    async def mine(self, token: str) -> list[Appointment]:
        self._listen()
        return [a for a in self.found if a.patient == self.me]

    async def day(self, token: str, on: date, site: str) -> DayOf:
        self._listen()
        columns: list[DayColumn] = []
        for who, halves in HOURS.items():
            hours = tuple(
                Hours(*(datetime.combine(on, time(h), ZONE) for h in half)) for half in halves
            )
            mine = [a for a in self.found if a.practitioner == who and a.status != "cancelled"]
            today = tuple(a for a in mine if a.start.astimezone(ZONE).date() == on)
            columns.append(DayColumn(who, hours, today))
        return DayOf(tuple(columns), ZONE.key)

    async def read(self, token: str, appointment: str) -> Appointment:
        self._listen()
        for each in self.found:
            if each.id == appointment:
                return each
        raise NotFound(place="appointments")

    async def invitation(self, token: str, appointment: str) -> bytes:
        await self.read(token, appointment)
        return b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"

    async def wait(self, token: str, key: str, wish: Wish) -> Waiting:
        self._listen()
        self.wishes.append(wish)
        made = Waiting(
            id=ids.new_id(),
            patient=wish.patient,
            visit_type=wish.visit_type,
            status="waiting",
            made=clock.now(),
            practitioner=wish.practitioner,
        )
        self.listed.append(made)
        return made

    async def waiting(self, token: str) -> list[Waiting]:
        self._listen()
        return self.listed

    async def offer(self, token: str, key: str, waiting: str, opening: Opening) -> Hold:
        self.offered.append(waiting)
        return await self.hold(token, key, "", opening)

    def _listen(self) -> None:
        if self.down:
            raise Unavailable("The appointments service does not answer.", place="appointments")

    def _opening(self, start: datetime, who: str, kind: VisitType) -> Opening:
        end = start + timedelta(minutes=kind.minutes)
        return Opening(start, end, who, "northside", kind.id)

    async def _near(self, lost: Opening) -> Sequence[Opening]:
        asked = Asked(visit_type=lost.visit_type, begins=lost.start, limit=3)
        return await self.openings("", asked)

    def _change(self, key: str, **changed: object) -> Appointment:
        n = next(n for n, a in enumerate(self.found) if a.id == key)
        self.found[n] = msgspec.structs.replace(self.found[n], **changed)
        return self.found[n]


@dataclass
class DeadLettersInMemory:
    """One event that had no effect, until it is tried again."""

    letters: list[DeadLetter] = field(
        default_factory=lambda: [
            DeadLetter(
                event="01985b6e-0000-7000-8000-000000000001",
                at=clock.now(),
                source="appointments",
                kind="AppointmentBooked",
                reason="LookupError",
                tries=5,
            )
        ]
    )

    async def of(self, token: str, service: str) -> list[DeadLetter] | None:
        return self.letters

    async def again(self, token: str, service: str, event: str) -> None:
        if not self.letters:
            raise NotFound("There is no such event here any more.")
        self.letters.clear()
