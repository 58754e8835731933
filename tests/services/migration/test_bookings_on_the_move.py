"""Bookings move to appointments while both desks work, and go back; none is lost or doubled."""

import asyncio
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from booking_world import Desks, instant, open_desks, wall
from moving_world import ADMIN, MOVING, SYSTEM

from polyclinic.foundation.errors import Unavailable
from polyclinic.services.appointments.actions import elsewhere
from polyclinic.services.appointments.domain import reading
from polyclinic.services.appointments.domain.problems import PlaceTaken
from polyclinic.services.migration.actions import data, moving, returning
from polyclinic.services.migration.gateways.batches import Ask
from polyclinic.services.migration.gateways.bookings import Bookings

NOT_BEGUN = "it has not begun yet"
COMING = ("appts", "", "its row is on its way here")
UNKNOWN = ("appts", "pat_id", "the old system does not know whom")
TAKEN = ("appts", "start", "the time is taken")


@pytest.fixture
async def desks(assembled, either_old):
    async with open_desks(assembled, either_old) as opened:
        yield opened


async def until_idle(way) -> None:
    while await moving.step(way):
        pass


async def begun(desks: Desks, direction: str) -> None:
    await desks.world.begin(direction, "patients", "appts")
    await desks.world.settle()


def registered(n: int) -> dict[str, Any]:
    """Somebody new, on our side."""
    return {
        "resourceType": "Patient", "id": f"new-{n}",
        "identifier": [{"system": "urn:harbor:mrn", "value": f"HS-90000{n}"}],
        "name": [{"family": "Lind", "given": ["Ada"]}], "birthDate": "1970-01-02",
    }  # fmt: skip


async def test_all_bookings_are_moved_whatever_became_of_them(desks: Desks):
    await begun(desks, "forward")
    report = await desks.world.report()
    assert report["divergence"] == 0, report
    pair = next(each for each in report["pairs"] if each["pair"] == "appts")
    assert pair["rows"] == pair["same"] > 60
    for key, stat, start in desks.world.old.all("SELECT id, stat, start_dt FROM appts"):
        found = await desks.of_row(key)
        assert found is not None
        words = {"BOOKED": "booked", "SEEN": "fulfilled", "NOSHOW": "noshow", "CANC": "cancelled"}
        assert found.status == words[stat]
        document = await desks.world.read("Appointment", str(found.id))
        assert document is None, "it is appointments' own, and no document of records"
        begins = datetime.fromtimestamp(found.place.start * 300, UTC)
        assert f"{begins:%Y-%m-%dT%H:%M:%SZ}" == instant(start)
    await desks.never_wrong()


async def test_bookings_are_moved_while_the_old_desk_works(desks: Desks, monkeypatch):
    monkeypatch.setattr(moving, "CHUNK", 10)
    patients, _ = desks.world.first_patients(20)
    await desks.world.begin("forward", "patients", "appts")
    stop = asyncio.Event()

    async def work() -> int:
        count = 0
        while not stop.is_set() and count < 40:
            at = wall(30 + count, "10:00")
            key = desks.booked_there(patients[count % 20], at, 1 + count % 6)
            if count % 3 == 0:
                desks.world.do("UPDATE appts SET stat = 'CANC' WHERE id = ?", key)
            if count % 4 == 0:
                later = wall(30 + count, "11:00")
                desks.world.do("UPDATE appts SET start_dt = ? WHERE id = ?", later, key - 1)
            if count % 7 == 0:
                desks.world.do("DELETE FROM appts WHERE id = ?", key - 2)
            count += 1
            await asyncio.sleep(0.01)
        return count

    desk = asyncio.create_task(work())
    for _ in range(40):
        async with desks.world.passage.moving:
            await moving.step(await desks.world.way())
        await asyncio.sleep(0)
    stop.set()
    assert await desk > 5
    await desks.world.settle()
    report = await desks.world.report()
    assert report["divergence"] == 0, report
    assert all(p["checksum"] == p["kept"] or p["quarantined"] for p in report["pairs"])
    await desks.never_wrong()


