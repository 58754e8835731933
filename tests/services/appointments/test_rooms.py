"""A room that somebody else was quicker to take is no lost place while another one is free."""

import pytest
from desk_door import TOM, Door, at, open_door, patient, week

SCAN = {
    "id": "scan", "name": "Scan", "minutes": 20, "every": 20, "notice_minutes": 0,
    "room_kind": "scanner",
}  # fmt: skip
ROOMS = [{"id": f"scanner-{n}", "site": "main", "kind": "scanner"} for n in (1, 2)]
WALLS = [f"{hour:02}:{minute:02}" for hour in (9, 10, 11) for minute in (0, 20, 40)]


@pytest.fixture(scope="module")
async def door(postgres_url: str, key_file):
    async with open_door(postgres_url, key_file) as opened:
        await opened.set_up(week("ana", "lena", "sofie", types=[SCAN], rooms=ROOMS))
        yield opened


@pytest.fixture
async def stale(door: Door, postgres_url, key_file):
    """A second process that takes every room for free: it looked before the first one booked."""
    await door.empty()
    async with open_door(
        postgres_url, key_file, beside=door, POLYCLINIC_APPOINTMENTS_OPENING_CACHE_MS="60000"
    ) as beside:
        yield beside


def scan(doctor: str, start: str, **more):
    return {"visit_type": "scan", "practitioner": f"Practitioner/{doctor}", "start": start, **more}


async def looked(stale: Door) -> None:
    await stale.openings(TOM, visit_type="scan", days=3, limit=1)


async def one_room_each(door: Door, kinds: int) -> None:
    query = (
        "SELECT count(*) FROM (SELECT room, start_at FROM appointments.hold UNION ALL"
        " SELECT room, start_at FROM appointments.appointment) AS t GROUP BY start_at"
        " HAVING count(DISTINCT room) = 2 AND count(*) = 2"
    )
    assert len(await door.sql(query)) == kinds
    await door.never_wrong()


async def test_a_hold_takes_the_other_room_and_names_the_room_when_there_is_none(door, stale):
    for n, wall in enumerate(WALLS):
        start = at(2, wall)
        await looked(stale)
        await door.booked(patient(f"a{n}"), start, visit_type="scan")
        held = await stale.ask(patient(f"b{n}"), "POST", "/appointments/holds", scan("lena", start))
        assert held.status_code == 201, held.text
        stale.desk.calendar.forget()
    await one_room_each(door, len(WALLS))
    atoms = "SELECT count(*) FROM appointments.atom"
    assert (await door.sql(atoms))[0][0] == len(WALLS) * (12 + 8), "nothing is left of lost rooms"
    third = await stale.ask(
        patient("c"), "POST", "/appointments/holds", scan("sofie", at(2, "09:00"))
    )
    assert (third.status_code, third.json()["place"]) == (409, "room"), third.text
    assert "room" in third.json()["error_description"]
    assert len(third.json()["nearest"]) == 3


async def test_a_room_that_is_lost_at_the_last_moment_is_named_too(door, stale):
    start = at(2, "09:00")
    await looked(stale)
    for who, doctor in (("a", "ana"), ("b", "lena")):
        await door.booked(patient(who), start, doctor, visit_type="scan")
    for path in ("/appointments/holds", "/appointments/bookings"):
        lost = await stale.ask(patient("c"), "POST", path, scan("sofie", start))
        assert (lost.status_code, lost.json()["kind"]) == (409, "PlaceTaken")
        assert lost.json()["place"] == "room"
        stale.desk.calendar.forget()
        await looked(stale)
    taken = await stale.ask(patient("c"), "POST", "/appointments/holds", scan("ana", start))
    assert taken.json()["place"] in ("room", "start")


async def test_a_move_takes_the_other_room(door, stale):
    for n, wall in enumerate(WALLS):
        start = at(2, wall)
        mine = await door.booked(patient(f"b{n}"), at(3, wall), "lena", visit_type="scan")
        stale.desk.calendar.forget()
        await looked(stale)
        await door.booked(patient(f"a{n}"), start, visit_type="scan")
        url = f"/appointments/{mine['id']}/reschedule"
        moved = await stale.ask(patient(f"b{n}"), "POST", url, {"start": start})
        assert moved.status_code == 200, moved.text
    await one_room_each(door, len(WALLS))
    atoms = "SELECT count(*) FROM appointments.atom"
    assert (await door.sql(atoms))[0][0] == len(WALLS) * 24


async def test_an_offer_from_the_waiting_list_takes_the_other_room(door, stale):
    for n, wall in enumerate(WALLS):
        start = at(2, wall)
        wish = {"visit_type": "scan", "from": at(0, wall)[:10], "until": at(9, wall)[:10]}
        made = await door.ask(patient(f"b{n}"), "POST", "/appointments/waitlist", wish)
        stale.desk.calendar.forget()
        await looked(stale)
        await door.booked(patient(f"a{n}"), start, visit_type="scan")
        url = f"/appointments/waitlist/{made.json()['waiting']['id']}/offer"
        offered = await stale.ask(TOM, "POST", url, scan("lena", start))
        assert offered.status_code == 201, offered.text
    await one_room_each(door, len(WALLS))
