"""Another system is the clock of its own visits: it may end one before its time."""

from datetime import timedelta

import pytest
from desk_door import Door

from polyclinic.foundation import clock

ANA = {"practitioner": "Practitioner/ana"}


@pytest.fixture(autouse=True)
async def empty(door: Door):
    await door.empty()


def soon(**ahead: int) -> str:
    """A time so far ahead, or up to five minutes later."""
    moment = clock.now() + timedelta(**ahead)
    later = moment + timedelta(minutes=5 - moment.minute % 5)
    return later.replace(second=0).isoformat("T", "seconds")


@pytest.mark.parametrize("status", ["fulfilled", "noshow"])
@pytest.mark.parametrize("minutes", [5, 20 * 60])
async def test_what_is_over_within_a_day_of_its_time_is_so(door: Door, status: str, minutes: int):
    start, known = soon(minutes=minutes), f"{status}-{minutes}"  # events stay after a test
    new = await door.taken_in("1", start, status=status)
    assert new.status_code == 201, new.text
    assert new.json()["appointment"]["status"] == status
    made = (await door.taken_in(known, start, **ANA)).json()["appointment"]
    followed = await door.taken_in(known, start, status=status, **ANA)
    assert followed.status_code == 200, followed.text
    assert followed.json()["appointment"]["status"] == status
    said = {"fulfilled": ["PatientArrived", "AppointmentFulfilled"], "noshow": ["PatientMissed"]}
    assert await door.said(f"Appointment/{made['id']}") == ["AppointmentBooked", *said[status]]
    await door.never_wrong()


@pytest.mark.parametrize("status", ["fulfilled", "noshow"])
async def test_what_is_over_days_before_its_time_is_a_slip(door: Door, status: str):
    early = await door.taken_in("1", soon(days=2), status=status)
    assert (early.status_code, early.json()["kind"]) == (422, "NotYet")


async def test_nobody_has_missed_a_visit_of_a_day_to_come(door: Door):
    start = soon(days=2)
    await door.taken_in("1", start)
    early = await door.taken_in("1", start, status="noshow")
    assert (early.status_code, early.json()["kind"]) == (422, "NotYet")