async def test_what_the_old_desk_changes_changes_here(desks: Desks):
    patients, _ = desks.world.first_patients(3)
    moved = desks.booked_there(patients[0], wall(20, "09:00"))
    off = desks.booked_there(patients[1], wall(20, "09:15"))
    gone = desks.booked_there(patients[2], wall(20, "09:30"))
    missed = desks.booked_there(patients[2], wall(-2, "09:30"))
    await begun(desks, "forward")
    do = desks.world.do
    do("UPDATE appts SET stat = 'CANC' WHERE id = ?", off)
    # Where another one was: who leaves a time leaves it to who comes with the same news.
    do("UPDATE appts SET start_dt = ?, reason = NULL WHERE id = ?", wall(20, "09:15"), moved)
    do("UPDATE appts SET stat = 'NOSHOW' WHERE id = ?", missed)
    do("DELETE FROM appts WHERE id = ?", gone)
    await desks.world.settle()
    assert [await desks.status(key) for key in (moved, off, gone, missed)] == [
        "booked", "cancelled", "cancelled", "noshow",
    ]  # fmt: skip
    assert (await desks.world.report())["divergence"] == 0
    await desks.never_wrong()


async def test_a_taken_time_is_put_aside_and_had_as_soon_as_it_is_left(desks: Desks):
    patients, _ = desks.world.first_patients(3)
    await begun(desks, "both")
    at = wall(20, "10:00")
    name = await desks.book(desks.world.resource("patients", patients[0]), at)
    await desks.world.until(lambda: len(desks.rows_at(at)) == 1)
    key = desks.booked_there(patients[1], at)
    twice = desks.booked_there(patients[0], wall(20, "10:05"), 2)
    await desks.world.settle()
    reasons = await desks.world.reasons()
    assert reasons[TAKEN] == 1
    assert reasons["appts", "start", "the patient has another visit then"] == 1
    assert (await desks.status(key), await desks.status(twice)) == (None, None)
    await desks.do(name, "cancel")
    await desks.world.until(lambda: desks.rows_at(at)[0][2] == "CANC")
    await desks.world.agree()
    assert (await desks.status(key), await desks.status(twice)) == ("booked", "booked")
    assert not (await desks.world.reasons())[TAKEN]
    with pytest.raises(PlaceTaken):
        await desks.book(desks.world.resource("patients", patients[2]), at)


async def test_what_cannot_be_a_booking_here_is_put_aside_with_its_reason(desks: Desks):
    patients, _ = desks.world.first_patients(3)
    do = desks.world.do
    unheard = desks.booked_there(patients[0], wall(20, "10:00"), 6)
    uneven = desks.booked_there(patients[0], wall(21, "10:02"))
    never = desks.booked_there(patients[0], "2026-03-08 02:30")
    twice = desks.booked_there(patients[0], "2026-11-01 01:30")
    no_day = desks.booked_there(patients[0], "9999-12-31 23:59")
    early = desks.booked_there(patients[0], wall(22, "10:00"), stat="SEEN")
    strange = desks.booked_there(patients[0], wall(23, "10:00"), stat="LATE")
    nowhere = desks.booked_there(patients[0], wall(24, "10:00"))
    do("UPDATE appts SET site = NULL WHERE id = ?", nowhere)
    nobodys = desks.booked_there(
        desks.world.one("SELECT id FROM patients WHERE first_nm IS NULL"), wall(25, "10:00")
    )
    unlisted = MOVING.replace('"6": Practitioner/harbor-rowe', '"6": Practitioner/harbor-nobody')
    await data.set_up(desks.world.passage, ADMIN, unlisted, desks.world.old.url, None)
    await begun(desks, "forward")
    reasons = await desks.world.reasons()
    for place, reason in (
        ("practitioner", "the clinic has none such"),
        ("start", "no multiple of 5 minutes"),
        ("start_dt", "no time"),
        ("stat", "unknown code"),
        ("site", "empty"),
        ("pat_id", "leads nowhere"),
    ):
        assert reasons["appts", place, reason] >= 1, (place, reason, reasons)
    assert reasons["appts", "", NOT_BEGUN] == 1
    assert reasons["appts", "start_dt", "no time"] >= 3
    for key in (unheard, uneven, never, twice, no_day, early, strange, nowhere, nobodys):
        assert await desks.of_row(key) is None
    assert (await desks.world.report())["divergence"] == 0


