"""Schedule, Slot and Appointment at the FHIR door: standard words, the same rules."""

import pytest
from desk_door import SYSTEM, TOM, Door, at, clinician, patient, week

MARIA, BOB = patient("maria"), patient("bob")
VISIT = "urn:polyclinic:visit-type"


@pytest.fixture(autouse=True)
async def empty(door: Door):
    await door.empty()


def appointment(who: str, start: str, **more):
    return {
        "resourceType": "Appointment", "status": "booked", "start": start,
        "end": start.replace("T10:00", "T10:20").replace("T10:40", "T11:00"),
        "serviceType": [{"coding": [{"system": VISIT, "code": "visit"}]}],
        "participant": [
            {"actor": {"reference": f"Patient/{who}", "display": "Somebody"}, "status": "accepted"},
            {"actor": {"reference": "Practitioner/ana"}, "status": "accepted"},
        ],
        **more,
    }  # fmt: skip


def parameters(**given):
    listed = [{"name": name.replace("_", "-"), "valueString": v} for name, v in given.items()]
    return {"resourceType": "Parameters", "parameter": listed}


async def test_creating_an_appointment_books_it_and_a_second_one_meets_a_conflict(door: Door):
    asked = appointment("maria", at(2, "10:00"), reasonCode=[{"text": "knee"}])
    made = await door.ask(SYSTEM, "POST", "/fhir/Appointment", asked)
    assert made.status_code == 201, made.text
    kept = made.json()
    assert kept["reasonCode"] == [{"text": "knee"}]
    assert all("display" not in each["actor"] for each in kept["participant"])
    again = await door.ask(SYSTEM, "POST", "/fhir/Appointment", appointment("bob", at(2, "10:00")))
    assert again.status_code == 409, again.text
    assert again.json()["issue"][0]["code"] == "conflict"
    assert "Nearest" in again.json()["issue"][0]["diagnostics"]
    read = await door.ask(SYSTEM, "GET", f"/fhir/Appointment/{kept['id']}")
    assert read.json()["id"] == kept["id"]
    await door.never_wrong()


async def test_an_update_changes_the_state_as_allowed_and_nothing_else(door: Door):
    made = (
        await door.ask(SYSTEM, "POST", "/fhir/Appointment", appointment("maria", at(2, "10:00")))
    ).json()
    url = f"/fhir/Appointment/{made['id']}"
    moved = await door.ask(SYSTEM, "PUT", url, {**made, "start": at(2, "10:40")})
    assert moved.status_code == 422, moved.text
    arrived = await door.ask(SYSTEM, "PUT", url, {**made, "status": "arrived"})
    assert arrived.status_code == 200, arrived.text
    assert (arrived.json()["status"], arrived.json()["meta"]["versionId"]) == ("arrived", "2")
    back = await door.ask(SYSTEM, "PUT", url, {**made, "status": "pending"})
    assert back.status_code == 409
    assert (await door.ask(SYSTEM, "DELETE", url)).status_code == 405
    assert (await door.book(BOB, at(2, "10:00"))).status_code == 409


async def test_find_hold_and_book_lead_to_an_appointment(door: Door):
    found = await door.ask(
        MARIA, "GET", "/fhir/Appointment/$find?visit-type=visit&practitioner=Practitioner/ana"
    )
    assert found.status_code == 200, found.text
    slots = [entry["resource"] for entry in found.json()["entry"]]
    assert [s["start"] for s in slots] == sorted(s["start"] for s in slots)
    place = {"visit_type": "visit", "practitioner": "Practitioner/ana", "start": slots[3]["start"]}
    held = await door.ask(MARIA, "POST", "/fhir/Appointment/$hold", parameters(**place))
    assert held.status_code == 201, held.text
    hold = held.json()["parameter"][0]["valueString"]
    lost = await door.ask(BOB, "POST", "/fhir/Appointment/$book", parameters(**place))
    assert lost.status_code == 409, lost.text
    booked = await door.ask(MARIA, "POST", "/fhir/Appointment/$book", parameters(hold=hold))
    assert booked.status_code == 201, booked.text
    assert booked.json()["id"] == hold
    url = f"/fhir/Appointment/{hold}/$cancel"
    gone = await door.ask(TOM, "POST", url, parameters(reason="pat-fb"))
    assert gone.status_code == 200, gone.text
    assert gone.content == b"", "the desk is not told why somebody would have come"
    closed = await door.ask(TOM, "GET", f"/fhir/Appointment/{hold}")
    assert closed.status_code == 403, closed.text
    kept = (await door.ask(SYSTEM, "GET", f"/fhir/Appointment/{hold}")).json()
    assert kept["status"] == "cancelled"
    assert kept["cancelationReason"]["coding"][0]["code"] == "pat-fb"


