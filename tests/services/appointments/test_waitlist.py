"""The waiting list: offers that are replaced, places that come back, wishes that come true."""

import pytest
from desk_door import TOM, Door, at, open_door, patient

from polyclinic.services.appointments.jobs import sweep

MARIA, BOB = patient("maria"), patient("bob")


@pytest.fixture(autouse=True)
async def empty(door: Door):
    await door.empty()


async def wish(door: Door, who=MARIA, days: int = 9, **more) -> str:
    body = {"visit_type": "visit", "from": at(0, "09:00")[:10], "until": at(days, "09:00")[:10]}
    answer = await door.ask(who, "POST", "/appointments/waitlist", body | more)
    assert answer.status_code == 201, answer.text
    return f"/appointments/waitlist/{answer.json()['waiting']['id']}"


async def offer(door: Door, url: str, start: str, doctor: str = "ana") -> str:
    place = {"visit_type": "visit", "practitioner": f"Practitioner/{doctor}", "start": start}
    answer = await door.ask(TOM, "POST", f"{url}/offer", place)
    assert answer.status_code == 201, answer.text
    return answer.json()["offer"]["hold"]


async def listed(door: Door) -> list[tuple[str, str]]:
    found = (await door.ask(TOM, "GET", "/appointments/waitlist")).json()["waiting"]
    return [(each["patient"], each["status"]) for each in found]


async def test_who_leaves_gives_the_offered_place_back(door: Door):
    url = await wish(door)
    hold = await offer(door, url, at(2, "10:00"))
    assert (await door.book(BOB, at(2, "10:00"))).status_code == 409
    gone = await door.ask(MARIA, "POST", f"{url}/leave", {})
    assert gone.status_code == 200, gone.text
    assert gone.json()["waiting"]["status"] == "left"
    assert (await door.book(BOB, at(2, "10:00"))).status_code == 201
    late = await door.ask(MARIA, "POST", "/appointments/bookings", {"hold": hold})
    assert (late.status_code, late.json()["kind"]) == (409, "HoldEnded")
    await door.never_wrong()


async def test_an_offer_is_replaced_by_another_and_its_place_is_free(door: Door):
    url = await wish(door)
    first = await offer(door, url, at(2, "10:00"))
    second = await offer(door, url, at(2, "10:00"), "lena")
    assert (await door.book(BOB, at(2, "10:00"))).status_code == 201
    late = await door.ask(MARIA, "POST", "/appointments/bookings", {"hold": first})
    assert late.json()["kind"] == "HoldEnded"
    booked = await door.ask(MARIA, "POST", "/appointments/bookings", {"hold": second})
    assert booked.status_code == 201, booked.text
    await door.never_wrong()


async def test_what_was_booked_is_neither_offered_again_nor_given_back(door: Door):
    url = await wish(door)
    hold = await offer(door, url, at(2, "10:00"))
    booked = await door.ask(MARIA, "POST", "/appointments/bookings", {"hold": hold})
    assert booked.status_code == 201, booked.text
    place = {"visit_type": "visit", "practitioner": "Practitioner/ana", "start": at(3, "10:00")}
    again = await door.ask(TOM, "POST", f"{url}/offer", place)
    assert (again.status_code, again.json()["kind"]) == (409, "WrongState")
    gone = await door.ask(MARIA, "POST", f"{url}/leave", {})
    assert (gone.status_code, gone.json()["kind"]) == (409, "WrongState")
    assert (await door.book(BOB, at(2, "10:00"))).status_code == 409
    await door.never_wrong()


async def test_a_wish_that_was_booked_without_its_offer_has_come_true(door: Door):
    url = await wish(door, practitioner="Practitioner/lena")
    await offer(door, url, at(2, "10:00"))
    await wish(door, BOB)
    await door.booked(MARIA, at(2, "11:00"), "lena")
    await sweep(door.running)
    assert await listed(door) == [("Patient/bob", "waiting")]
    assert (await door.book(BOB, at(2, "10:00"))).status_code == 201, "the offered place is free"


async def test_a_visit_that_is_not_what_was_wished_for_leaves_the_wish(door: Door):
    await door.booked(MARIA, at(1, "16:00"))
    await wish(door, days=3, practitioner="Practitioner/lena")
    await door.booked(MARIA, at(2, "11:00"))
    await door.booked(MARIA, at(5, "11:00"), "lena")
    await sweep(door.running)
    assert await listed(door) == [("Patient/maria", "waiting")]


async def test_the_last_evening_of_a_wish_counts_by_the_clock_of_the_site(door: Door):
    """20:00 in New York is the next day in UTC."""
    await wish(door, days=2)
    await door.booked(TOM, at(2, "20:00"), patient="Patient/maria", override="evening")
    await sweep(door.running)
    assert await listed(door) == []


async def test_an_offer_taken_up_by_moving_a_visit_has_come_true(door: Door):
    mine = await door.booked(MARIA, at(8, "10:00"))
    url = await wish(door, practitioner="Practitioner/lena")
    hold = await offer(door, url, at(2, "10:00"))
    moved = await door.ask(MARIA, "POST", f"/appointments/{mine['id']}/reschedule", {"hold": hold})
    assert moved.status_code == 200, moved.text
    assert await listed(door) == []
    await door.never_wrong()


async def test_an_offer_that_ended_waits_again_and_its_place_is_free(
    door: Door, postgres_url, key_file
):
    async with open_door(
        postgres_url, key_file, beside=door, POLYCLINIC_APPOINTMENTS_OFFER_MINUTES="0"
    ) as quick:
        await offer(quick, await wish(quick), at(2, "10:00"))
    await door.sql("SELECT pg_sleep(0.05)")
    await sweep(door.running)
    assert await listed(door) == [("Patient/maria", "waiting")]
    assert (await door.book(BOB, at(2, "10:00"))).status_code == 201


async def test_who_leaves_for_somebody_else_is_refused_and_logged(door: Door):
    url = await wish(door)
    assert (await door.ask(BOB, "POST", f"{url}/leave", {})).status_code == 404
    denied = "SELECT action FROM appointments.access_log WHERE actor = $1 AND outcome = 8"
    assert len(await door.sql(denied, BOB.subject)) == 1