async def test_what_our_desk_does_stands_in_the_old_clinic(desks: Desks):
    patients, _ = desks.world.first_patients(3)
    theirs = desks.booked_there(patients[1], wall(20, "09:00"))
    await begun(desks, "both")
    before, until = desks.world.one("SELECT count(*) FROM appts"), desks.world.until
    at, later = wall(20, "10:00"), wall(21, "16:30")
    patient = desks.world.resource("patients", patients[0])
    name = await desks.book(patient, at, "lund", reason="Knee")
    await until(lambda: len(desks.rows_at(at, 3)) == 1)
    query = "SELECT pat_id, prov_id, site, mins, reason, stat FROM appts WHERE start_dt = ?"
    assert desks.world.one(query, at) == (patients[0], 3, "QUAY", 15, "Knee", "BOOKED")
    await desks.move(name, later)
    await until(lambda: len(desks.rows_at(later, 3)) == 1)
    assert desks.rows_at(at, 3) == []
    await desks.do(desks.name(theirs), "cancel")
    await until(lambda: desks.rows_at(wall(20, "09:00"))[0][2] == "CANC")
    await desks.world.agree()
    assert desks.world.one("SELECT count(*) FROM appts") == before + 1
    assert (await desks.find(name)).status == "booked"
    # The old desk goes on with what was booked here.
    desks.world.do("UPDATE appts SET start_dt = ? WHERE start_dt = ?", at, later)
    await desks.world.settle()
    assert (await desks.world.report())["divergence"] == 0
    found = await desks.find(name)
    assert (found.status, found.place.visit_type) == ("booked", "visit")
    with pytest.raises(PlaceTaken):
        await desks.book(desks.world.resource("patients", patients[2]), at, "lund")
    await desks.never_wrong()


async def test_a_visit_that_begins_here_is_told_when_it_is_over(desks: Desks):
    patients, _ = desks.world.first_patients(2)
    at = wall(-1, "09:00")
    key, missed = desks.booked_there(patients[0], at), desks.booked_there(patients[1], at, 2)
    await begun(desks, "both")
    await desks.do(desks.name(key), "arrive")
    await desks.world.settle()
    desks.world.do("UPDATE appts SET reason = 'Fever' WHERE id = ?", key)
    await desks.world.agree()
    assert await desks.status(key) == "arrived", "the old clinic does not know who has arrived"
    assert not (await desks.world.reasons())["appts", "stat", "the old system has no such code"]
    await desks.do(desks.name(key), "fulfil")
    await desks.do(desks.name(missed), "no-show")
    await desks.world.until(lambda: desks.rows_at(at)[0][2] == "SEEN")
    await desks.world.until(lambda: desks.rows_at(at, 2)[0][2] == "NOSHOW")
    await desks.world.agree()


async def test_a_booking_that_both_desks_moved_is_for_a_person_to_decide(desks: Desks):
    patients, _ = desks.world.first_patients(1)
    key = desks.booked_there(patients[0], wall(20, "09:00"))
    await begun(desks, "both")
    async with desks.world.passage.moving:  # nobody looks at the old log meanwhile
        desks.world.do("UPDATE appts SET start_dt = ? WHERE id = ?", wall(20, "11:00"), key)
        await desks.move(desks.name(key), wall(20, "10:00"))
        await desks.world.until_aside("appts", "", "changed on both sides", 1)
    await desks.world.settle()
    assert (await desks.world.reasons())["appts", "", "changed on both sides"] == 1
    assert (await desks.world.report())["divergence"] == 1
    assert len(desks.rows_at(wall(20, "11:00"))) == 1
    await desks.move(desks.name(key), wall(20, "11:00"))
    await desks.world.agree()
    assert not (await desks.world.reasons())["appts", "", "changed on both sides"]


