"""The desk's day over HTTP: find, hold, book, move, cancel, arrive."""

import asyncio
from datetime import datetime

import pytest
from desk_door import SAM, SYSTEM, TOM, Door, at, clinician, patient, week
from icalendar import Calendar

from polyclinic.foundation import clock

MARIA, BOB = patient("maria"), patient("bob")


@pytest.fixture(autouse=True)
async def empty(door: Door):
    await door.empty()


async def test_an_opening_that_was_booked_is_no_opening_any_more(door: Door):
    found = await door.openings(MARIA, limit=500, days=3)
    assert len({(o["practitioner"], o["start"]) for o in found}) == len(found) > 20
    first = found[0]
    booked = await door.booked(MARIA, first["start"], first["practitioner"].split("/")[1])
    assert (booked["status"], booked["start"]) == ("booked", first["start"])
    again = await door.openings(BOB, limit=500, days=3)
    assert (first["practitioner"], first["start"]) not in {
        (o["practitioner"], o["start"]) for o in again
    }
    await door.never_wrong()


async def test_a_taken_place_is_refused_with_the_three_nearest(door: Door):
    await door.booked(MARIA, at(2, "10:00"))
    answer = await door.book(BOB, at(2, "10:00"))
    assert answer.status_code == 409
    refused = answer.json()
    assert refused["kind"] == "PlaceTaken"
    walls = [o["local_start"][11:16] for o in refused["nearest"]]
    assert len(walls) == 3
    assert set(walls) <= {"09:20", "09:40", "10:20", "10:40"}


async def test_a_patient_cannot_be_in_two_places(door: Door):
    await door.booked(MARIA, at(2, "10:00"))
    answer = await door.book(MARIA, at(2, "10:00"), "lena")
    assert answer.status_code == 409
    assert answer.json()["kind"] == "AlreadyThere"
    assert (await door.book(BOB, at(2, "10:00"), "lena")).status_code == 201
    await door.never_wrong()


