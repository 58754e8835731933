"""A booked appointment opens the chart to its clinician, and a cancelled one closes it again."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import msgspec

from polyclinic.contracts.appointments import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentMoved,
)
from polyclinic.fhirserver.access import access_of
from polyclinic.fhirserver.door import FhirServer
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.search.query import parse
from polyclinic.foundation import clock, ids, telemetry
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Forbidden
from polyclinic.foundation.events import Told
from polyclinic.foundation.vault import Vault
from polyclinic.services.records import service
from polyclinic.services.records.reactions import close_chart, move_chart, open_chart

NOW = datetime(2026, 11, 24, 9, 40, tzinfo=UTC)
PLACE = {"appointment": "a1", "patient": "keller", "start": NOW}


async def records_at_work(database_of, root_key):
    database = await database_of(service)
    running = SimpleNamespace(
        service=service,
        database=database,
        vault=Vault(root_key, "records", service.dictionaries),
        metrics=telemetry.Metrics("records"),
        elsewhere={},
        peers=None,
    )
    running.state = FhirServer.over(running)
    return running


async def tell(running, react, event, at=None):
    told = Told(
        id=ids.new_id(),
        source="appointments",
        seq=1,
        kind=type(event).__name__,
        subject="Appointment/a1",
        at=at or clock.now(),
        data=msgspec.Raw(msgspec.json.encode(event)),
    )
    async with running.database.transaction() as tx:
        await react(running, tx, [told])


async def may_open(running, practitioner):
    server = running.state
    caller = Caller(
        practitioner,
        "portal",
        "clinician",
        frozenset({"user/*.cruds"}),
        f"Practitioner/{practitioner}",
        "t",
    )
    number = server.store.terms.person(caller.person)
    access = access_of(caller, None, number)
    errand = Errand.of(access, ids.new_id())
    query = parse("Observation", [("patient", "Patient/keller")])
    try:
        await server.search.page(errand, access.to("s"), query, None)
    except Forbidden:
        return False
    return True


async def test_a_booking_opens_the_chart_and_its_cancellation_closes_it(database_of, root_key):
    running = await records_at_work(database_of, root_key)
    assert not await may_open(running, "ruiz")
    booked = AppointmentBooked(**PLACE, practitioner="ruiz", end=NOW, site="northside")
    await tell(running, open_chart, booked)
    assert await may_open(running, "ruiz")
    assert not await may_open(running, "wong")
    cancelled = AppointmentCancelled(**PLACE, practitioner="ruiz", by="patient")
    await tell(running, close_chart, cancelled)
    assert not await may_open(running, "ruiz")


async def test_a_move_to_another_clinician_takes_the_open_chart_along(database_of, root_key):
    running = await records_at_work(database_of, root_key)
    booked = AppointmentBooked(**PLACE, practitioner="ruiz", end=NOW, site="northside")
    await tell(running, open_chart, booked)
    moved = AppointmentMoved(
        **PLACE,
        practitioner="wong",
        end=NOW,
        site="northside",
        former_practitioner="ruiz",
        former_start=NOW,
    )
    await tell(running, move_chart, moved)
    assert await may_open(running, "wong")
    assert not await may_open(running, "ruiz")


async def test_a_booking_that_is_heard_late_does_not_open_what_was_closed(database_of, root_key):
    running = await records_at_work(database_of, root_key)
    booked = AppointmentBooked(**PLACE, practitioner="ruiz", end=NOW, site="northside")
    said = clock.now() - timedelta(hours=1)
    await tell(running, open_chart, booked, said)
    cancelled = AppointmentCancelled(**PLACE, practitioner="ruiz", by="patient")
    await tell(running, close_chart, cancelled)
    await tell(running, open_chart, booked, said)  # a dead letter that was tried again
    assert not await may_open(running, "ruiz")


async def test_the_relation_table_names_nobody(database_of, root_key):
    running = await records_at_work(database_of, root_key)
    booked = AppointmentBooked(**PLACE, practitioner="ruiz", end=NOW, site="northside")
    await tell(running, open_chart, booked)
    rows = await running.database.fetch("SELECT relation::text AS row FROM records.relation")
    assert len(rows) == 1
    assert "keller" not in rows[0]["row"]
    assert "ruiz" not in rows[0]["row"]