async def test_what_our_desk_does_while_the_rest_comes_over_goes_back(desks: Desks, monkeypatch):
    """Nothing was noted of the row yet, and after two seconds the change was dropped."""
    patients, _ = desks.world.first_patients(2)
    key, last = (desks.booked_there(patients[n], wall(20, f"1{n}:00")) for n in range(2))
    take_in = elsewhere.take_in

    async def cancel_meanwhile(desk, visitor, asked, once):
        if asked.key == str(last) and await desks.status(key) == "booked":
            await desks.do(desks.name(key), "cancel")
            await desks.world.until_aside(*COMING, 1)
        return await take_in(desk, visitor, asked, once)

    monkeypatch.setattr(elsewhere, "take_in", cancel_meanwhile)
    await begun(desks, "both")
    await desks.world.until(lambda: desks.rows_at(wall(20, "10:00"))[0][2] == "CANC")
    await desks.world.agree()
    assert not (await desks.world.reasons())[COMING]
    assert await desks.status(key) == "cancelled"


async def test_who_waits_for_one_patient_is_not_asked_again_for_another(desks: Desks, monkeypatch):
    """Of each new patient all that waited was asked again, in one transaction: past thirty seconds
    none went back any more."""
    ada, bob = registered(0), registered(1)
    await begun(desks, "forward")
    await desks.world.put(ada)
    await desks.world.settle()
    await desks.world.begin("both", "patients", "appts")
    await desks.world.settle()
    times = [wall(20 + n, "12:00") for n in range(3)]
    hers = {str(await desks.book("new-0", at)) for at in times}
    await desks.world.until_aside(*UNKNOWN, 3)
    take_back, asked = returning._take_back, []

    async def note(way, tx, pair, name, *more):
        asked.append(name)
        return await take_back(way, tx, pair, name, *more)

    monkeypatch.setattr(returning, "_take_back", note)
    await desks.world.put(bob)
    await desks.book("new-1", wall(30, "12:00"))
    await desks.world.until(lambda: len(desks.rows_at(wall(30, "12:00"))) == 1)
    await desks.world.settle()
    assert not hers & set(asked)
    assert (await desks.world.reasons())[UNKNOWN] == 3
    await desks.world.put(ada | {"gender": "female"})
    await desks.world.until(lambda: all(len(desks.rows_at(at)) == 1 for at in times))
    await desks.world.agree()
    assert (await desks.world.reasons())[UNKNOWN] == 0


async def test_what_cannot_go_back_holds_up_nobody_who_waits_behind_it(desks: Desks, monkeypatch):
    await begun(desks, "both")
    times = [wall(20 + n, "12:00") for n in range(2)]
    first, _ = [str(await desks.book("new-0", at)) for at in times]
    await desks.world.until_aside(*UNKNOWN, 2)
    take_back = returning._take_back

    async def fail_on_one(way, tx, pair, name, *more):
        if name == first:
            raise RuntimeError("a fault of ours")
        return await take_back(way, tx, pair, name, *more)

    with monkeypatch.context() as broken:
        broken.setattr(returning, "_take_back", fail_on_one)
        await desks.world.put(registered(0))
        await desks.world.until(lambda: len(desks.rows_at(times[1])) == 1)
        await desks.world.settle()
        assert (desks.rows_at(times[0]), (await desks.world.reasons())[UNKNOWN]) == ([], 1)
    ada = await desks.world.read("Patient", "new-0")
    await desks.world.put(ada | {"gender": "female"})
    await desks.world.until(lambda: len(desks.rows_at(times[0])) == 1)
    await desks.world.agree()


