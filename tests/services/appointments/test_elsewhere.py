"""What another system booked is taken in as it is, and still nobody is in two places."""

from desk_door import SYSTEM, TOM, Door, at, patient

from polyclinic.contracts.appointments import elsewhere_id


async def test_a_booking_outside_our_hours_is_taken_in_and_written_down(door: Door) -> None:
    answer = await door.taken_in("e1", at(40, "19:02"))
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
    first = await door.taken_in("e2", at(41, "10:00"), reason="Cough")
    again = await door.taken_in("e2", at(41, "10:00"), reason="Cough")
    assert (again.status_code, again.json()["appointment"]["version"]) == (200, 1)
    moved = await door.taken_in("e2", at(41, "10:20"), visit_type="visit", minutes=20)
    assert moved.status_code == 200, moved.text
    assert moved.json()["appointment"]["id"] == first.json()["appointment"]["id"]
    assert moved.json()["appointment"]["version"] == 2
    assert (await door.book(TOM, at(41, "10:00"), "lena", patient="Patient/e3")).status_code == 201


async def test_what_is_taken_stays_taken(door: Door) -> None:
    await door.booked(TOM, at(42, "10:00"), "lena", patient="Patient/e4")
    taken = await door.taken_in("e5", at(42, "09:45"))
    assert (taken.status_code, taken.json()["kind"]) == (409, "PlaceTaken")
    assert (await door.taken_in("e6", at(42, "11:00"))).status_code == 201
    twice = await door.taken_in(
        "e7", at(42, "11:10"), patient="Patient/e6", practitioner="Practitioner/ana"
    )
    assert (twice.status_code, twice.json()["kind"]) == (409, "AlreadyThere")


async def test_a_cancelled_one_is_not_moved_and_a_number_is_one_patients(door: Door) -> None:
    made = (await door.taken_in("e8", at(43, "10:00"))).json()["appointment"]
    other = await door.taken_in("e8", at(43, "10:00"), patient="Patient/e9")
    assert (other.status_code, other.json()["kind"]) == (409, "Anothers")
    await door.ask(SYSTEM, "POST", f"/appointments/{made['id']}/cancel", {})
    gone = await door.taken_in("e8", at(43, "11:00"))
    assert (gone.status_code, gone.json()["kind"]) == (409, "WrongState")


async def test_only_programs_bring_them_and_only_what_can_be(door: Door) -> None:
    assert (await door.taken_in("e10", at(44, "10:00"), who=TOM)).status_code == 403
    nobody = await door.taken_in("e10", at(44, "10:00"), practitioner="Practitioner/nobody")
    assert (nobody.status_code, nobody.json()["place"]) == (422, "practitioner")
    for wrong in ({"minutes": 0}, {"minutes": 5000}, {"source": ""}, {"key": ""}):
        answer = await door.taken_in("e11", at(44, "10:00"), **wrong)
        assert answer.status_code == 400, answer.text
    assert (await door.taken_in("e12", at(44, "10:00"), site="moon")).status_code == 422


async def test_what_is_over_elsewhere_is_history_here_and_nobody_is_told(door: Door) -> None:
    seen = (await door.taken_in("e13", at(-40, "10:00"), status="fulfilled")).json()
    missed = (await door.taken_in("e14", at(-40, "10:30"), status="noshow")).json()
    off = (await door.taken_in("e15", at(-40, "10:00"), status="cancelled")).json()
    made = [each["appointment"] for each in (seen, missed, off)]
    assert [each["status"] for each in made] == ["fulfilled", "noshow", "cancelled"]
    assert [each["version"] for each in made] == [1, 1, 1]
    for each in made:
        assert await door.said(f"Appointment/{each['id']}") == [], "old visits open no bill"
    early = await door.taken_in("e16", at(40, "10:00"), status="fulfilled")
    assert (early.status_code, early.json()["kind"]) == (422, "NotYet")
    await door.never_wrong()


