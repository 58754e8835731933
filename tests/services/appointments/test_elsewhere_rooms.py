"""A visit that was booked here keeps its room and its kind when another system changes it."""

from typing import Any

import pytest
from desk_door import TOM, Door, at, open_door, week

SCAN = {
    "id": "scan", "name": "Scan", "minutes": 30, "every": 10, "notice_minutes": 0,
    "room_kind": "scanner",
}  # fmt: skip
ROOMS = [{"id": f"scanner-{n}", "site": "main", "kind": "scanner"} for n in (1, 2)]
CLINICIANS = ("ana", "lena", "sofie")
OTHERS = (("b", "ana"), ("c", "sofie"))


@pytest.fixture(scope="module")
async def opened(postgres_url: str, key_file):
    async with open_door(postgres_url, key_file) as opened:
        yield opened


@pytest.fixture
async def door(opened: Door):
    await opened.empty()
    await opened.set_up(week(*CLINICIANS, types=[SCAN], rooms=ROOMS))
    return opened


async def scan(door: Door, who: str, start: str, doctor: str = "lena") -> dict[str, Any]:
    return await door.booked(TOM, start, doctor, visit_type="scan", patient=f"Patient/{who}")


def told(made: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What the other system says of a visit that was booked here."""
    return {"appointment": made["id"], "patient": made["patient"], "visit_type": "scan"} | more


async def rooms_atoms(door: Door, made: dict[str, Any]) -> int:
    """How many atoms of a room the visit has."""
    query = (
        "SELECT count(*) FROM appointments.atom t JOIN appointments.bookable b"
        " ON b.number = t.resource AND b.kind = 'room' WHERE t.booking::text = $1"
    )
    return (await door.sql(query, made["id"]))[0][0]


async def test_a_visit_that_moves_there_keeps_its_room(door: Door):
    made = await scan(door, "a", at(2, "10:00"))
    moved = (await door.taken_in("1", at(2, "10:10"), **told(made))).json()["appointment"]
    assert (moved["room"], moved["version"]) == (made["room"], 2)
    assert await rooms_atoms(door, moved) == 6
    await door.never_wrong()


async def test_it_takes_another_room_where_its_own_is_taken(door: Door):
    made = await scan(door, "a", at(2, "10:00"))
    others = [await scan(door, who, at(2, "11:00"), doctor) for who, doctor in OTHERS]
    [gone] = [each for each in others if each["room"] != made["room"]]
    assert (await door.ask(TOM, "POST", f"/appointments/{gone['id']}/cancel", {})).is_success
    moved = (await door.taken_in("1", at(2, "11:00"), **told(made))).json()["appointment"]
    assert moved["room"] == gone["room"]
    assert await rooms_atoms(door, moved) == 6
    await door.never_wrong()


async def test_where_no_room_is_free_it_stays_where_it_was(door: Door):
    made = await scan(door, "a", at(2, "10:00"))
    for who, doctor in OTHERS:
        await scan(door, who, at(2, "11:00"), doctor)
    lost = await door.taken_in("1", at(2, "11:00"), **told(made))
    assert (lost.status_code, lost.json()["kind"], lost.json()["place"]) == (
        409, "PlaceTaken", "room",
    )  # fmt: skip
    assert await rooms_atoms(door, made) == 6
    await door.never_wrong()


async def test_what_had_no_room_needs_none_when_it_moves(door: Door):
    first = await door.taken_in("2", at(2, "10:00"), visit_type="scan")
    assert first.json()["appointment"]["room"] is None
    moved = await door.taken_in("2", at(2, "11:00"), visit_type="scan")
    assert moved.json()["appointment"]["room"] is None


@pytest.mark.parametrize("kind", ["scan", "", "X-17"])
async def test_a_kind_that_is_none_of_ours_moves_nothing(door: Door, kind: str):
    made = await scan(door, "a", at(2, "10:00"))
    await door.set_up(week(*CLINICIANS, rooms=ROOMS))  # scans are not offered any more
    answer = await door.taken_in("1", at(2, "10:00"), **told(made, visit_type=kind, reason="Knee"))
    noted = answer.json()["appointment"]
    assert (noted["visit_type"], noted["room"], noted["version"]) == ("scan", made["room"], 2)
    assert await door.said(f"Appointment/{made['id']}") == ["AppointmentBooked"]
    moved = await door.taken_in("1", at(2, "11:00"), **told(made, visit_type=kind))
    assert moved.json()["appointment"]["visit_type"] == "scan"
    await door.never_wrong()


async def test_of_a_kind_that_is_gone_the_room_is_kept_or_the_move_refused(door: Door):
    made = await scan(door, "a", at(2, "10:00"))
    for who, doctor in OTHERS:
        await scan(door, who, at(2, "11:00"), doctor)
    await door.set_up(week(*CLINICIANS, rooms=ROOMS))
    moved = await door.taken_in("1", at(2, "10:10"), **told(made))
    assert moved.json()["appointment"]["room"] == made["room"]
    lost = await door.taken_in("1", at(2, "11:00"), **told(made))
    assert (lost.status_code, lost.json()["kind"]) == (409, "PlaceTaken"), lost.text


async def test_a_visit_that_becomes_one_of_another_kind_gets_a_room_of_that_kind(door: Door):
    types = [SCAN, {**SCAN, "id": "bath", "room_kind": "bath"}]
    rooms = [*ROOMS, {"id": "bath-1", "site": "main", "kind": "bath"}]
    await door.set_up(week(*CLINICIANS, types=types, rooms=rooms))
    made = await scan(door, "a", at(2, "10:00"))
    bath = await door.taken_in("1", at(2, "10:00"), **told(made, visit_type="bath"))
    assert bath.json()["appointment"]["room"] == "bath-1"
    plain = await door.taken_in("1", at(2, "10:00"), **told(made, visit_type="visit"))
    assert plain.json()["appointment"]["room"] is None
    assert await rooms_atoms(door, made) == 0
    await door.never_wrong()