async def test_only_what_waits_for_a_time_is_asked_when_one_is_left(desks: Desks, monkeypatch):
    """The whole table was walked through for each booking, and each of these rows asked twice."""
    patients, _ = desks.world.first_patients(5)
    theirs = desks.booked_there(patients[0], wall(20, "10:00"))
    other = desks.booked_there(patients[2], wall(20, "11:00"))
    await begun(desks, "both")
    waits = desks.booked_there(patients[1], wall(20, "10:00"))
    await desks.world.settle()
    take_in, asked, walked = elsewhere.take_in, [], []
    way = await desks.world.way()
    page = way.rows.page

    async def note(desk, visitor, asks, once):
        asked.append(asks.key)
        return await take_in(desk, visitor, asks, once)

    async def walk(*args):
        walked.append(args)
        return await page(*args)

    monkeypatch.setattr(elsewhere, "take_in", note)
    monkeypatch.setattr(way.rows, "page", walk, raising=False)
    await desks.book(desks.world.resource("patients", patients[3]), wall(21, "10:00"))
    await desks.world.until(lambda: len(desks.rows_at(wall(21, "10:00"))) == 1)
    desks.world.do("UPDATE appts SET reason = 'Fever' WHERE id = ?", other)
    await desks.world.settle()
    assert asked.count(str(waits)) == 0, "nobody left a time"
    asked.clear()
    await desks.do(desks.name(other), "cancel")
    await desks.world.until(lambda: desks.rows_at(wall(20, "11:00"))[0][2] == "CANC")
    await desks.world.until(lambda: bool(asked))
    await desks.world.settle()
    assert (asked, walked) == ([str(waits)], [])
    desks.world.do("UPDATE appts SET stat = 'CANC' WHERE id = ?", theirs)
    await desks.world.settle()
    assert (await desks.status(waits), walked) == ("booked", [])


async def test_a_time_that_is_left_while_who_waits_is_asked_is_had(desks: Desks, monkeypatch):
    """It was left before anything of the row was written down, and nobody was woken."""
    patients, _ = desks.world.first_patients(2)
    theirs = desks.booked_there(patients[0], wall(20, "10:00"))
    await begun(desks, "both")
    write_down, noted = moving._write_down, []
    query = "SELECT version FROM migration.crosswalk WHERE pair = 'appts' AND resource = $1"

    async def cancel_before(tx, way, pair, done):
        if pair.name == "appts" and done.refused and not noted:
            noted.append(True)
            name = desks.name(theirs)
            then = await way.database.fetchval(query, str(name))
            await desks.do(name, "cancel")
            while await way.database.fetchval(query, str(name)) == then:  # noqa: ASYNC110 - a row
                await asyncio.sleep(0.05)
        await write_down(tx, way, pair, done)

    monkeypatch.setattr(moving, "_write_down", cancel_before)
    waits = desks.booked_there(patients[1], wall(20, "10:00"))
    await desks.world.settle()
    assert noted
    assert await desks.status(waits) == "booked"
    assert not (await desks.world.reasons())[TAKEN]


async def test_what_had_not_begun_is_asked_again_after_a_while(desks: Desks, monkeypatch):
    monkeypatch.setattr(moving, "AGAIN_SECONDS", {NOT_BEGUN: 1}, raising=False)
    patients, _ = desks.world.first_patients(1)
    early = desks.booked_there(patients[0], wall(20, "10:00"), stat="SEEN")
    await begun(desks, "forward")
    assert (await desks.world.reasons())["appts", "", NOT_BEGUN] == 1
    monkeypatch.setattr(elsewhere.lifecycle, "check_begun", lambda *_: None)  # it has by now
    await desks.world.until_aside("appts", "", NOT_BEGUN, 0)
    assert await desks.status(early) == "fulfilled"


