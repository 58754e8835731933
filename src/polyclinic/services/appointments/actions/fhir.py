"""Appointments as FHIR clients ask for them: create, update, $find, $hold, $book, $cancel."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.rest.answer import Answer
from polyclinic.fhirserver.rest.registered import Operation, Registered, Write
from polyclinic.fhirserver.store.store import Outcome
from polyclinic.foundation import clock
from polyclinic.foundation import once as keys
from polyclinic.foundation.errors import Conflict, Invalid, Issue, NotSupported, Problem, Stale
from polyclinic.foundation.once import Once, Stored, once_of
from polyclinic.services.appointments.actions import booking, changing, finding, holding, keeping
from polyclinic.services.appointments.actions.booking import Request
from polyclinic.services.appointments.actions.changing import Deed
from polyclinic.services.appointments.actions.finding import Search
from polyclinic.services.appointments.actions.state import KIND, OWN_WORD, Desk, Visitor, calling
from polyclinic.services.appointments.domain import access, lifecycle, reading, resources, updates
from polyclinic.services.appointments.domain.problems import PlaceTaken
from polyclinic.services.appointments.domain.values import Appointment
from polyclinic.services.appointments.store import appointments
from polyclinic.standards.fhir import codec

Resource = dict[str, Any]
Find = Callable[[], Desk]


class Taken(Conflict):
    """That time was just taken."""


def registered(desk: Find) -> Mapping[str, Registered]:
    """What may be done to each owned type; slots are computed and never written."""
    doors = Doors(desk)
    operations = {
        "$find": doors.find,
        "$hold": doors.hold,
        "$book": doors.book,
        "$cancel": doors.cancel,
    }
    appointment = Registered(create=doors.create, update=doors.update, operations=operations)
    return {
        "Appointment": appointment,
        "Schedule": Registered(),
        "Slot": Registered(),
        "AppointmentResponse": Registered(),
    }


@dataclass(frozen=True, slots=True)
class Doors:
    """The FHIR door's way to the actions; who calls is told by the route."""

    desk: Find

    def _visitor(self, errand: Errand) -> Visitor:
        return Visitor(calling.get(), errand, clock.now())

    async def create(self, write: Write) -> Outcome:
        desk, visitor = self.desk(), self._visitor(write.errand)
        assert write.resource is not None
        status = write.resource.get("status")
        if status not in ("booked", "pending", "proposed"):
            raise Invalid("A new appointment is booked.", place="Appointment.status")
        asked = reading.request(write.resource)
        once = once_of(visitor.caller, write.idempotency_key, "POST", write.resource)
        stored = await _kept(desk, once, booking.book(desk, visitor, Request(**asked), once))
        return await self._outcome(write.errand, _id(stored), created=True)

    async def update(self, write: Write) -> Outcome:
        """The state may change as the rules allow; another time is a $book of its own."""
        desk, visitor = self.desk(), self._visitor(write.errand)
        assert write.resource is not None
        name = reading.uuid_of(write.id)
        found = await appointments.find(desk.running.database, name)
        found = await desk.own(visitor, found, "u")
        if write.if_match not in (None, found.version):
            raise Stale
        await self._check_state_only(visitor, write.resource, found)
        wanted = write.resource["status"]
        if wanted != found.status:
            deed = Deed(
                lifecycle.verb_for(found.status, wanted),
                updates.cancel_reason(write.resource),
                write.if_match,
            )
            once = once_of(visitor.caller, write.idempotency_key, "PUT", write.resource)
            await changing.change(desk, visitor, name, deed, once)
        return await self._outcome(write.errand, str(name), created=False)

    async def _check_state_only(
        self, visitor: Visitor, asked: Resource, found: Appointment
    ) -> None:
        desk, place = self.desk(), found.place
        [note] = await keeping.opened_notes(desk, [found])
        setup = (await desk.world()).setup
        kept = resources.appointment(found, note, setup, visitor.now)
        may_read = access.may_read_why(visitor.caller, found.patient, place.practitioner)
        updates.check_state_only(asked, kept, may_read_why=may_read)

    async def find(self, operation: Operation) -> Answer:
        """`$find`: a Bundle of free Slots, the first ones first."""
        if operation.id is not None:
            raise NotSupported("$find is asked of the type.", place="url")
        desk, visitor = self.desk(), self._visitor(operation.errand)
        search = Search(**reading.search(operation.pairs, operation.parameters))
        is_staff = access.is_staff(visitor.caller)
        search = replace(search, is_staff=is_staff)
        found = await finding.find(desk, search, visitor.now)
        world = await desk.world()
        visit = world.visit(search.visit_type)
        slots = [
            resources.slot(world.setup, visit, each, world.numbers[each.practitioner])
            for each in found
        ]
        return Answer(200, codec.encode(resources.bundle(slots)))

    async def hold(self, operation: Operation) -> Answer:
        desk, visitor = self.desk(), self._visitor(operation.errand)
        asked = Request(**reading.asked(operation.parameters))
        once = once_of(visitor.caller, operation.idempotency_key, "$hold", operation.parameters)
        stored = await _kept(desk, once, holding.hold(desk, visitor, asked, once))
        value = msgspec.json.decode(stored.body)["hold"]
        parameters = [
            {"name": "hold", "valueString": value["id"]},
            {"name": "expires", "valueInstant": value["expires"]},
        ]
        body = {"resourceType": "Parameters", "parameter": parameters}
        return Answer(stored.status, codec.encode(body))

    async def book(self, operation: Operation) -> Answer:
        desk, visitor = self.desk(), self._visitor(operation.errand)
        asked = Request(**reading.asked(operation.parameters))
        once = once_of(visitor.caller, operation.idempotency_key, "$book", operation.parameters)
        stored = await _kept(desk, once, booking.book(desk, visitor, asked, once))
        outcome = await self._outcome(operation.errand, _id(stored), created=True)
        location = f"{KIND}/{outcome.document.id}/_history/{outcome.document.version}"
        return Answer(201, outcome.document.body, outcome.document, location)

    async def cancel(self, operation: Operation) -> Answer:
        desk, visitor = self.desk(), self._visitor(operation.errand)
        name = reading.uuid_of(operation.id)
        given = reading.values(operation.pairs, operation.parameters)
        once = once_of(visitor.caller, operation.idempotency_key, f"$cancel {name}", given)
        deed = Deed("cancel", given.get("reason"))
        await changing.change(desk, visitor, name, deed, once)
        outcome = await self._outcome(operation.errand, str(name), created=False)
        # The desk cancels without being told why somebody would have come.
        body = None if visitor.caller.role == "front-desk" else outcome.document.body
        return Answer(200, body, outcome.document)

    async def _outcome(self, errand: Errand, name: str, *, created: bool) -> Outcome:
        """The resource as it is now, to the caller who has just written it; the look is logged."""
        document = await self.desk().server.store.read(errand, OWN_WORD, KIND, name)
        return Outcome(document, created)


async def _kept(desk: Desk, once: Once | None, answer: Awaitable[Stored]) -> Stored:
    """The answer; a repeated key that has one hears it again, whatever is taken by now."""
    try:
        return await answer
    except Problem as refused:
        known = await keys.find(desk.running.database, [once.name]) if once else {}
        if once is not None and known:
            return keys.checked(once, known.get(once.name))
        if isinstance(refused, PlaceTaken):
            text = resources.outcome_text(refused.message, refused.nearest)
            lacking = "participant" if refused.place == "room" else "start"
            where = Issue(text, f"Appointment.{lacking}", "conflict")
            raise Taken(text, issues=(where,)) from refused
        raise


def _id(stored: Stored) -> str:
    value = msgspec.json.decode(stored.body)
    if "appointment" not in value:
        raise Taken(value.get("error_description"))
    return value["appointment"]["id"]
