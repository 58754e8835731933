"""What another system had at a time that is taken here is kept when it is history."""

from typing import Any

import pytest
from desk_door import SYSTEM, TOM, Door, at, week

ANA = {"practitioner": "Practitioner/ana"}


@pytest.fixture(autouse=True)
async def empty(door: Door):
    await door.empty()


async def atoms(door: Door, made: dict[str, Any]) -> int:
    query = "SELECT count(*) FROM appointments.atom WHERE booking::text = $1"
    return (await door.sql(query, made["id"]))[0][0]


async def kept(door: Door, number: str, start: str, **more: Any) -> dict[str, Any]:
    answer = await door.taken_in(number, start, **more)
    assert answer.is_success, answer.text
    return answer.json()["appointment"]


async def refused(door: Door, number: str, start: str, **more: Any) -> str:
    answer = await door.taken_in(number, start, **more)
    assert answer.status_code == 409, answer.text
    return answer.json()["kind"]


@pytest.mark.parametrize("status", ["booked", "fulfilled", "noshow", "cancelled"])
async def test_history_at_a_taken_time_is_kept_as_overbooked(door: Door, status: str):
    first = await kept(door, "1", at(-1, "10:00"), status="fulfilled")
    second = await kept(door, "2", at(-1, "10:10"), status=status)
    assert (first["status"], first["overbooked"]) == ("fulfilled", False)
    assert (second["status"], second["overbooked"]) == (status, status != "cancelled")
    assert (await atoms(door, first), await atoms(door, second)) == (12, 0)
    again = await kept(door, "2", at(-1, "10:10"), status=status)
    assert again["version"] == 1, "said again it is the same"
    shown = await door.ask(SYSTEM, "GET", f"/fhir/Appointment/{second['id']}")
    assert shown.json()["identifier"] == [{"system": "HIS", "value": "2"}]
    third = await kept(door, "3", at(-1, "10:30"), status=status)
    assert third["overbooked"] is False, "what has no time takes none from others"
    await door.never_wrong()


async def test_a_patient_may_have_been_at_two_places(door: Door):
    await kept(door, "1", at(-1, "10:00"), status="fulfilled")
    same = {"patient": "Patient/1", "status": "fulfilled", **ANA}
    second = await kept(door, "2", at(-1, "10:10"), **same)
    assert (second["overbooked"], await atoms(door, second)) == (True, 0)
    assert (await kept(door, "3", at(-1, "10:30"), **ANA))["overbooked"] is False
    await door.never_wrong()


async def test_members_of_a_full_group_leave_nothing_of_it_behind(door: Door):
    group = {"id": "group", "name": "Group", "minutes": 60, "every": 60, "notice_minutes": 0,
             "capacity": 2}  # fmt: skip
    await door.set_up(week("ana", "lena", types=[group]))
    told = {"visit_type": "group", "minutes": 60, "status": "fulfilled"}
    members = [await kept(door, f"{n}", at(-1, "10:00"), **told) for n in (1, 2, 3)]
    assert [each["overbooked"] for each in members] == [False, False, True]
    over = await kept(door, "4", at(-1, "10:30"), **told)
    assert (over["overbooked"], await atoms(door, over)) == (True, 0)
    assert (await kept(door, "5", at(-1, "11:00"), **told))["overbooked"] is False
    await door.never_wrong()


async def test_what_moves_into_the_past_leaves_its_time_and_is_kept_there(door: Door):
    await kept(door, "1", at(-1, "10:00"), status="fulfilled")
    made = await kept(door, "2", at(2, "10:00"))
    moved = await kept(door, "2", at(-1, "10:10"), status="fulfilled")
    assert (moved["id"], moved["status"], moved["overbooked"]) == (made["id"], "fulfilled", True)
    assert await atoms(door, moved) == 0
    await door.booked(TOM, at(2, "10:00"), "lena", patient="Patient/3")
    back = await kept(door, "2", at(-1, "10:10"), status="booked")
    assert back["overbooked"] is True
    assert await refused(door, "2", at(2, "10:10")) == "PlaceTaken"
    there = await kept(door, "2", at(2, "11:00"))
    assert (there["overbooked"], await atoms(door, there)) == (False, 12)
    await door.never_wrong()


async def test_what_is_given_back_of_its_time_is_its_own(door: Door):
    first = await kept(door, "1", at(-1, "10:00"))
    second = await kept(door, "2", at(-1, "10:10"))
    assert (second["overbooked"], await atoms(door, second)) == (True, 0)
    await kept(door, "1", at(-1, "10:00"), status="cancelled")
    assert (await atoms(door, first), await atoms(door, second)) == (0, 6)
    await door.never_wrong()


async def test_what_was_over_too_early_needs_its_time_to_stand_again(door: Door):
    under = await kept(door, "1", at(2, "10:00"))
    await kept(door, "2", at(2, "11:00"))
    over = await kept(door, "2", at(2, "10:10"), status="fulfilled")
    assert (over["overbooked"], await atoms(door, over)) == (True, 0)
    assert await refused(door, "2", at(2, "10:10"), status="booked") == "PlaceTaken"
    await kept(door, "1", at(2, "10:00"), status="cancelled")
    stands = await kept(door, "2", at(2, "10:10"), status="booked")
    assert (stands["status"], stands["overbooked"]) == ("booked", False)
    assert (await atoms(door, under), await atoms(door, stands)) == (0, 12)
    shown = await door.ask(SYSTEM, "GET", f"/fhir/Appointment/{stands['id']}")
    assert shown.json()["meta"]["versionId"] == str(stands["version"])
    assert "extension" not in shown.json()
    await door.never_wrong()


async def test_what_the_desk_booked_over_a_taken_time_stands_as_it_does(door: Door):
    await kept(door, "1", at(2, "10:00"))
    made = await door.booked(TOM, at(2, "10:10"), "lena", patient="Patient/2", override="fever")
    told = {"appointment": made["id"], "minutes": 20}
    for status in ("fulfilled", "booked"):
        seen = await kept(door, "2", at(2, "10:10"), status=status, **told)
        assert (seen["status"], seen["overbooked"]) == (status, True)


async def test_what_is_to_come_is_refused_as_ever(door: Door):
    await kept(door, "1", at(2, "10:00"))
    for status in (None, "booked", "arrived", "checked-in"):
        assert await refused(door, "2", at(2, "10:10"), status=status) == "PlaceTaken"
        twice = {"patient": "Patient/1", "status": status, **ANA}
        assert await refused(door, "3", at(2, "10:10"), **twice) == "AlreadyThere"
    await kept(door, "4", at(2, "11:00"))
    assert await refused(door, "4", at(2, "10:10")) == "PlaceTaken"
    assert (await door.sql("SELECT count(*) FROM appointments.atom"))[0][0] == 24
    await door.never_wrong()


async def test_the_auditor_still_finds_a_patient_at_two_places_to_come(door: Door):
    await kept(door, "1", at(2, "10:00"))
    await kept(door, "2", at(2, "10:10"), **ANA)
    await door.sql(
        "UPDATE appointments.appointment SET person ="
        " (SELECT person FROM appointments.appointment WHERE patient = 'Patient/1')"
        " WHERE patient = 'Patient/2'"
    )
    assert await door.desk_audit() == {"patient": 1}