async def test_a_booking_goes_back_while_a_patient_takes_long(desks: Desks, monkeypatch):
    """One turn was held over all that a feed brought, and the other feed's thirty seconds ran."""
    patients, _ = desks.world.first_patients(1)
    at = wall(20, "10:00")
    name = desks.name(desks.booked_there(patients[0], at))
    await begun(desks, "both")
    way, meanwhile = await desks.world.way(), []
    insert = way.rows.insert

    async def slowly(pair, *args):
        if pair.name == "patients" and not meanwhile:
            await desks.do(name, "cancel")
            async with asyncio.timeout(15), way.database.transaction() as tx:
                await returning.take_back(way, tx, "Appointment", str(name), 2)
            meanwhile.append(desks.rows_at(at)[0][2])
        return await insert(pair, *args)

    monkeypatch.setattr(way.rows, "insert", slowly, raising=False)
    await desks.world.put(registered(0))
    await desks.world.until(lambda: bool(meanwhile))
    assert meanwhile == ["CANC"]
    await desks.world.agree()


async def test_a_patient_and_their_booking_go_back_whichever_is_heard_first(desks: Desks):
    await begun(desks, "both")
    names: list[UUID] = []
    for n in range(5):
        ada = registered(n)
        book = desks.book(f"new-{n}", wall(20 + n, "12:00"))
        names.append(await book if n % 2 else (await asyncio.gather(desks.world.put(ada), book))[1])
        if n % 2:
            await desks.world.put(ada)
    for n in range(5):
        await desks.world.until(lambda n=n: len(desks.rows_at(wall(20 + n, "12:00"))) == 1)
    await desks.world.agree()
    assert not (await desks.world.reasons())[UNKNOWN]
    assert all([await desks.find(name) for name in names])


async def test_a_crash_after_each_step_books_nobody_twice(desks: Desks, monkeypatch):
    await desks.world.begin("both", "patients", "appts")
    write_down, dying = moving._write_down, [True]

    async def die_for_bookings(tx, way, pair, done):
        if pair.name == "appts" and dying:
            raise Unavailable("The process dies here.")
        await write_down(tx, way, pair, done)

    monkeypatch.setattr(moving, "_write_down", die_for_bookings)
    way = await desks.world.way()
    async with desks.world.passage.moving:
        with pytest.raises(Unavailable, match="dies here"):
            await until_idle(way)
    dying.clear()
    await desks.world.settle()
    report = await desks.world.report()
    assert report["divergence"] == 0, report
    assert not (await desks.world.reasons())[TAKEN]
    insert, died = way.rows.insert, []

    async def insert_and_die(*args):
        await insert(*args)
        if not died:
            died.append(True)
            raise Unavailable("The process dies here.")
        raise AssertionError("a second row was made")

    monkeypatch.setattr(way.rows, "insert", insert_and_die, raising=False)
    patients, _ = desks.world.first_patients(1)
    at = wall(20, "10:00")
    await desks.book(desks.world.resource("patients", patients[0]), at)
    await desks.world.until(lambda: bool(died))
    await desks.world.agree()
    assert len(desks.rows_at(at)) == 1
    await desks.never_wrong()


async def test_what_changes_here_while_its_row_is_made_is_not_lost(desks: Desks, monkeypatch):
    """It was of a newer version than the one that was to learn its row's key, and never did."""
    await begun(desks, "both")
    way, names, at, later = await desks.world.way(), [], wall(20, "10:00"), wall(21, "10:00")
    insert, made, booked = way.rows.insert, [], asyncio.Event()

    async def insert_slowly(*args):
        made.append(await insert(*args))
        await booked.wait()
        await desks.move(names[0], later)
        return made[0]

    monkeypatch.setattr(way.rows, "insert", insert_slowly, raising=False)
    patients, _ = desks.world.first_patients(1)
    names.append(await desks.book(desks.world.resource("patients", patients[0]), at))
    booked.set()
    await desks.world.until(lambda: len(desks.rows_at(later)) == 1)
    assert (desks.rows_at(at), len(made)) == ([], 1)
    await desks.world.agree()
    assert (await desks.find(names[0])).status == "booked"


