"""A patient's appointments: what is coming, choosing a time, booking it, moving and cancelling."""

import asyncio
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import msgspec

from polyclinic.foundation.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Problem,
    Unavailable,
)
from polyclinic.services.portal.actions import drafts
from polyclinic.services.portal.actions.people import People, people
from polyclinic.services.portal.actions.state import Portal, answered
from polyclinic.services.portal.domain import booking as rules
from polyclinic.services.portal.domain import times
from polyclinic.services.portal.domain.booking import Appointment, Opening, Setup
from polyclinic.services.portal.domain.draft import Draft
from polyclinic.services.portal.domain.patient import Patient, read_patient
from polyclinic.services.portal.domain.session import Session
from polyclinic.services.portal.domain.times import SlotDay, slot_days
from polyclinic.services.portal.gateways import Taken
from polyclinic.services.portal.gateways.appointments import (
    NAME,
    AlreadyThere,
    Asked,
    Booking,
    HoldOver,
    Wish,
)

DAYS_ASKED = 28
OPENINGS_ASKED = 120
WAITED_DAYS = 60


@dataclass(frozen=True)
class Visits:
    """A patient's appointments and the names that go with them."""

    setup: Setup
    coming: list[Appointment]
    past: list[Appointment]
    people: People


@dataclass(frozen=True)
class Wanted:
    """What somebody looks for; without a date, from today."""

    visit_type: str
    clinician: str
    begins: date | None
    moves: str | None = None  # the visit for which another time is looked for


@dataclass(frozen=True)
class Times:
    """What can be chosen, soonest first, who offers it and by which clock."""

    people: People
    days: list[SlotDay]
    clinicians: list[str]
    clinician: str
    zone: str
    today: date
    begins: date

    @property
    def later(self) -> date:
        """From where to look when nothing is free."""
        return self.begins + timedelta(days=DAYS_ASKED)


async def list_visits(portal: Portal, session: Session, now: datetime) -> Visits:
    token = session.tokens.access
    setup, mine = await answered(
        portal,
        NAME,
        asyncio.gather(portal.appointments.setup(token), portal.appointments.mine(token)),
    )
    named = await people(portal, token, {a.practitioner for a in mine})
    return Visits(setup, rules.coming_up(mine, now), rules.over(mine, now), named)


async def next_visit(portal: Portal, session: Session, now: datetime) -> Visits | None:
    """What a first page shows; None while appointments does not answer."""
    try:
        return await list_visits(portal, session, now)
    except Unavailable:
        return None


async def setup_of(portal: Portal, session: Session) -> Setup:
    return await answered(portal, NAME, portal.appointments.setup(session.tokens.access))


async def find_times(
    portal: Portal, session: Session, setup: Setup, wanted: Wanted, now: datetime
) -> Times:
    """Openings of all who offer this kind of visit, or of one of them; never of a day gone by.

    A patient is offered no time at which another visit of theirs stands; staff may book across.
    """
    token = session.tokens.access
    offering = setup.offering(wanted.visit_type)
    if setup.visit_type(wanted.visit_type) is None:
        raise NotFound("There is no such kind of visit.")
    zone = setup.zone("", portal.settings.time_zone)
    today = times.today_at(zone, now)
    clinician = wanted.clinician if wanted.clinician in offering else ""
    begins = max(wanted.begins or today, today)
    asked = Asked(
        visit_type=wanted.visit_type,
        begins=times.midnight(begins, zone),
        days=DAYS_ASKED,
        clinicians=(clinician,) if clinician else (),
        limit=OPENINGS_ASKED,
    )
    is_staff = session.role != "patient"
    found, named = await asyncio.gather(
        answered(portal, NAME, portal.appointments.openings(token, asked)),
        people(portal, token, offering),
    )
    mine = [] if is_staff else await answered(portal, NAME, portal.appointments.mine(token))
    free = rules.clear_of(found, mine, wanted.moves)
    listed = by_day(portal, setup, free, named, is_staff=is_staff)
    return Times(named, listed, offering, clinician, zone, today, begins)


def by_day(
    portal: Portal,
    setup: Setup,
    found: list[Opening],
    named: People,
    *,
    once: bool = True,
    is_staff: bool = False,
) -> list[SlotDay]:
    """Openings as people choose them; staff read the clock to twenty-four."""
    zones = {o.site: setup.zone(o.site, portal.settings.time_zone) for o in found}
    names = {o.practitioner: named.clinician(o.practitioner) for o in found}
    says = times.hour_24 if is_staff else times.hour
    return slot_days(found, names, zones, portal.today(), once=once, says=says)


async def begin(portal: Portal, session: Session, visit_type: str, now: datetime) -> Draft:
    """Opens a draft for a kind of visit that patients book themselves."""
    setup = await setup_of(portal, session)
    found = setup.visit_type(visit_type)
    if found is None or not found.patients_book:
        raise Invalid("Choose what you need.", place="kind")
    draft = Draft(id=drafts.new_draft_id(), patient=session.person or "", visit_type=visit_type)
    await drafts.save(portal, session, draft, now)
    return draft


