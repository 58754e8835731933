"""A patient's appointments through the portal's door: booking, a lost place, moving, cancelling."""

import re
from datetime import datetime, timedelta

import pytest
from appointments_in_memory import NAIR, on, visit
from portal_door import Door, Visitor

from polyclinic.foundation import clock
from polyclinic.services.portal.actions import drafts

KIND = "review"


@pytest.fixture
async def maria(portal_door: Door) -> Visitor:
    return await portal_door.installs_appointments().as_("patient", "Patient/maria")


async def _to_times(maria: Visitor) -> str:
    began = await maria.post("/visits/book", kind=KIND)
    assert began.status_code == 303
    return began.headers["location"]


def _first_time(page: str) -> str:
    found = re.search(r'name="opening" id="[^"]*" value="([^"]+)"', page)
    assert found
    return found[1]


async def _to_check(maria: Visitor, reason: str = "My knee") -> str:
    """Three pages on; the address of the fourth."""
    times = await _to_times(maria)
    kept = await maria.post(times, opening=_first_time((await maria.get(times)).text))
    assert kept.status_code == 303, kept.text
    about = kept.headers["location"]
    assert about.endswith("/about")
    assert (await maria.get(about)).status_code == 200
    return (await maria.post(about, reason=reason)).headers["location"]


async def test_a_patient_books_in_four_pages(portal_door: Door, maria: Visitor):
    kinds = await maria.get("/visits/book")
    assert "Blood pressure review" in kinds.text
    assert "Minor procedure" not in kinds.text
    assert "Call <a" in kinds.text
    check = await _to_check(maria)
    assert "My knee" in (await maria.get(check)).text
    booked = await maria.post(check)
    assert booked.headers["location"].endswith("/booked")
    page = await maria.get(booked.headers["location"])
    assert "You are booked" in page.text
    assert "appointment.ics" in page.text
    assert "What to bring" in page.text
    assert len(portal_door.appointments.found) == 1
    assert list(portal_door.appointments.reasons.values()) == ["My knee"]


async def test_the_last_button_pressed_twice_books_once(portal_door: Door, maria: Visitor):
    check = await _to_check(maria)
    first, second = await maria.post(check), await maria.post(check)
    assert first.headers["location"] == second.headers["location"]
    assert len(portal_door.appointments.found) == 1


async def test_first_openings_stand_on_the_second_page_soonest_first(maria: Visitor):
    page = (await maria.get(await _to_times(maria))).text
    values = _offered(page)
    assert len(values) > 5
    assert values == sorted(values)
    assert "Times are shown in Eastern time" in page


async def test_a_time_that_was_just_taken_is_told_with_the_nearest_and_answers_stay(
    portal_door: Door, maria: Visitor
):
    check = await _to_check(maria, "Something long that I wrote")
    [held] = portal_door.appointments.holds.values()
    portal_door.appointments.taken.add(held.start)
    lost = await maria.post(check)
    assert lost.status_code == 409
    assert "That time was just taken" in lost.text
    assert lost.text.count('id="n-') == 3
    again = await maria.post(check.replace("/check", "/time"), opening=_first_time(lost.text))
    # What was written needs no writing again: the next page is the last.
    assert again.headers["location"] == check
    assert "Something long that I wrote" in (await maria.get(check)).text
    assert (await maria.post(check)).headers["location"].endswith("/booked")


async def test_a_time_taken_while_choosing_is_told_at_once(portal_door: Door, maria: Visitor):
    times = await _to_times(maria)
    opening = _first_time((await maria.get(times)).text)
    portal_door.appointments.taken.add(clock_of(opening))
    lost = await maria.post(times, opening=opening)
    assert lost.status_code == 409
    assert "That time was just taken" in lost.text
    assert "<title>Error:" in lost.text


async def test_a_hold_that_ended_books_if_the_place_is_still_free(
    portal_door: Door, maria: Visitor
):
    check = await _to_check(maria)
    portal_door.appointments.ended_holds = True
    assert (await maria.post(check)).headers["location"].endswith("/booked")
    assert len(portal_door.appointments.found) == 1


async def test_nobody_is_in_two_places_and_is_told_so_as_you(portal_door: Door, maria: Visitor):
    check = await _to_check(maria)
    [held] = portal_door.appointments.holds.values()
    portal_door.appointments.found.append(visit("a1", "maria", held.start))
    page = await maria.post(check)
    assert page.status_code == 409
    assert "You already have an appointment at this time." in page.text
    assert "Choose another time below" in page.text