async def test_it_follows_the_other_system_to_its_end_and_back(door: Door) -> None:
    made = (await door.taken_in("e17", at(45, "10:00"), reason="Cough")).json()["appointment"]
    subject = f"Appointment/{made['id']}"
    moved = await door.taken_in("e17", at(0, "00:05"), status="fulfilled", reason="")
    assert moved.json()["appointment"]["status"] == "fulfilled", moved.text
    assert await door.said(subject) == [
        "AppointmentBooked", "AppointmentMoved", "PatientArrived", "AppointmentFulfilled",
    ]  # fmt: skip
    shown = (await door.ask(SYSTEM, "GET", f"/appointments/{made['id']}")).json()["appointment"]
    assert shown["reason"] is None, "it was taken away there"
    back = await door.taken_in("e17", at(0, "00:05"), status="booked")
    assert back.json()["appointment"]["status"] == "booked"
    assert (await door.book(TOM, at(45, "10:00"), "lena", patient="Patient/e18")).status_code == 201
    off = await door.taken_in("e17", at(45, "10:00"), status="cancelled")
    assert off.json()["appointment"]["status"] == "cancelled", "a time is not taken for it"
    again = await door.taken_in("e17", at(45, "10:00"), status="booked")
    assert (again.status_code, again.json()["kind"]) == (409, "WrongState")
    versions = await door.ask(SYSTEM, "GET", f"/fhir/{subject}/_history")
    kept = [e["resource"]["meta"]["versionId"] for e in versions.json()["entry"]]
    assert kept == sorted(kept, key=int, reverse=True)
    assert int(kept[0]) == off.json()["appointment"]["version"]
    await door.never_wrong()


async def test_a_change_of_the_reason_alone_moves_nothing(door: Door) -> None:
    made = (await door.taken_in("e19", at(46, "10:00"), reason="Cough")).json()["appointment"]
    await door.taken_in("e19", at(46, "10:00"), reason="Fever")
    assert await door.said(f"Appointment/{made['id']}") == ["AppointmentBooked"]
    document = (await door.ask(SYSTEM, "GET", f"/fhir/Appointment/{made['id']}")).json()
    assert document["reasonCode"] == [{"text": "Fever"}]
    assert document["identifier"] == [{"system": "HIS", "value": "e19"}]
    assert document["meta"]["versionId"] == "2"


async def test_what_was_booked_here_first_learns_its_number_there(door: Door) -> None:
    made = await door.booked(TOM, at(47, "10:00"), "lena", patient="Patient/e20", reason="Knee")
    asked = {"appointment": made["id"], "patient": "Patient/e20", "visit_type": "visit"}
    known = await door.taken_in("77", at(47, "10:00"), minutes=20, version=1, **asked)
    assert known.json()["appointment"]["version"] == 2, known.text
    document = (await door.ask(SYSTEM, "GET", f"/fhir/Appointment/{made['id']}")).json()
    assert document["identifier"] == [{"system": "HIS", "value": "77"}]
    assert document["reasonCode"] == [{"text": "Knee"}], "what is not said of stays"
    assert await door.said(f"Appointment/{made['id']}") == ["AppointmentBooked"]
    stale = await door.taken_in("77", at(47, "11:00"), minutes=20, version=1, **asked)
    assert stale.status_code == 412, "somebody was quicker"
    moved = await door.taken_in("77", at(47, "11:00"), minutes=20, version=2, **asked)
    assert moved.json()["appointment"]["id"] == made["id"]
    nowhere = {**asked, "appointment": "8ae1b1a8-5a4e-4d62-9d0e-0f6c3c1f9b11"}
    assert (await door.taken_in("78", at(47, "12:00"), **nowhere)).status_code == 404
    unknown = await door.taken_in("79", at(47, "12:00"), status="proposed")
    assert unknown.status_code == 400
    put = await door.ask(SYSTEM, "PUT", f"/fhir/Appointment/{made['id']}", {
        **{k: v for k, v in document.items() if k != "identifier"},
        "status": "arrived", "start": moved.json()["appointment"]["start"],
        "end": moved.json()["appointment"]["end"],
    })  # fmt: skip
    assert put.status_code == 200, put.text
    assert put.json()["identifier"] == [{"system": "HIS", "value": "77"}]