async def begin_move(portal: Portal, session: Session, moved: Appointment, now: datetime) -> Draft:
    """Opens a draft that will move a visit; until it is sure, the old place stays."""
    draft = Draft(
        id=drafts.new_draft_id(),
        patient=moved.patient,
        visit_type=moved.visit_type,
        moves=moved.id,
        clinician=moved.practitioner,
    )
    await drafts.save(portal, session, draft, now)
    return draft


async def choose(
    portal: Portal, session: Session, draft: Draft, opening: Opening, now: datetime
) -> Draft:
    """Keeps a place for the time that the rest takes; a lost one is told in the draft."""
    if draft.opening == opening and draft.is_held(now):
        return draft
    token, key = session.tokens.access, draft.key("hold")
    asked = msgspec.structs.replace(draft, opening=opening)
    if draft.waiting:
        work = portal.appointments.offer(token, key, draft.waiting, opening)
    else:
        work = portal.appointments.hold(token, key, draft.patient, opening)
    try:
        hold = await answered(portal, NAME, work)
    except Taken as taken:
        held = asked.losing(taken.nearest, taken.message)
    except (Conflict, Invalid) as refused:
        held = asked.losing((), _why(session, refused))
    else:
        held = draft.choosing(opening, hold)
    await drafts.save(portal, session, held, now)
    return held


async def confirm(portal: Portal, session: Session, draft: Draft, now: datetime) -> Draft:
    """Books or moves; a lost place leaves a draft with every answer and what is nearest."""
    if draft.booked or draft.opening is None:
        return draft
    try:
        made = await _book(portal, session, draft, draft.opening)
    except Taken as taken:
        done = draft.losing(taken.nearest, taken.message)
    except (Conflict, Invalid) as refused:
        done = draft.losing((), _why(session, refused))
    else:
        done = msgspec.structs.replace(draft, booked=made.id)
    await drafts.save(portal, session, done, now)
    return done


def _why(session: Session, refused: Problem) -> str:
    """The service speaks of the patient; a patient is spoken to."""
    if isinstance(refused, AlreadyThere) and session.role == "patient":
        return AlreadyThere().message
    return refused.message


async def _book(portal: Portal, session: Session, draft: Draft, opening: Opening) -> Appointment:
    """With the hold first, and always under the same key: if the answer to the first try was lost,
    the second hears it. A hold that has ended leaves the place to whoever is first."""
    booking = Booking(
        opening=opening,
        patient=draft.patient,
        hold=draft.hold.id if draft.hold else None,
        reason=draft.reason,
        override=draft.override,
    )
    try:
        return await _send(portal, session, draft, booking, draft.key("book"))
    except HoldOver:
        late = msgspec.structs.replace(booking, hold=None)
        return await _send(portal, session, draft, late, draft.key("book-late"))


async def _send(
    portal: Portal, session: Session, draft: Draft, booking: Booking, key: str
) -> Appointment:
    token = session.tokens.access
    if draft.moves:
        work = portal.appointments.move(token, key, draft.moves, booking)
    else:
        work = portal.appointments.book(token, key, booking)
    return await answered(portal, NAME, work)


async def cancel(portal: Portal, session: Session, key: str, reason: str, turn: str) -> None:
    """Cancels once for each drawn page, however often its button is pressed."""
    token = session.tokens.access
    work = portal.appointments.deed(token, f"cancel-{key}-{turn[:40]}", key, "cancel", reason)
    await answered(portal, NAME, work)


async def wait_for(portal: Portal, session: Session, draft: Draft, now: datetime) -> None:
    """Puts the patient on the waiting list for this kind of visit."""
    setup = await setup_of(portal, session)
    today = times.today_at(setup.zone("", portal.settings.time_zone), now)
    wish = Wish(
        patient=draft.patient,
        visit_type=draft.visit_type,
        begins=today,
        until=today + timedelta(days=WAITED_DAYS),
        practitioner=draft.clinician or None,
    )
    token = session.tokens.access
    await answered(portal, NAME, portal.appointments.wait(token, draft.key("wait"), wish))


async def contact(portal: Portal, session: Session) -> Patient | None:
    """How to reach the patient, as records knows; None while it does not answer."""
    token = session.tokens.access
    try:
        found = await answered(
            portal, "records", portal.records.read(token, "Patient", session.person_id)
        )
    except (Unavailable, Forbidden, NotFound):
        return None
    return read_patient(found, portal.today())


async def invitation(portal: Portal, session: Session, key: str) -> bytes:
    token = session.tokens.access
    return await answered(portal, NAME, portal.appointments.invitation(token, key))