def _offered(page: str) -> list[str]:
    return re.findall(r'name="opening" id="[^"]*" value="(\S+)', page)


async def test_a_time_at_which_a_patient_is_elsewhere_is_not_offered(
    portal_door: Door, maria: Visitor
):
    times = await _to_times(maria)
    late = _offered((await maria.get(times)).text)[-1]  # far enough away to be moved
    across = datetime.fromisoformat(late) + timedelta(minutes=5)
    portal_door.appointments.found.append(visit("a1", "maria", across))
    assert late not in _offered((await maria.get(times)).text)
    moving = (await maria.get("/visits/a1/change")).headers["location"]
    assert late in _offered((await maria.get(moving)).text), "it is in nobody's way but its own"
    portal_door.appointments.found[:] = [visit("a1", "maria", across, status="cancelled")]
    assert late in _offered((await maria.get(times)).text)


async def test_nothing_chosen_is_an_error_by_the_field(maria: Visitor):
    nothing = await maria.post("/visits/book")
    assert nothing.status_code == 422
    assert "Choose what you need." in nothing.text
    times = await _to_times(maria)
    nothing = await maria.post(times)
    assert nothing.status_code == 422
    assert "Choose a time." in nothing.text


async def test_a_reason_that_is_too_long_is_kept_and_explained(maria: Visitor):
    times = await _to_times(maria)
    kept = await maria.post(times, opening=_first_time((await maria.get(times)).text))
    page = await maria.post(kept.headers["location"], reason="x" * 501)
    assert page.status_code == 422
    assert "x" * 501 in page.text
    assert "Write at most 500 characters" in page.text


async def test_a_draft_is_sealed_its_owners_only_and_ends_with_its_day(
    portal_door: Door, maria: Visitor
):
    check = await _to_check(maria, "A secret that nobody else reads")
    draft = check.split("/")[3]
    rows = await portal_door.portal.database.fetch("SELECT id, sealed FROM portal.draft")
    kept = b"".join(row["id"] + row["sealed"] for row in rows)
    for said in (b"secret", b"review", b"maria", draft.encode()):
        assert said not in kept
    tom = await portal_door.as_("patient", "Patient/tom", subject="subject-tom")
    assert (await tom.get(check)).status_code == 404
    await drafts.forget_ended(portal_door.portal, clock.now() + timedelta(hours=25))
    assert (await maria.get(check)).status_code == 404


async def test_a_visit_moves_in_three_pages_and_the_old_time_stays_until_then(
    portal_door: Door, maria: Visitor
):
    portal_door.appointments.found.append(visit("a1", "maria", on(3, 9)))
    change = await maria.get("/visits/a1/change")
    times = change.headers["location"]
    page = (await maria.get(times)).text
    assert "You keep this time until you confirm a new one" in page
    kept = await maria.post(times, opening=_first_time(page))
    check = kept.headers["location"]
    assert "Nothing changes until you confirm" in (await maria.get(check)).text
    assert portal_door.appointments.found[0].start == on(3, 9)
    moved = await maria.post(check)
    assert moved.headers["location"] == "/visits/a1/booked?was=moved"
    assert "Your appointment is moved" in (await maria.get(moved.headers["location"])).text
    assert portal_door.appointments.found[0].start != on(3, 9)


async def test_a_lost_place_while_moving_leaves_the_old_one(portal_door: Door, maria: Visitor):
    portal_door.appointments.found.append(visit("a1", "maria", on(3, 9)))
    times = (await maria.get("/visits/a1/change")).headers["location"]
    opening = _first_time((await maria.get(times)).text)
    check = (await maria.post(times, opening=opening)).headers["location"]
    portal_door.appointments.taken.add(clock_of(opening))
    lost = await maria.post(check)
    assert "Your appointment stays as it is" in lost.text
    assert portal_door.appointments.found[0].start == on(3, 9)


async def test_cancelling_takes_two_pages_and_needs_no_reason(portal_door: Door, maria: Visitor):
    portal_door.appointments.found.append(visit("a1", "maria", on(3, 9)))
    page = await maria.get("/visits/a1/cancel")
    assert "possible here until" in page.text
    done = await maria.post("/visits/a1/cancel")
    assert done.headers["location"] == "/visits?done=cancelled"
    listed = await maria.get(done.headers["location"])
    assert "Your appointment is canceled" in listed.text
    assert portal_door.appointments.found[0].status == "cancelled"


