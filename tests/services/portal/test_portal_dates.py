"""The portal's dates are the clinic's: late in the evening the server is already in tomorrow."""

import re
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest
from appointments_in_memory import SETUP, visit
from portal_door import Door, Visitor

from polyclinic.foundation import clock
from polyclinic.services.portal.domain import times

WEST, EAST = "America/Los_Angeles", "Pacific/Auckland"
ZONES = pytest.mark.parametrize("zone", [WEST, EAST])


def _at_half_past_eleven(door: Door, monkeypatch: pytest.MonkeyPatch, zone: str) -> date:
    """Half past eleven in the evening of the clinic's last day of the year."""
    # In Los Angeles it is next year in UTC by then, in Auckland it is still the middle of the day.
    evening = datetime(2026, 12, 31, 23, 30, tzinfo=ZoneInfo(zone))
    monkeypatch.setattr(clock, "now", lambda: evening.astimezone(UTC))
    [site] = SETUP.sites
    ours = msgspec.structs.replace(site, time_zone=zone)
    door.appointments.setup_ = msgspec.structs.replace(SETUP, sites=(ours,))
    door.portal.settings = msgspec.structs.replace(door.portal.settings, time_zone=zone)
    return evening.date()


async def _times(maria: Visitor) -> str:
    return (await maria.post("/visits/book", kind="review")).headers["location"]


@ZONES
async def test_booking_begins_today_by_the_clinics_clock(
    portal_door: Door, monkeypatch: pytest.MonkeyPatch, zone: str
):
    today = _at_half_past_eleven(portal_door, monkeypatch, zone)
    maria = await portal_door.installs_appointments().as_("patient", "Patient/maria")
    address = await _times(maria)
    page = (await maria.get(address)).text
    assert f'name="from" value="{today}" min="{today}"' in page
    yesterday = (await maria.get(f"{address}?from=2026-12-30")).text
    assert f'name="from" value="{today}"' in yesterday


@ZONES
async def test_the_desk_books_from_today_by_the_clinics_clock(
    portal_door: Door, monkeypatch: pytest.MonkeyPatch, zone: str
):
    today = _at_half_past_eleven(portal_door, monkeypatch, zone)
    tom = await portal_door.installs_appointments().as_("front-desk")
    when = (await tom.post("/schedule/book", patient="maria")).headers["location"]
    assert f'name="from" value="{today}"' in (await tom.get(when)).text


@ZONES
async def test_another_year_is_said_as_the_clinic_counts_years(
    portal_door: Door, monkeypatch: pytest.MonkeyPatch, zone: str
):
    _at_half_past_eleven(portal_door, monkeypatch, zone)
    maria = await portal_door.installs_appointments().as_("patient", "Patient/maria")
    address = await _times(maria)
    page = (await maria.get(address)).text
    found = re.search(r'name="opening" id="[^"]*" value="(2027[^"]+)"', page)
    assert found
    assert re.search(r"<legend>\w+ \d+ January 2027</legend>", page)
    about = (await maria.post(address, opening=found[1])).headers["location"]
    assert "January 2027" in (await maria.get(about)).text


@ZONES
async def test_whoever_waits_waits_from_today_by_the_clinics_clock(
    portal_door: Door, monkeypatch: pytest.MonkeyPatch, zone: str
):
    today = _at_half_past_eleven(portal_door, monkeypatch, zone)
    maria = await portal_door.installs_appointments().as_("patient", "Patient/maria")
    await maria.post((await _times(maria)).replace("/time", "/wait"))
    [wish] = portal_door.appointments.wishes
    assert wish.begins == today


@ZONES
async def test_the_head_of_a_page_says_the_clinics_date(
    portal_door: Door, monkeypatch: pytest.MonkeyPatch, zone: str
):
    _at_half_past_eleven(portal_door, monkeypatch, zone)
    sam = await portal_door.as_("administrator")
    assert "Thursday 31 December" in (await sam.get("/admin")).text


@ZONES
@pytest.mark.parametrize("role", ["front-desk", "clinician"])
async def test_the_day_is_the_one_of_the_site_whatever_the_portals_own_clock_says(
    portal_door: Door, monkeypatch: pytest.MonkeyPatch, zone: str, role: str
):
    today = _at_half_past_eleven(portal_door, monkeypatch, zone)
    elsewhere = EAST if zone == WEST else WEST
    portal_door.portal.settings = msgspec.structs.replace(
        portal_door.portal.settings, time_zone=elsewhere
    )
    somebody = await portal_door.installs_appointments().as_(role, "Practitioner/ruiz")
    path = "/my-day" if role == "clinician" else "/schedule"
    page = (await somebody.get(path)).text
    assert "<h1>Thursday 31 December</h1>" in page
    assert f'href="{path}?date={today.replace(day=30)}"' in page


async def test_a_step_leads_back_to_the_visits_day_at_its_site(
    portal_door: Door, monkeypatch: pytest.MonkeyPatch
):
    _at_half_past_eleven(portal_door, monkeypatch, EAST)
    start = datetime(2027, 1, 1, 9, tzinfo=ZoneInfo(EAST))
    portal_door.appointments.found.append(visit("a1", "maria", start))
    tom = await portal_door.installs_appointments().as_("front-desk")
    done = await tom.post("/schedule/visits/a1/arrive", turn="1")
    assert done.headers["location"] == "/schedule?date=2027-01-01&site=northside"


@pytest.mark.parametrize("text", ["0001-01-01", "9999-12-31", "soon", ""])
async def test_a_date_at_the_end_of_the_calendar_is_as_good_as_none(portal_door: Door, text: str):
    assert times.read_day(text) is None
    tom = await portal_door.installs_appointments().as_("front-desk")
    assert (await tom.get(f"/schedule?date={text}")).status_code == 200
