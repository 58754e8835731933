"""What another system booked is taken in as it is, and still nobody is in two places."""

from typing import Any

from desk_door import SYSTEM, TOM, Door, at, patient

from polyclinic.contracts.appointments import elsewhere_id


async def _taken_in(door: Door, number: str, start: str, who: Any = SYSTEM, **changes: Any) -> Any:
    body = {
        "source": "HIS", "key": number, "patient": f"Patient/{number}",
        "practitioner": "Practitioner/lena", "start": start, "minutes": 30,
    }  # fmt: skip
    return await door.ask(who, "POST", "/appointments/elsewhere", body | changes)


async def test_a_booking_outside_our_hours_is_taken_in_and_written_down(door: Door) -> None:
    answer = await _taken_in(door, "e1", at(40, "19:02"))
    assert answer.status_code == 201, answer.text
    made = answer.json()["appointment"]
    assert made["id"] == str(elsewhere_id("HIS", "e1"))
    assert (made["visit_type"], made["minutes"], made["overbooked"]) == ("elsewhere", 35, False)
    rows = await door.sql(
        "SELECT actor, in_hours FROM appointments.elsewhere WHERE appointment = $1",
        elsewhere_id("HIS", "e1"),
    )
    assert [tuple(row) for row in rows] == [(SYSTEM.subject, False)]
    shown = await door.ask(patient("e1"), "GET", f"/fhir/Appointment/{made['id']}")
    assert shown.json()["status"] == "booked", shown.text


async def test_said_again_it_is_the_same_and_said_otherwise_it_moves(door: Door) -> None:
    first = await _taken_in(door, "e2", at(41, "10:00"), reason="Cough")
    again = await _taken_in(door, "e2", at(41, "10:00"), reason="Cough")
    assert (again.status_code, again.json()["appointment"]["version"]) == (200, 1)
    moved = await _taken_in(door, "e2", at(41, "10:20"), visit_type="visit", minutes=20)
    assert moved.status_code == 200, moved.text
    assert moved.json()["appointment"]["id"] == first.json()["appointment"]["id"]
    assert moved.json()["appointment"]["version"] == 2
    assert (await door.book(TOM, at(41, "10:00"), "lena", patient="Patient/e3")).status_code == 201


async def test_what_is_taken_stays_taken(door: Door) -> None:
    await door.booked(TOM, at(42, "10:00"), "lena", patient="Patient/e4")
    taken = await _taken_in(door, "e5", at(42, "09:45"))
    assert (taken.status_code, taken.json()["kind"]) == (409, "PlaceTaken")
    assert (await _taken_in(door, "e6", at(42, "11:00"))).status_code == 201
    twice = await _taken_in(
        door, "e7", at(42, "11:10"), patient="Patient/e6", practitioner="Practitioner/ana"
    )
    assert (twice.status_code, twice.json()["kind"]) == (409, "AlreadyThere")


async def test_a_cancelled_one_is_not_moved_and_a_number_is_one_patients(door: Door) -> None:
    made = (await _taken_in(door, "e8", at(43, "10:00"))).json()["appointment"]
    other = await _taken_in(door, "e8", at(43, "10:00"), patient="Patient/e9")
    assert (other.status_code, other.json()["kind"]) == (409, "Anothers")
    await door.ask(SYSTEM, "POST", f"/appointments/{made['id']}/cancel", {})
    gone = await _taken_in(door, "e8", at(43, "11:00"))
    assert (gone.status_code, gone.json()["kind"]) == (409, "WrongState")


async def test_only_programs_bring_them_and_only_what_can_be(door: Door) -> None:
    assert (await _taken_in(door, "e10", at(44, "10:00"), who=TOM)).status_code == 403
    nobody = await _taken_in(door, "e10", at(44, "10:00"), practitioner="Practitioner/nobody")
    assert (nobody.status_code, nobody.json()["place"]) == (422, "practitioner")
    for wrong in ({"minutes": 0}, {"minutes": 5000}, {"source": ""}, {"key": ""}):
        answer = await _taken_in(door, "e11", at(44, "10:00"), **wrong)
        assert answer.status_code == 400, answer.text
    assert (await _taken_in(door, "e12", at(44, "10:00"), site="moon")).status_code == 422
