"""The desk's day and a clinician's own through the portal's door."""

import re
from datetime import timedelta

import pytest
import sample
from appointments_in_memory import NAIR, RUIZ, ZONE, on, visit
from portal_door import Door, Visitor

from polyclinic.foundation import clock
from polyclinic.services.portal.domain.booking import Waiting


@pytest.fixture
async def desk(portal_door: Door) -> Visitor:
    return await portal_door.installs_appointments().as_("front-desk")


def _day(door: Door) -> None:
    door.appointments.found += [
        visit("a1", "maria", on(1, 9, 20)),
        visit("a2", "wei", on(1, 10), status="arrived", arrived=clock.now()),
        visit("a3", "tom", on(1, 11), practitioner=NAIR),
    ]


def _tomorrow() -> str:
    return f"/schedule?date={on(1, 9).date()}"


async def test_the_day_stands_by_clinician_then_time(portal_door: Door, desk: Visitor):
    _day(portal_door)
    page = (await desk.get(_tomorrow())).text
    assert "style=" not in page
    links = re.findall(r'href="/schedule/visits/(a\d)"', page.partition("<aside")[0])
    assert links == ["a1", "a2", "a3"]
    for said in ("Keller, M.", "2 booked", "Open", "Break", "Confirmed", "Arrived"):
        assert said in page
    assert "Diabetes" not in page


async def test_a_blocks_classes_say_its_row_and_length(portal_door: Door, desk: Visitor):
    _day(portal_door)
    page = (await desk.get(_tomorrow())).text
    # The day begins at nine; twenty minutes later is the fifth row, and twenty minutes are four.
    assert re.search(
        r'class="cell c1 s4 n4 snug tall booked"><a class="ev booked" href="/schedule/visits/a1',
        page,
    )


@pytest.mark.parametrize(
    ("minutes", "room"), [(10, " brief"), (15, " snug"), (20, " snug tall"), (30, " tall")]
)
async def test_a_short_visit_says_less_so_that_its_words_are_not_cut(
    portal_door: Door, desk: Visitor, minutes: int, room: str
):
    start = on(1, 9, 20)
    end = start + timedelta(minutes=minutes)
    portal_door.appointments.found.append(visit("a1", "maria", start, end=end))
    assert f"s4 n{minutes // 5}{room} booked" in (await desk.get(_tomorrow())).text


async def test_visits_at_the_same_time_stand_side_by_side(portal_door: Door, desk: Visitor):
    portal_door.appointments.found += [
        visit("a1", "maria", on(1, 9, 20)),
        visit("a2", "tom", on(1, 9, 30), overbooked=True),
    ]
    page = (await desk.get(_tomorrow())).text
    assert "s4 n4 w2 x0 snug tall booked" in page
    assert "s6 n4 w2 x1 snug tall booked" in page


async def test_the_desk_takes_a_visit_through_its_steps(portal_door: Door, desk: Visitor):
    _day(portal_door)
    path = "/schedule/visits/a1"
    page = (await desk.get(path)).text
    assert "KELLER, Maria" in page
    assert "617-555-0143" in page
    for verb, status in (
        ("arrive", "arrived"),
        ("check-in", "checked-in"),
        ("fulfil", "fulfilled"),
    ):
        done = await desk.post(f"{path}/{verb}", back="visit", turn="1")
        assert done.headers["location"] == path
        assert (await desk.get(path)).status_code == 200
        assert portal_door.appointments.found[0].status == status
    back = await desk.post(f"{path}/undo", turn="2")
    assert back.headers["location"].startswith("/schedule?date=")


async def test_a_step_that_no_longer_fits_is_said_on_the_visits_page(
    portal_door: Door, desk: Visitor
):
    portal_door.appointments.found.append(visit("a1", "maria", on(1, 9), status="cancelled"))
    page = await desk.post("/schedule/visits/a1/arrive", turn="1")
    assert page.status_code == 409
    assert "It was not changed" in page.text


async def test_staff_cancel_only_with_a_reason(portal_door: Door, desk: Visitor):
    _day(portal_door)
    refused = await desk.post("/schedule/visits/a1/cancel", turn="1")
    assert "Say why it is canceled" in refused.text
    await desk.post("/schedule/visits/a1/cancel", reason="prov", turn="1")
    assert portal_door.appointments.found[0].status == "cancelled"
    assert portal_door.appointments.reasons["a1"] == "prov"


