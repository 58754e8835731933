"""What billing does when others speak: a visit that took place waits to be coded.

Two records that are one person's stand for each other here, too.
"""

from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from polyclinic.contracts.appointments import AppointmentFulfilled
from polyclinic.fhirserver import merged
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.events import Told
from polyclinic.foundation.service import Reaction, Running
from polyclinic.services.billing.actions import visits
from polyclinic.services.billing.actions.state import Books
from polyclinic.services.billing.domain.encounters import Came, of_encounter


async def open_visits(running: Running, tx: Transaction, told: Sequence[Told]) -> None:
    books: Books = running.state
    for each in told:
        done = each.read(AppointmentFulfilled)
        came = Came(
            f"Appointment/{done.appointment}",
            f"Patient/{done.patient}",
            f"Practitioner/{done.practitioner}",
            done.at.astimezone(ZoneInfo(books.settings.time_zone)).date(),
        )
        await visits.open_visit(books, tx, came)


async def look_at_encounters(running: Running, tx: Transaction, told: Sequence[Told]) -> None:
    """One that has finished is a visit.

    Raises Unavailable while records does not answer: the feed is read again from here then.
    """
    books: Books = running.state
    # A chart that moves in brings years of visits along, which somebody billed long ago.
    oldest = books.today() - timedelta(days=books.settings.encounter_days)
    for name in dict.fromkeys("/".join(each.subject.split("/")[:2]) for each in told):
        resource = await books.charts.read(name)
        came = of_encounter(resource, books.settings.time_zone) if resource is not None else None
        if came is not None and came.day >= oldest:
            await visits.open_visit(books, tx, came)


reactions = (
    Reaction("appointments", "AppointmentFulfilled", open_visits),
    Reaction("records", "ResourceCreated", look_at_encounters, "Encounter"),
    Reaction("records", "ResourceUpdated", look_at_encounters, "Encounter"),
    *merged.following(lambda running: running.state.server),
)