@pytest.mark.parametrize(
    ("minutes", "start", "place", "reason"),
    [
        (Decimal("1E+30"), "2027-01-04T10:00:00Z", "minutes", "no number"),
        ("a quarter", "2027-01-04T10:00:00Z", "minutes", "no number"),
        (Decimal(15), "some day", "start", "no time"),
        (Decimal(15), 7, "start", "no time"),
        (Decimal(15), "2027-01-04T10:02:00Z", "start", "no multiple of 5 minutes"),
    ],
)
async def test_what_is_no_time_is_an_answer_to_this_row_alone(minutes, start, place, reason):
    """It stopped the chunk, and with it everything that was to be moved."""
    resource = {"minutesDuration": minutes, "start": start}
    ask = Ask("PUT", "Appointment", "x", resource, None, ("urn:other", "7"))
    [(_, said)] = [each async for each in Bookings(None).answers([ask])]
    assert (said.status, said.place, said.reason) == (422, place, reason)


async def test_a_row_on_which_appointments_fails_stops_no_other(desks: Desks, monkeypatch):
    patients, _ = desks.world.first_patients(2)
    key = desks.booked_there(patients[0], wall(20, "10:00"))
    after = desks.booked_there(patients[1], wall(20, "11:00"))
    take_in = elsewhere.take_in

    async def fail_on_one(desk, visitor, asked, once):
        if asked.key == str(key):
            raise RuntimeError("a fault of appointments")
        return await take_in(desk, visitor, asked, once)

    monkeypatch.setattr(elsewhere, "take_in", fail_on_one)
    await begun(desks, "forward")
    assert (await desks.status(key), await desks.status(after)) == (None, "booked")
    assert (await desks.world.reasons())["appts", "", "refused by appointments"] == 1


@pytest.mark.parametrize("dies", ["appointments", "migration"])
async def test_what_is_done_here_after_a_chunk_broke_off_stays_done(
    desks: Desks, monkeypatch, dies
):
    """Nothing of it was noted, and its repetition moved the visit back."""
    patients, _ = desks.world.first_patients(3)
    moved = desks.booked_there(patients[0], wall(20, "10:00"))
    gone = desks.booked_there(patients[1], wall(20, "10:30"))
    last = desks.booked_there(patients[2], wall(20, "11:00"))
    later = wall(20, "15:00")
    take_in, write_down = elsewhere.take_in, moving._write_down

    async def is_away(desk, visitor, asked, once):
        if asked.key == str(last):
            raise Unavailable("Appointments dies here.")
        return await take_in(desk, visitor, asked, once)

    async def die(tx, way, pair, done):
        if pair.name == "appts":
            raise Unavailable("The process dies here.")
        await write_down(tx, way, pair, done)

    async with desks.world.passage.moving:
        await desks.world.begin("both", "patients", "appts")
        with monkeypatch.context() as broken:
            if dies == "appointments":
                broken.setattr(elsewhere, "take_in", is_away)
            else:
                broken.setattr(moving, "_write_down", die)
            with pytest.raises(Unavailable):
                await until_idle(await desks.world.way())
        shown = await data.shown(desks.world.passage, SYSTEM)
        noted = {pair["name"]: pair["moved"] for pair in shown["pairs"]}["appts"]
        assert noted >= 2 if dies == "appointments" else noted == 0
        await desks.move(desks.name(moved), later)
        desks.world.do("DELETE FROM appts WHERE id = ?", gone)
        way = await desks.world.way()
        way.walked.clear()  # as after a restart
        await until_idle(way)
    await desks.world.until(lambda: len(desks.rows_at(later)) == 1)
    await desks.world.agree()
    found = await desks.of_row(moved)
    assert reading.start(instant(later)) == found.place.start
    assert [await desks.status(key) for key in (gone, last)] == ["cancelled", "booked"]
    assert (await desks.world.reasons())["appts", "", "changed on both sides"] == 0
    await desks.never_wrong()