async def test_who_waits_now_stands_longest_first(portal_door: Door, desk: Visitor):
    now = clock.now()
    portal_door.appointments.found += [
        visit("a1", "maria", now, status="arrived", arrived=now - timedelta(minutes=4)),
        visit("a2", "tom", now, status="checked-in", arrived=now - timedelta(minutes=14)),
    ]
    page = (await desk.get("/schedule")).text
    panel = page.partition('id="here"')[2].partition("</section>")[0]
    assert "2 people · longest 14 min" in panel
    assert panel.index("Keller, T.") < panel.index("Keller, M.")


async def _book(desk: Visitor, patient: str) -> str:
    found = await desk.post("/schedule/book", q="keller")
    assert found.text.count('<button class="btn sec">Book') == 2
    began = await desk.post("/schedule/book", patient=patient)
    return began.headers["location"]


async def test_the_desk_books_for_a_patient(portal_door: Door, desk: Visitor):
    when = await _book(desk, "tom")
    page = (await desk.get(when)).text
    assert "For KELLER, Tom" in page
    assert "Minor procedure" in page
    opening = re.search(r'name="opening" id="[^"]*" value="([^"]+)"', page)
    assert opening
    kept = await desk.post(when, kind="review", opening=opening[1], reason="Follow-up")
    check = kept.headers["location"]
    assert "Follow-up" in (await desk.get(check)).text
    done = await desk.post(check)
    assert done.headers["location"].startswith("/schedule/visits/")
    [booked] = portal_door.appointments.found
    assert booked.patient == "Patient/tom"


async def test_a_taken_time_is_booked_over_only_with_a_reason(portal_door: Door, desk: Visitor):
    when = await _book(desk, "tom")
    start = on(2, 9)
    portal_door.appointments.taken.add(start)
    typed = {
        "kind": "review", "how": "over", "with": RUIZ, "day": str(start.date()), "time": "09:00",
    }  # fmt: skip
    refused = await desk.post(when, **typed)
    assert refused.status_code == 422
    assert "Say why this time is booked over" in refused.text
    assert 'value="09:00"' in refused.text
    kept = await desk.post(when, **typed, override="Dr Ruiz asked for it")
    check = kept.headers["location"]
    assert "This is booked over the rules" in (await desk.get(check)).text
    await desk.post(check)
    [booked] = portal_door.appointments.found
    assert portal_door.appointments.overrides[booked.id] == "Dr Ruiz asked for it"


async def test_a_visit_is_moved_to_a_free_time_only_and_nothing_else_is_offered(
    portal_door: Door, desk: Visitor
):
    portal_door.appointments.found.append(visit("a1", "maria", on(3, 9)))
    when = (await desk.get("/schedule/visits/a1/move")).headers["location"]
    page = (await desk.get(when)).text
    assert "Another time" in page
    # Appointments moves into free time alone, so the page does not offer to book over a visit.
    assert "Book at another time" not in page
    forced = {"how": "over", "with": RUIZ, "day": str(on(2, 9).date()), "time": "09:00"}
    refused = await desk.post(when, **forced, override="Dr Ruiz asked for it")
    assert refused.status_code == 422
    assert "Choose a time." in refused.text
    opening = re.search(r'name="opening" id="[^"]*" value="([^"]+)"', page)
    assert opening
    check = (await desk.post(when, opening=opening[1])).headers["location"]
    assert (await desk.post(check)).headers["location"] == "/schedule/visits/a1"
    assert portal_door.appointments.found[0].start != on(3, 9)


async def test_a_time_is_offered_from_the_waiting_list(portal_door: Door, desk: Visitor):
    waiting = Waiting(
        id="w1", patient="Patient/wei", visit_type="review", status="waiting", made=clock.now()
    )
    portal_door.appointments.listed.append(waiting)
    assert "Chen, W." in (await desk.get("/schedule")).text
    when = (await desk.get("/schedule/offer/w1")).headers["location"]
    page = (await desk.get(when)).text
    assert "Offer a time" in page
    opening = re.search(r'name="opening" id="[^"]*" value="([^"]+)"', page)
    assert opening
    check = (await desk.post(when, opening=opening[1])).headers["location"]
    assert (await desk.get(check)).status_code == 200
    assert portal_door.appointments.offered == ["w1"]


async def test_the_desk_sees_times_without_names_while_records_is_silent(
    portal_door: Door, desk: Visitor
):
    _day(portal_door)
    portal_door.records.down.add("*")
    page = await desk.get(_tomorrow())
    assert page.status_code == 200
    assert "Names are missing on this page" in page.text
    assert "9:20" in page.text
    assert "Keller" not in page.text
    assert (await desk.get("/schedule/visits/a1")).status_code == 200


