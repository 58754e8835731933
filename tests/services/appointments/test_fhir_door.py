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


CODED = [{"coding": [{"system": VISIT, "code": "other"}]}]


@pytest.mark.parametrize(
    ("change", "element"),
    [
        ({"comment": "bring shoes"}, "comment"),
        ({"reasonCode": [{"text": "elbow"}]}, "reasonCode"),
        ({"reasonCode": None}, "reasonCode"),
        ({"end": at(2, "11:00")}, "end"),
        ({"minutesDuration": 45}, "minutesDuration"),
        ({"serviceType": CODED}, "serviceType"),
        ({"priority": 1}, "priority"),
        ({"description": "urgent"}, "description"),
        ({"cancelationReason": {"text": "why not"}}, "cancelationReason"),
        ({"id": "another"}, "id"),
    ],
)
async def test_an_update_that_asks_for_more_than_a_state_is_refused_by_its_element(
    door: Door, change, element
):
    asked = appointment("maria", at(2, "10:00"), reasonCode=[{"text": "knee"}])
    made = (await door.ask(SYSTEM, "POST", "/fhir/Appointment", asked)).json()
    sent = {**made, "status": "arrived", **change}
    sent = {name: value for name, value in sent.items() if value is not None}
    answer = await door.ask(SYSTEM, "PUT", f"/fhir/Appointment/{made['id']}", sent)
    assert answer.status_code == 422, answer.text
    assert answer.json()["issue"][0]["expression"] == [f"Appointment.{element}"]
    kept = (await door.ask(SYSTEM, "GET", f"/fhir/Appointment/{made['id']}")).json()
    assert (kept["status"], kept["meta"]["versionId"]) == ("booked", "1")


async def test_a_participant_who_was_put_in_or_declined_is_refused(door: Door):
    made = (
        await door.ask(SYSTEM, "POST", "/fhir/Appointment", appointment("maria", at(2, "10:00")))
    ).json()
    url = f"/fhir/Appointment/{made['id']}"
    more = {"actor": {"reference": "Practitioner/lena"}, "status": "accepted"}
    declined = [{**each, "status": "declined"} for each in made["participant"]]
    for people in ([*made["participant"], more], declined, made["participant"][:1]):
        answer = await door.ask(SYSTEM, "PUT", url, {**made, "participant": people})
        assert answer.status_code == 422, answer.text
        assert "Appointment.participant" in str(answer.json()["issue"])


async def test_an_update_says_the_same_in_other_words_and_may_leave_out_what_follows(door: Door):
    made = (
        await door.ask(SYSTEM, "POST", "/fhir/Appointment", appointment("maria", at(2, "10:00")))
    ).json()
    url = f"/fhir/Appointment/{made['id']}"
    people = [
        {**each, "actor": {**each["actor"], "display": "Somebody"}} for each in made["participant"]
    ]
    sent = {**made, "status": "arrived", "start": at(2, "10:00"), "participant": people[::-1]}
    for name in ("created", "minutesDuration", "meta"):
        sent.pop(name, None)
    arrived = await door.ask(SYSTEM, "PUT", url, sent)
    assert arrived.status_code == 200, arrived.text
    stale = await door.ask(SYSTEM, "PUT", url, arrived.json(), if_match='W/"1"')
    assert stale.status_code == 412, stale.text
    same = await door.ask(SYSTEM, "PUT", url, arrived.json(), if_match='W/"2"')
    assert (same.status_code, same.json()["meta"]["versionId"]) == (200, "2")


async def test_the_desk_updates_a_state_without_knowing_why_somebody_comes(door: Door):
    asked = appointment("maria", at(2, "10:00"), reasonCode=[{"text": "knee"}], comment="shoes")
    made = (await door.ask(SYSTEM, "POST", "/fhir/Appointment", asked)).json()
    sent = {n: v for n, v in made.items() if n not in ("reasonCode", "comment")}
    cancelled = {"coding": [{
        "system": "http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason",
        "code": "pat-fb"}]}  # fmt: skip
    sent |= {"status": "cancelled", "cancelationReason": cancelled}
    answer = await door.ask(TOM, "PUT", f"/fhir/Appointment/{made['id']}", sent)
    assert answer.status_code == 200, answer.text
    kept = (await door.ask(SYSTEM, "GET", f"/fhir/Appointment/{made['id']}")).json()
    assert (kept["status"], kept["comment"]) == ("cancelled", "shoes")
    assert kept["cancelationReason"]["coding"][0]["code"] == "pat-fb"
    other = {"coding": [{**cancelled["coding"][0], "code": "pat-mv"}]}
    again = {**kept, "cancelationReason": other}
    refused = await door.ask(SYSTEM, "PUT", f"/fhir/Appointment/{made['id']}", again)
    assert refused.status_code == 422, refused.text


async def test_schedules_and_slots_take_no_update_at_all(door: Door):
    await door.set_up(week("ana", "lena"))
    schedule = (await door.ask(SYSTEM, "GET", "/fhir/Schedule/ana")).json()
    for changed in (schedule, {**schedule, "active": False}):
        answer = await door.ask(SYSTEM, "PUT", "/fhir/Schedule/ana", changed)
        assert answer.status_code == 405, answer.text
    slot = {"resourceType": "Slot", "id": "1.1.visit", "status": "busy"}
    assert (await door.ask(SYSTEM, "PUT", "/fhir/Slot/1.1.visit", slot)).status_code == 405


async def test_who_may_not_update_an_appointment_is_refused_and_logged(door: Door):
    made = (
        await door.ask(SYSTEM, "POST", "/fhir/Appointment", appointment("maria", at(2, "10:00")))
    ).json()
    url = f"/fhir/Appointment/{made['id']}"
    denied = (
        "SELECT count(*) FROM appointments.access_log"
        " WHERE actor = $1 AND outcome = 8 AND action::text = $2"
    )
    for who, method, action in ((BOB, "PUT", "u"), (BOB, "DELETE", "d"), (TOM, "GET", "r")):
        before = (await door.sql(denied, who.subject, action))[0][0]
        body = {**made, "status": "arrived"} if method == "PUT" else None
        answer = await door.ask(who, method, url, body)
        assert answer.status_code == 403, answer.text
        assert (await door.sql(denied, who.subject, action))[0][0] == before + 1, method


async def test_a_chart_asked_for_schedules_opens_to_those_who_care_for_the_patient(door: Door):
    """A clinician's Schedule is open to all, one in a patient's chart is not."""
    await door.set_up(week("ana", "lena"))
    await door.booked(MARIA, at(2, "10:00"))
    asked = "/fhir/Schedule?actor=Patient/maria"
    assert (await door.ask(clinician("ana"), "GET", asked)).status_code == 200
    closed = await door.ask(clinician("lena"), "GET", asked)
    assert closed.status_code == 403, closed.text
    open_to_all = await door.ask(clinician("lena"), "GET", "/fhir/Schedule?actor=Practitioner/ana")
    assert [e["resource"]["id"] for e in open_to_all.json()["entry"]] == ["ana"]
