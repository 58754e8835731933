"""Visits that staff book over a taken time: what is given back under them is theirs."""

import asyncio
from contextlib import asynccontextmanager

import asyncpg
import pytest
from desk_door import SYSTEM, TOM, Door, at, open_door, patient, week

MARIA, BOB = patient("maria"), patient("bob")
GROUP = {
    "id": "group", "name": "Group", "minutes": 60, "every": 60, "notice_minutes": 0, "capacity": 2,
}  # fmt: skip
SITES = [
    {"id": "main", "name": "Northside Clinic", "time_zone": "America/New_York"},
    {"id": "annex", "name": "Annex", "time_zone": "America/New_York"},
]


@pytest.fixture(scope="module")
async def door(postgres_url: str, key_file):
    async with open_door(postgres_url, key_file) as opened:
        await opened.set_up(week("ana", "lena", types=[GROUP], sites=SITES))
        yield opened


@pytest.fixture(autouse=True)
async def empty(door: Door):
    await door.empty()


async def over(door: Door, who: str, start: str, **more):
    return await door.booked(TOM, start, patient=f"Patient/{who}", override="fever", **more)


async def hold(door: Door, who, start: str, **more) -> str:
    body = {"visit_type": "visit", "practitioner": "Practitioner/ana", "start": start, **more}
    answer = await door.ask(who, "POST", "/appointments/holds", body)
    assert answer.status_code == 201, answer.text
    return answer.json()["hold"]["id"]


async def cancel(door: Door, one) -> None:
    answer = await door.ask(TOM, "POST", f"/appointments/{one['id']}/cancel", {})
    assert answer.status_code == 200, answer.text


async def clinicians_atoms(door: Door, one) -> int:
    """How many of the clinician's atoms an appointment has for good."""
    query = (
        "SELECT count(*) FROM appointments.atom t JOIN appointments.appointment a"
        " ON a.id = t.booking AND a.clinician = t.resource"
        " WHERE a.id::text = $1 AND t.expires IS NULL"
    )
    return (await door.sql(query, one["id"]))[0][0]


@asynccontextmanager
async def stalled(door: Door, lock: str):
    """Until the block ends nobody gets past a table; yields how to wait for so many who wait."""
    connection = await asyncpg.connect(door.url)
    waiting = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )

    async def until(count: int, *tasks: asyncio.Task) -> None:
        while not any(task.done() for task in tasks):
            if (await door.sql(waiting))[0][0] >= count:
                return

    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE appointments.{lock} MODE")
            yield until
    finally:
        await connection.close()


async def test_the_time_of_a_cancelled_visit_goes_to_the_one_booked_over_it(door: Door):
    under = await door.booked(MARIA, at(2, "10:00"))
    above = await over(door, "bob", at(2, "10:00"))
    assert await clinicians_atoms(door, above) == 0
    await cancel(door, under)
    assert await clinicians_atoms(door, above) == 4
    assert (await door.book(patient("cleo"), at(2, "10:00"))).status_code == 409
    await cancel(door, above)
    assert (await door.sql("SELECT count(*) FROM appointments.atom"))[0][0] == 0
    assert (await door.book(patient("cleo"), at(2, "10:00"))).status_code == 201
    await door.never_wrong()


async def test_of_two_booked_over_a_visit_the_first_gets_its_time_and_then_the_other(door: Door):
    under = await door.booked(MARIA, at(2, "10:00"))
    first, second = [await over(door, who, at(2, "10:00")) for who in ("bob", "cleo")]
    await cancel(door, under)
    assert [await clinicians_atoms(door, each) for each in (first, second)] == [4, 0]
    await cancel(door, first)
    assert await clinicians_atoms(door, second) == 4
    await door.never_wrong()


async def test_the_time_of_a_visit_that_moved_away_goes_to_the_one_booked_over_it(door: Door):
    under = await door.booked(MARIA, at(2, "10:00"))
    above = await over(door, "bob", at(2, "10:10"))
    assert await clinicians_atoms(door, above) == 2
    url = f"/appointments/{under['id']}/reschedule"
    assert (await door.ask(MARIA, "POST", url, {"start": at(2, "11:00")})).status_code == 200
    assert await clinicians_atoms(door, above) == 4
    assert (await door.book(patient("cleo"), at(2, "10:00"))).status_code == 409
    # An overbooked visit that is moved away keeps nothing where it was.
    url = f"/appointments/{above['id']}/reschedule"
    assert (await door.ask(TOM, "POST", url, {"start": at(2, "09:00")})).status_code == 200
    assert (await door.book(patient("cleo"), at(2, "10:00"))).status_code == 201
    await door.never_wrong()


async def test_the_time_of_a_hold_that_is_let_go_goes_to_the_visit_booked_over_it(door: Door):
    held = await hold(door, MARIA, at(2, "10:00"))
    above = await over(door, "bob", at(2, "10:00"))
    gone = await door.ask(MARIA, "DELETE", f"/appointments/holds/{held}")
    assert gone.status_code == 204
    assert await clinicians_atoms(door, above) == 4


async def test_the_time_of_a_group_goes_to_the_visit_booked_over_it_with_its_last_member(door):
    members = [
        await door.booked(patient(f"g{n}"), at(2, "14:00"), visit_type="group") for n in (1, 2)
    ]
    above = await over(door, "bob", at(2, "14:00"))
    await cancel(door, members[0])
    assert await clinicians_atoms(door, above) == 0
    await cancel(door, members[1])
    assert await clinicians_atoms(door, above) == 4
    await door.never_wrong()