async def test_with_appointments_stopped_the_desk_is_told_and_finds_patients(
    portal_door: Door, desk: Visitor
):
    portal_door.appointments.down = True
    page = await desk.get("/schedule")
    assert page.status_code == 503
    assert "Appointments cannot be reached at the moment" in page.text
    found = await desk.post("/desk", q="keller")
    assert found.status_code == 200
    # It is installed, only silent: the page does not say that it never was.
    assert "not part of this installation" not in found.text


async def test_a_clinicians_day_leads_into_charts_that_are_open(portal_door: Door):
    ruiz = await portal_door.installs_appointments().as_("clinician", "Practitioner/ruiz")
    portal_door.appointments.found += [
        visit("a1", "maria", on(0, 9), reason="Headaches"),
        visit("a2", "tom", on(0, 10)),
        visit("a3", "wei", on(0, 11), practitioner=NAIR),
    ]
    page = (await ruiz.get("/my-day")).text
    assert 'href="/patients/maria"' in page
    assert "Headaches" in page
    # Tom's booking is on its way to records: his chart is not open yet, and that is said calmly.
    assert 'href="/patients/tom"' not in page
    assert "The chart opens in a moment" in page
    assert "CHEN" not in page
    portal_door.records.related.add("tom")
    assert 'href="/patients/tom"' in (await ruiz.get("/my-day")).text


async def test_one_chart_is_offered_first_that_of_the_visit_now_or_next(portal_door: Door):
    ruiz = await portal_door.installs_appointments().as_("clinician", "Practitioner/ruiz")
    now = clock.now()
    portal_door.appointments.found += [
        visit("a1", "maria", now - timedelta(hours=2), end=now - timedelta(hours=1)),
        visit("a2", "maria", now - timedelta(minutes=5)),
        visit("a3", "maria", now + timedelta(minutes=15), end=now + timedelta(minutes=35)),
    ]
    # Around midnight some of them are on the day beside; each day leads into one chart first.
    days = {a.start.astimezone(ZONE).date() for a in portal_door.appointments.found}
    for day in sorted(days):
        page = (await ruiz.get(f"/my-day?date={day}")).text
        rows = re.findall(r'<a class="btn( sec)?" href="/patients/maria"', page)
        is_ahead = any(
            a.end > now and a.start.astimezone(ZONE).date() == day
            for a in portal_door.appointments.found
        )
        assert rows.count("") == (1 if is_ahead else 0)


async def test_a_clinicians_day_stands_while_records_is_silent(portal_door: Door):
    ruiz = await portal_door.installs_appointments().as_("clinician", "Practitioner/ruiz")
    portal_door.appointments.found.append(visit("a1", "maria", on(0, 9)))
    portal_door.records.down.add("*")
    page = (await ruiz.get("/my-day")).text
    assert "Charts cannot be opened at the moment" in page
    assert "9:00" in page


async def test_first_pages_follow_what_is_installed(portal_door: Door):
    for role, before, after in (
        ("front-desk", "/desk", "/schedule"),
        ("clinician", "/patients", "/my-day"),
    ):
        somebody = await portal_door.as_(role, f"Practitioner/{role}")
        first = await somebody.get("/")
        if "appointments" in portal_door.running.peers.names():
            assert first.headers["location"] == after
        else:
            assert first.headers["location"] == before
            portal_door.installs_appointments()
            assert (await somebody.get("/")).headers["location"] == after


@pytest.mark.parametrize("role", ["patient", "billing", "administrator"])
async def test_the_desks_pages_are_closed_to_others(portal_door: Door, role: str):
    somebody = await portal_door.installs_appointments().as_(role, "Patient/maria")
    for path in ("/schedule", "/schedule/book", "/schedule/visits/a1", "/my-day"):
        assert (await somebody.get(path)).status_code == 403, path


async def test_an_administrator_sees_dead_letters_and_tries_one_again(portal_door: Door):
    sam = await portal_door.as_("administrator")
    page = (await sam.get("/admin/events")).text
    assert "AppointmentBooked" in page
    assert "LookupError" in page
    [event] = re.findall(r'action="(/admin/events/portal/[^"]+)"', page)
    done = await sam.post(event)
    assert done.headers["location"] == "/admin/events?done=yes"
    assert "Every event had its effect" in (await sam.get("/admin/events")).text
    again = await sam.post(event)
    assert again.status_code == 409
    assert "It failed again" in again.text


def test_the_sample_has_two_people_of_one_family_name():
    names = [r["name"][0]["family"] for r in (sample.patient(), *sample.others())]
    assert names.count("Keller") == 2