async def test_past_the_cut_off_the_phone_number_stands_instead(portal_door: Door, maria: Visitor):
    soon = visit("a1", "maria", clock.now() + timedelta(hours=3))
    portal_door.appointments.found.append(soon)
    assert "Call to change" in (await maria.get("/visits")).text
    for end in ("change", "cancel"):
        page = await maria.get(f"/visits/a1/{end}")
        assert page.status_code == 422
        assert "Please call to change this one" in page.text


async def test_somebody_elses_visit_is_none(portal_door: Door, maria: Visitor):
    portal_door.appointments.found.append(visit("a1", "tom", on(3, 9)))
    for end in ("booked", "change", "cancel"):
        assert (await maria.get(f"/visits/a1/{end}")).status_code == 404


async def test_every_button_of_the_list_has_a_name_of_its_own(portal_door: Door, maria: Visitor):
    portal_door.appointments.found += [
        visit("a1", "maria", on(3, 9)),
        visit("a2", "maria", on(4, 9), practitioner=NAIR),
        visit("a3", "maria", on(-9, 9), status="fulfilled"),
        visit("a4", "maria", on(-19, 9), status="noshow"),
    ]
    page = (await maria.get("/visits")).text
    links = re.findall(r'<a [^>]*href="(/visits/[^"]+)"[^>]*>(.*?)</a>', page, re.DOTALL)
    names: dict[str, set[str]] = {}
    for address, inside in links:
        name = " ".join(re.sub(r"<[^>]+>", "", inside).split())
        names.setdefault(name, set()).add(address)
    assert len(names) > 6
    assert all(len(addresses) == 1 for addresses in names.values()), names


async def test_joining_the_waiting_list(portal_door: Door, maria: Visitor):
    times = await _to_times(maria)
    done = await maria.post(times.replace("/time", "/wait"))
    assert done.headers["location"] == "/visits?done=waiting"
    [waiting] = portal_door.appointments.listed
    assert waiting.patient == "Patient/maria"


async def test_the_calendar_file_comes_from_appointments(portal_door: Door, maria: Visitor):
    portal_door.appointments.found.append(visit("a1", "maria", on(3, 9)))
    file = await maria.get("/visits/a1/appointment.ics")
    assert file.headers["content-type"].startswith("text/calendar")
    assert file.content.startswith(b"BEGIN:VCALENDAR")


async def test_home_shows_the_next_visit(portal_door: Door, maria: Visitor):
    portal_door.appointments.found += [
        visit("a1", "maria", on(9, 9), visit_name="The later one"),
        visit("a2", "maria", on(3, 9), visit_name="The next one"),
    ]
    page = (await maria.get("/home")).text
    assert "The next one" in page
    assert "The later one" not in page


async def test_with_appointments_stopped_all_else_works_and_says_since_when(
    portal_door: Door, maria: Visitor
):
    check = await _to_check(maria)
    portal_door.appointments.down = True
    home = await maria.get("/home")
    assert home.status_code == 200
    assert "Hemoglobin" in home.text or "HbA1c" in home.text
    assert "Your appointments cannot be shown since" in home.text
    for path in ("/visits", "/visits/book", check):
        page = await maria.get(path)
        assert page.status_code == 503, path
        assert "Appointments cannot be reached at the moment" in page.text
        assert "does not answer since" in page.text
    assert (await maria.post(check)).status_code == 503
    portal_door.appointments.down = False
    # Nothing was lost and nothing needs a restart.
    assert (await maria.post(check)).headers["location"].endswith("/booked")


async def test_without_the_appointments_service_its_pages_are_hidden_with_the_reason(
    portal_door: Door,
):
    maria = await portal_door.as_("patient", "Patient/maria")
    home = (await maria.get("/home")).text
    assert 'href="/visits"' not in home
    assert "Appointments, messages and bills are not part" in home


async def test_with_records_stopped_times_stand_without_names(portal_door: Door, maria: Visitor):
    portal_door.appointments.found.append(visit("a1", "maria", on(3, 9)))
    portal_door.records.down.add("*")
    page = await maria.get("/visits")
    assert page.status_code == 200
    assert "9:00 am" in page.text
    assert "Names are missing on this page" in page.text
    assert "Ruiz" not in page.text
    check = await _to_check(maria)
    assert (await maria.post(check)).headers["location"].endswith("/booked")
    problem = await maria.get("/results")
    assert "Appointments still work" in problem.text


def clock_of(opening: str) -> datetime:
    return datetime.fromisoformat(opening.partition(" ")[0])