async def test_a_visit_cancelled_while_another_is_booked_over_it_leaves_its_time_to_it(
    door: Door,
):
    under = await door.booked(MARIA, at(2, "10:00"))
    async with stalled(door, "overbooking IN ACCESS EXCLUSIVE") as until:
        above = asyncio.create_task(over(door, "bob", at(2, "10:00")))
        await until(1, above)
        gone = asyncio.create_task(cancel(door, under))
        await until(2, gone)
        assert not gone.done(), "the cancelling waits for the one who books over it"
    await gone
    assert await clinicians_atoms(door, await above) == 4
    await door.never_wrong()


async def test_a_visit_booked_over_one_that_is_being_cancelled_gets_its_time(door: Door):
    under = await door.booked(MARIA, at(2, "10:00"))
    async with stalled(door, "outbox IN ACCESS EXCLUSIVE") as until:
        gone = asyncio.create_task(cancel(door, under))
        await until(1, gone)
        above = asyncio.create_task(over(door, "bob", at(2, "10:00")))
        await until(2, above)
    await gone
    assert await clinicians_atoms(door, await above) == 4
    await door.never_wrong()


async def test_many_who_cancel_book_and_book_over_leave_no_time_to_nobody(
    door: Door, postgres_url, key_file
):
    """In two processes at once: a time stays somebody's as long as anybody is booked for it."""
    async with open_door(postgres_url, key_file, beside=door) as beside:
        for turn in range(6):
            start = at(3, "10:00")
            under = await door.booked(patient(f"u{turn}"), start)
            await asyncio.gather(
                cancel(beside if turn % 2 else door, under),
                over(door, f"o{turn}", start),
                over(beside, f"p{turn}", start),
                *(beside.book(patient(f"c{turn}-{n}"), start) for n in range(4)),
            )
            query = (
                "SELECT count(*) FROM appointments.atom WHERE resource ="
                " (SELECT clinician FROM appointments.appointment LIMIT 1)"
            )
            assert (await door.sql(query))[0][0] == 4
            assert (await door.book(patient("late"), start)).status_code == 409
            await door.never_wrong()
            await door.empty()


async def test_an_override_with_a_hold_keeps_its_place_for_good(door: Door):
    held = await hold(door, TOM, at(2, "10:00"), patient="Patient/bob")
    made = await over(door, "bob", at(2, "10:00"), hold=held)
    assert made["id"] == held
    assert await clinicians_atoms(door, made) == 4
    ends = "SELECT count(*) FROM appointments.atom WHERE expires IS NOT NULL"
    assert (await door.sql(ends))[0][0] == 0
    assert (await door.sql("SELECT count(*) FROM appointments.hold"))[0][0] == 0
    given = {"hold": await hold(door, TOM, at(2, "11:00"), patient="Patient/maria"),
             "patient": "Patient/maria", "overbooking": "agreed"}  # fmt: skip
    body = {"resourceType": "Parameters",
            "parameter": [{"name": n, "valueString": v} for n, v in given.items()]}  # fmt: skip
    booked = await door.ask(SYSTEM, "POST", "/fhir/Appointment/$book", body)
    assert booked.status_code == 201, booked.text
    await door.never_wrong()


async def test_an_override_with_a_held_seat_gives_the_seat_back_at_once(door: Door):
    start = at(2, "14:00")
    held = await hold(door, TOM, start, patient="Patient/bob", visit_type="group")
    made = await over(door, "bob", start, hold=held, visit_type="group")
    assert made["overbooked"] is True
    ends = "SELECT count(*) FROM appointments.atom WHERE expires IS NOT NULL"
    assert (await door.sql(ends))[0][0] == 0
    assert await clinicians_atoms(door, made) == 12
    await cancel(door, made)
    for n in (1, 2):
        await door.booked(patient(f"g{n}"), start, visit_type="group")
    await door.never_wrong()


async def test_a_hold_that_is_let_go_while_it_is_confirmed_takes_nothing_from_the_visit(
    door: Door,
):
    start = at(4, "10:00")
    held = await hold(door, MARIA, start)
    async with stalled(door, "appointment IN SHARE") as until:
        confirm = door.ask(MARIA, "POST", "/appointments/bookings", {"hold": held})
        booked = asyncio.create_task(confirm)
        await until(1, booked)
        release = door.ask(MARIA, "DELETE", f"/appointments/holds/{held}")
        gone = asyncio.create_task(release)
        await until(2, gone)
    assert (await gone).status_code in (204, 409)
    other = await door.book(BOB, start)
    assert {(await booked).status_code, other.status_code} == {201, 409}
    await door.never_wrong()
    atoms = "SELECT count(*), count(*) FILTER (WHERE expires IS NULL) FROM appointments.atom"
    assert tuple((await door.sql(atoms))[0]) == (8, 8), "the visit has all of its time"


async def test_an_override_is_for_a_site_at_which_the_clinician_works(door: Door):
    night = at(2, "20:00")
    asked = {"patient": "Patient/bob", "override": "agreed"}
    for site in ("moon", "annex"):
        answer = await door.book(TOM, night, site=site, **asked)
        assert (answer.status_code, answer.json()["place"]) == (422, "site"), answer.text
    made = await door.booked(TOM, night, site="main", **asked)
    assert made["site"] == "main"
    by_day = await door.book(TOM, at(2, "10:00"), site="annex", **asked)
    assert (by_day.status_code, by_day.json()["place"]) == (422, "site")