async def test_a_hold_keeps_a_place_for_its_holder_only(door: Door):
    start = at(3, "09:00")
    body = {"visit_type": "visit", "practitioner": "Practitioner/ana", "start": start}
    held = (await door.ask(MARIA, "POST", "/appointments/holds", body)).json()["hold"]
    assert (await door.book(BOB, start)).status_code == 409
    stolen = await door.ask(BOB, "POST", "/appointments/bookings", {"hold": held["id"]})
    assert stolen.status_code == 409
    answer = await door.ask(
        MARIA, "POST", "/appointments/bookings", {"hold": held["id"], "reason": "knee"}
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["appointment"]["id"] == held["id"]
    await door.never_wrong()


async def test_a_second_hold_of_a_patient_ends_the_first(door: Door):
    for wall in ("09:00", "09:20"):
        body = {"visit_type": "visit", "practitioner": "Practitioner/ana", "start": at(3, wall)}
        assert (await door.ask(MARIA, "POST", "/appointments/holds", body)).status_code == 201
    assert (await door.book(BOB, at(3, "09:00"))).status_code == 201
    assert (await door.book(BOB, at(3, "09:20"))).status_code == 409


async def test_a_place_whose_hold_ended_with_the_next_is_free_at_once(door: Door):
    for doctor in ("ana", "lena"):
        body = {"visit_type": "visit", "practitioner": f"Practitioner/{doctor}",
                "start": at(3, "09:00")}  # fmt: skip
        assert (await door.ask(MARIA, "POST", "/appointments/holds", body)).status_code == 201
        lost = await door.book(BOB, at(3, "09:00"), doctor)
        assert lost.status_code == 409, "what is nearest was looked up, and the hold with it"
    assert (await door.book(BOB, at(3, "09:00"))).status_code == 201


async def test_an_ended_hold_gives_way_and_its_holder_may_still_come_first(
    door: Door, postgres_url, key_file
):
    from desk_door import open_door

    async with open_door(
        postgres_url, key_file, beside=door, POLYCLINIC_APPOINTMENTS_HOLD_SECONDS="1"
    ) as quick:
        ids = []
        for who, wall in ((MARIA, "14:00"), (BOB, "14:20")):
            body = {"visit_type": "visit", "practitioner": "Practitioner/ana", "start": at(3, wall)}
            answer = await quick.ask(who, "POST", "/appointments/holds", body)
            ids.append(answer.json()["hold"]["id"])
        await door.sql("SELECT pg_sleep(1.1)")
        assert (await quick.book(patient("cleo"), at(3, "14:00"))).status_code == 201
        late = await quick.ask(MARIA, "POST", "/appointments/bookings", {"hold": ids[0]})
        assert late.status_code == 409
        assert late.json()["kind"] == "PlaceTaken"
        kept = await quick.ask(BOB, "POST", "/appointments/bookings", {"hold": ids[1]})
        assert kept.status_code == 201
        await quick.never_wrong()


async def test_rescheduling_keeps_the_old_place_until_the_new_one_is_sure(door: Door):
    mine = await door.booked(MARIA, at(2, "10:00"), reason="secret knee")
    await door.booked(BOB, at(2, "11:00"))
    url = f"/appointments/{mine['id']}/reschedule"
    lost = await door.ask(MARIA, "POST", url, {"start": at(2, "11:00")})
    assert lost.status_code == 409
    assert len(lost.json()["nearest"]) == 3
    assert (await door.book(BOB, at(2, "10:00"))).status_code == 409
    moved = await door.ask(MARIA, "POST", url, {"start": at(2, "10:20")})
    assert moved.status_code == 200, moved.text
    assert moved.json()["appointment"]["version"] == 2
    assert (await door.book(BOB, at(2, "10:00"))).status_code == 201
    found = (await door.ask(MARIA, "GET", f"/appointments/{mine['id']}")).json()["appointment"]
    assert found["reason"] == "secret knee"
    resource = (await door.ask(SYSTEM, "GET", f"/fhir/Appointment/{mine['id']}")).json()
    assert resource["meta"]["versionId"] == "2"
    assert datetime.fromisoformat(resource["start"]) == datetime.fromisoformat(at(2, "10:20"))
    await door.never_wrong()


async def test_rescheduling_with_a_hold_and_onto_a_time_that_overlaps_itself(door: Door):
    mine = await door.booked(MARIA, at(2, "10:00"))
    body = {"visit_type": "visit", "practitioner": "Practitioner/lena", "start": at(2, "10:00")}
    held = (await door.ask(MARIA, "POST", "/appointments/holds", body)).json()["hold"]
    url = f"/appointments/{mine['id']}/reschedule"
    moved = await door.ask(MARIA, "POST", url, {"hold": held["id"]})
    assert moved.status_code == 200, moved.text
    assert moved.json()["appointment"]["practitioner"] == "Practitioner/lena"
    assert (await door.ask(TOM, "POST", url, {"start": at(2, "10:10")})).status_code == 200
    await door.never_wrong()
    assert (await door.book(BOB, at(2, "10:00"))).status_code == 201


async def test_cancelling_frees_the_place_and_needs_a_known_reason(door: Door):
    mine = await door.booked(MARIA, at(3, "10:00"))
    url = f"/appointments/{mine['id']}/cancel"
    assert (await door.ask(MARIA, "POST", url, {"reason": "prov"})).status_code == 400
    gone = await door.ask(MARIA, "POST", url, {"reason": "pat-fb"})
    assert gone.json()["appointment"]["status"] == "cancelled"
    assert gone.json()["appointment"]["cancelled_by"] == "patient"
    assert (await door.ask(MARIA, "POST", url, {})).status_code == 409
    assert (await door.book(BOB, at(3, "10:00"))).status_code == 201
    await door.never_wrong()


async def test_patients_cancel_until_the_cut_off_and_the_desk_at_any_time(door: Door):
    found = await door.openings(MARIA, days=2, limit=1)
    start = found[0]["start"]
    near = datetime.fromisoformat(start).timestamp() - clock.now().timestamp() < 20 * 3600
    if not near:
        pytest.skip("no opening within the cut-off at this hour")
    mine = await door.booked(MARIA, start, found[0]["practitioner"].split("/")[1])
    url = f"/appointments/{mine['id']}/cancel"
    late = await door.ask(MARIA, "POST", url, {})
    assert (late.status_code, late.json()["kind"]) == (422, "TooLate")
    assert (await door.ask(TOM, "POST", url, {"reason": "pat"})).status_code == 200


async def test_the_day_goes_from_arrival_to_the_end_and_a_step_back(door: Door):
    mine = await door.booked(TOM, at(1, "09:00"), patient="Patient/maria")
    url = f"/appointments/{mine['id']}"
    assert (await door.ask(MARIA, "POST", f"{url}/check-in", {})).status_code == 403
    for verb, status in (
        ("arrive", "arrived"), ("undo", "booked"), ("check-in", "checked-in"),
        ("fulfil", "fulfilled"), ("undo", "checked-in"),
    ):  # fmt: skip
        answer = await door.ask(TOM, "POST", f"{url}/{verb}", {})
        assert answer.status_code == 200, answer.text
        assert answer.json()["appointment"]["status"] == status
    assert (await door.ask(TOM, "POST", f"{url}/no-show", {})).status_code == 409
    kinds = await door.said(f"Appointment/{mine['id']}")
    assert kinds == [
        "AppointmentBooked", "PatientArrived", "PatientCheckedIn", "AppointmentFulfilled",
    ]  # fmt: skip


async def test_nobody_has_missed_what_has_not_begun(door: Door):
    mine = await door.booked(TOM, at(1, "09:00"), patient="Patient/maria")
    early = await door.ask(TOM, "POST", f"/appointments/{mine['id']}/no-show", {})
    assert (early.status_code, early.json()["kind"]) == (422, "NotYet")


async def test_staff_override_a_taken_time_with_a_reason_and_patients_never_do(door: Door):
    await door.booked(MARIA, at(2, "10:00"))
    assert (await door.book(BOB, at(2, "10:00"), override="please")).status_code == 403
    over = await door.booked(
        TOM, at(2, "10:00"), patient="Patient/bob", override="Dr Ana agreed: fever"
    )
    assert over["overbooked"] is True
    [row] = await door.sql("SELECT * FROM appointments.overbooking")
    assert row["actor"] == TOM.subject
    assert b"fever" not in row["reason"]
    resource = (await door.ask(SYSTEM, "GET", f"/fhir/Appointment/{over['id']}")).json()
    assert resource["extension"][0]["valueString"] == "Dr Ana agreed: fever"
    twice = await door.book(TOM, at(2, "10:00"), patient="Patient/bob", override="again")
    assert twice.json()["kind"] == "AlreadyThere"
    await door.never_wrong()


async def test_the_day_shows_columns_with_hours_and_visits(door: Door):
    await door.booked(MARIA, at(2, "10:00"), reason="knee")
    await door.booked(BOB, at(2, "10:00"), "lena")
    day = (await door.ask(TOM, "GET", f"/appointments/day?date={at(2, '10:00')[:10]}")).json()
    assert [c["practitioner"] for c in day["columns"]] == ["Practitioner/ana", "Practitioner/lena"]
    ana = day["columns"][0]
    walls = [(h["local_start"][11:16], h["local_end"][11:16]) for h in ana["hours"]]
    assert walls == [("09:00", "12:00"), ("13:00", "17:00")]
    assert [b["reason"] for b in ana["appointments"]] == [None], "the desk sees who and when"
    url = f"/appointments/day?date={at(2, '10:00')[:10]}"
    own = (await door.ask(clinician("ana"), "GET", url)).json()["columns"]
    assert [b["reason"] for b in own[0]["appointments"]] == ["knee"]
    other = (await door.ask(clinician("lena"), "GET", url)).json()["columns"]
    assert [b["reason"] for b in other[0]["appointments"]] == [None]
    assert (await door.ask(MARIA, "GET", "/appointments/day")).status_code == 403


async def test_a_patient_sees_only_their_own_and_each_look_is_logged(door: Door):
    mine = await door.booked(MARIA, at(2, "10:00"))
    assert (await door.ask(BOB, "GET", f"/appointments/{mine['id']}")).status_code == 404
    cancel = f"/appointments/{mine['id']}/cancel"
    assert (await door.ask(BOB, "POST", cancel, {})).status_code == 404
    denied = "SELECT count(*) FROM appointments.access_log WHERE actor = $1 AND outcome = 8"
    assert (await door.sql(denied, BOB.subject))[0][0] == 2
    assert (await door.ask(BOB, "GET", "/appointments/mine")).json() == {"appointments": []}
    before = await door.sql("SELECT count(*) FROM appointments.access_log WHERE action = 's'")
    listed = (await door.ask(MARIA, "GET", "/appointments/mine")).json()["appointments"]
    assert [each["id"] for each in listed] == [mine["id"]]
    after = await door.sql("SELECT count(*) FROM appointments.access_log WHERE action = 's'")
    assert after[0][0] == before[0][0] + 1
    assert (await door.book(BOB, at(2, "11:00"), patient="Patient/maria")).status_code == 403


async def test_a_token_that_only_reads_does_not_book(door: Door):
    reader = patient("maria", "patient/*.rs")
    assert (await door.book(reader, at(2, "10:00"))).status_code == 403
    assert (await door.ask(reader, "GET", "/appointments/mine")).status_code == 200


async def test_the_same_key_and_body_get_the_same_answer(door: Door):
    one = await door.book(MARIA, at(2, "10:00"), key="k1-maria")
    two = await door.book(MARIA, at(2, "10:00"), key="k1-maria")
    assert (one.status_code, one.content) == (two.status_code, two.content) == (201, one.content)
    other = await door.book(MARIA, at(2, "10:20"), key="k1-maria")
    assert (other.status_code, other.json()["kind"]) == (422, "KeyReused")
    refused = await door.book(BOB, at(2, "10:00"), key="k2")
    await door.ask(TOM, "POST", f"/appointments/{one.json()['appointment']['id']}/cancel", {})
    again = await door.book(BOB, at(2, "10:00"), key="k2")
    assert refused.status_code == again.status_code == 409
    assert refused.content == again.content
    # Another person's key of the same name is another key.
    assert (await door.book(BOB, at(2, "10:00"), key="k1-maria")).status_code == 201
    no_key = await door.client.post(
        "/appointments/bookings", json={}, headers={"authorization": f"Bearer {BOB.token_id}"}
    )
    assert no_key.json()["kind"] == "KeyMissing"


async def test_twenty_at_once_with_one_key_book_once(door: Door):
    answers = await asyncio.gather(
        *(door.book(MARIA, at(2, "15:00"), key="storm") for _ in range(20))
    )
    assert {a.status_code for a in answers} <= {201, 409}
    assert sum(a.status_code == 201 for a in answers) >= 1
    rows = await door.sql("SELECT count(*) FROM appointments.appointment")
    assert rows[0][0] == 1
    assert all(a.json()["kind"] == "StillRunning" for a in answers if a.status_code == 409)


async def test_an_invitation_says_when_and_where_and_nothing_else(door: Door):
    mine = await door.booked(MARIA, at(2, "10:00"), reason="secret knee", comment="call Ana")
    answer = await door.ask(MARIA, "GET", f"/appointments/{mine['id']}/invitation.ics")
    assert answer.headers["content-type"].startswith("text/calendar")
    text = answer.text
    for word in ("maria", "Patient", "knee", "call", "Practitioner"):
        assert word not in text
    [event] = Calendar.from_ical(text).walk("VEVENT")
    assert str(event["summary"]) == "Appointment at Northside Clinic"
    assert event.decoded("dtstart") == datetime.fromisoformat(at(2, "10:00"))


async def test_the_waiting_list_from_wish_to_booking(door: Door):
    body = {"visit_type": "visit", "from": at(0, "09:00")[:10], "until": at(9, "09:00")[:10]}
    wish = (await door.ask(MARIA, "POST", "/appointments/waitlist", body)).json()["waiting"]
    listed = (await door.ask(TOM, "GET", "/appointments/waitlist")).json()["waiting"]
    assert [each["patient"] for each in listed] == ["Patient/maria"]
    assert listed[0]["since"] == wish["since"], "the answer says already since when"
    place = {"visit_type": "visit", "practitioner": "Practitioner/ana", "start": at(2, "10:00")}
    url = f"/appointments/waitlist/{wish['id']}"
    offer = await door.ask(TOM, "POST", f"{url}/offer", place)
    assert offer.status_code == 201, offer.text
    assert (await door.book(BOB, at(2, "10:00"))).status_code == 409
    hold = offer.json()["offer"]["hold"]
    booked = await door.ask(MARIA, "POST", "/appointments/bookings", {"hold": hold})
    assert booked.status_code == 201
    from polyclinic.services.appointments.jobs import sweep

    await sweep(door.running)
    assert (await door.ask(TOM, "GET", "/appointments/waitlist")).json()["waiting"] == []
    gone = await door.ask(BOB, "POST", f"{url}/leave", {})
    assert gone.status_code == 404


async def test_a_set_up_is_taken_whole_or_refused_with_every_place(door: Door):
    bad = week("ana")
    bad["clinicians"][0]["rules"][1]["to"] = "12:59"
    bad["clinicians"][0]["rules"][0]["site"] = "moon"
    bad["visit_types"][0]["minutes"] = 7
    answer = await door.ask(SAM, "PUT", "/appointments/setup", bad)
    assert answer.status_code == 422
    places = {issue["place"] for issue in answer.json()["issues"]}
    assert {"visit_types[0].minutes", "clinicians[0].rules[0].site",
            "clinicians[0].rules[1].to"} <= places  # fmt: skip
    wrong = await door.ask(SAM, "PUT", "/appointments/setup", {"sites": [{"id": 7}]})
    assert (wrong.status_code, wrong.json()["place"]) == (400, "sites[0].id")
    kept = await door.ask(SAM, "GET", "/appointments/setup")
    assert len(kept.json()["setup"]["clinicians"]) == 2
    stale = await door.ask(SAM, "PUT", "/appointments/setup", week("ana"), if_match='"0"')
    assert stale.status_code == 412
    assert (await door.ask(TOM, "PUT", "/appointments/setup", week("ana"))).status_code == 403


async def test_clinicians_read_their_booked_patients_appointments_at_the_fhir_door(door: Door):
    mine = await door.booked(MARIA, at(2, "10:00"))
    seen = await door.ask(clinician("ana"), "GET", f"/fhir/Appointment/{mine['id']}")
    assert seen.status_code == 200, seen.text
    hidden = await door.ask(clinician("lena"), "GET", f"/fhir/Appointment/{mine['id']}")
    assert hidden.status_code == 404


async def test_whoever_has_many_appointments_sees_all_to_come_and_the_newest_of_the_past(
    door: Door,
):
    coming = await door.booked(MARIA, at(60, "10:00"))
    await door.sql(
        "INSERT INTO appointments.appointment (id, patient, person, practitioner, clinician,"
        " visit_type, site, start_at, end_at, first_at, last_at, status)"
        " SELECT gen_random_uuid(), a.patient, a.person, a.practitioner, a.clinician, 'visit',"
        "  'main', t.at, t.at + 4, t.at, t.at + 4, t.status"
        " FROM appointments.appointment a, LATERAL ("
        "  SELECT a.start_at - 61 * 288 - 8 * n AS at, 'fulfilled' AS status"
        "  FROM generate_series(1, 250) AS n"
        "  UNION ALL SELECT a.start_at + 8 * n, 'booked' FROM generate_series(1, 230) AS n) AS t"
    )
    listed = (await door.ask(MARIA, "GET", "/appointments/mine")).json()["appointments"]
    starts = [each["start"] for each in listed]
    assert starts == sorted(starts)
    assert [each["id"] for each in listed].count(coming["id"]) == 1
    assert [each["status"] for each in listed].count("booked") == 231
    rows = await door.sql(
        "SELECT to_timestamp(start_at * 300.0) AS start FROM appointments.appointment"
        " WHERE status = 'fulfilled' ORDER BY start_at DESC"
    )
    past = [each["start"] for each in listed if each["status"] == "fulfilled"]
    assert len(past) == 200
    assert datetime.fromisoformat(past[-1]) == rows[0]["start"], "the newest is there"