async def test_a_repeated_book_with_its_key_is_one_appointment(door: Door):
    await door.openings(MARIA)  # what is taken is known here, and yet the key comes first
    place = {"visit_type": "visit", "practitioner": "Practitioner/ana", "start": at(2, "10:00")}
    asks = [
        await door.ask(
            MARIA, "POST", "/fhir/Appointment/$book", parameters(**place), idempotency_key="one"
        )
        for _ in range(2)
    ]
    assert [a.status_code for a in asks] == [201, 201]
    assert asks[0].json()["id"] == asks[1].json()["id"]


async def test_slots_are_computed_and_never_written(door: Door):
    day = at(2, "09:00")
    url = f"/fhir/Slot?schedule=Schedule/ana&start=ge{day.replace('+', '%2B')}&_count=200"
    free = (await door.ask(MARIA, "GET", url)).json()["entry"]
    slot = free[0]["resource"]
    assert (slot["status"], slot["schedule"]["reference"]) == ("free", "Schedule/ana")
    one = await door.ask(MARIA, "GET", f"/fhir/Slot/{slot['id']}")
    assert one.json() == slot
    await door.booked(BOB, slot["start"])
    assert (await door.ask(MARIA, "GET", f"/fhir/Slot/{slot['id']}")).status_code == 404
    later = (await door.ask(MARIA, "GET", url)).json()["entry"]
    assert slot["id"] not in {entry["resource"]["id"] for entry in later}
    assert (await door.ask(SYSTEM, "POST", "/fhir/Slot", slot)).status_code == 405
    bad = await door.ask(MARIA, "GET", "/fhir/Slot?colour=red")
    assert (bad.status_code, bad.json()["issue"][0]["expression"]) == (400, ["colour"])


async def test_each_clinician_of_the_set_up_has_a_schedule(door: Door):
    await door.set_up(week("ana", "lena"))
    found = (await door.ask(MARIA, "GET", "/fhir/Schedule")).json()
    assert {e["resource"]["id"] for e in found["entry"]} == {"ana", "lena"}
    assert found["entry"][0]["resource"]["active"] is True
    await door.set_up(week("ana"))
    left = (await door.ask(MARIA, "GET", "/fhir/Schedule/lena")).json()
    assert left["active"] is False
    await door.set_up(week("ana", "lena"))


async def test_a_search_of_appointments_shows_a_clinician_only_their_own(door: Door):
    mine = await door.booked(MARIA, at(2, "10:00"))
    await door.booked(BOB, at(2, "10:00"), "lena")
    found = await door.ask(clinician("ana"), "GET", "/fhir/Appointment?status=booked")
    assert found.status_code == 200, found.text
    assert [e["resource"]["id"] for e in found.json()["entry"]] == [mine["id"]]
    own = await door.ask(MARIA, "GET", "/fhir/Appointment?patient=Patient/maria")
    assert [e["resource"]["id"] for e in own.json()["entry"]] == [mine["id"]]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"participant": []}, "Appointment.participant"),
        ({"serviceType": []}, None),
        ({"start": "2026-11-23T10:00:00"}, None),
        ({"status": "fulfilled"}, "Appointment.status"),
    ],
)
async def test_what_cannot_be_booked_is_refused_with_its_place(door: Door, change, place):
    asked = {**appointment("maria", at(2, "10:00")), **change}
    answer = await door.ask(SYSTEM, "POST", "/fhir/Appointment", asked)
    assert answer.status_code in (400, 422), answer.text
    if place:
        assert place in str(answer.json()["issue"])
