"""Many want the same: whatever happens, nobody is in two places and no place has two."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import httpx
import pytest
from desk_door import SYSTEM, TOM, Door, at, open_door, patient, week

from polyclinic.services.appointments.store import places

GROUP = {
    "id": "group", "name": "Group", "minutes": 60, "every": 60, "notice_minutes": 0, "capacity": 5,
}  # fmt: skip
ROOMED = {
    "id": "scan", "name": "Scan", "minutes": 20, "every": 20, "notice_minutes": 0,
    "room_kind": "scanner",
}  # fmt: skip
ROOMS = [{"id": f"scanner-{n}", "site": "main", "kind": "scanner"} for n in (1, 2)]


@pytest.fixture(scope="module")
async def door(postgres_url: str, key_file: Path):
    async with open_door(postgres_url, key_file) as opened:
        document = week("ana", "lena", "sofie", "priya", types=[GROUP, ROOMED], rooms=ROOMS)
        await opened.set_up(document)
        yield opened


@pytest.fixture(autouse=True)
async def empty(door: Door):
    await door.empty()


def statuses(answers):
    counted: dict[int, int] = {}
    for each in answers:
        counted[each.status_code] = counted.get(each.status_code, 0) + 1
    return counted


async def test_of_two_hundred_who_want_one_place_one_wins_and_the_rest_hear_alternatives(door):
    start = at(5, "10:00")
    answers = await asyncio.gather(*(door.book(patient(f"p{n}"), start) for n in range(200)))
    assert statuses(answers) == {201: 1, 409: 199}
    for answer in answers:
        if answer.status_code == 409:
            nearest = answer.json()["nearest"]
            assert len(nearest) == 3
            assert start not in {o["local_start"] for o in nearest}
    await door.never_wrong()


async def race(door, beside, count, chance):
    """Bookings, moves and cancellations on few places through two processes."""
    starts = [at(6, f"{hour:02}:{minute:02}") for hour in (9, 10) for minute in (0, 20, 40)]
    doctors, people = ("ana", "lena"), [patient(f"r{n}") for n in range(60)]
    known: list[tuple] = []
    seen: dict[int, int] = {}

    async def one(number):
        which = door if number % 2 else beside
        who, kind = chance.choice(people), chance.random()
        if kind < 0.75 or not known:
            answer = await which.book(who, chance.choice(starts), chance.choice(doctors))
            if answer.status_code == 201:
                known.append((who, answer.json()["appointment"]["id"]))
        elif kind < 0.9:
            owner, name = chance.choice(known)
            body = {"start": chance.choice(starts),
                    "practitioner": f"Practitioner/{chance.choice(doctors)}"}  # fmt: skip
            answer = await which.ask(owner, "POST", f"/appointments/{name}/reschedule", body)
        else:
            owner, name = chance.choice(known)
            answer = await which.ask(owner, "POST", f"/appointments/{name}/cancel", {})
        seen[answer.status_code] = seen.get(answer.status_code, 0) + 1

    waiting = asyncio.Semaphore(64)

    async def queued(number):
        async with waiting:
            await one(number)

    await asyncio.gather(*(queued(n) for n in range(count)))
    return seen


async def never_two(door):
    """Counted anew from the rows, beside the auditor: no pair of anybody overlaps."""
    await door.never_wrong()
    for column in ("clinician", "room", "person"):
        query = (
            f"SELECT count(*) FROM appointments.appointment a JOIN appointments.appointment b"
            f" ON a.{column} = b.{column} AND a.id < b.id AND a.start_at < b.end_at"
            f" AND b.start_at < a.end_at AND NOT (a.seats <> b.seats AND a.start_at = b.start_at)"
            f" WHERE a.status <> 'cancelled' AND b.status <> 'cancelled'"
        )
        assert (await door.sql(query))[0][0] == 0, column


async def test_a_thousand_racing_requests_leave_no_double_booking(door, postgres_url, key_file):
    async with open_door(postgres_url, key_file, beside=door) as beside:
        seen = await race(door, beside, 1000, random.Random(7))
    assert set(seen) <= {200, 201, 409}, seen
    await never_two(door)


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_ten_thousand_racing_requests_leave_no_double_booking(
    door, postgres_url, key_file, record_property
):
    async with open_door(postgres_url, key_file, beside=door) as beside:
        seen = await race(door, beside, 10_000, random.Random(11))
    assert set(seen) <= {200, 201, 409}, seen
    await never_two(door)
    record_property("bookings, moves and cancellations", sum(seen.values()))
    record_property("of them refused", seen[409])


async def test_scarce_places_end_with_exactly_their_capacity(door, postgres_url, key_file):
    """12 places of two doctors, 600 who want one: twelve have one in the end."""
    starts = [at(7, f"{hour:02}:{minute:02}") for hour in (9, 10) for minute in (0, 20, 40)]
    async with open_door(postgres_url, key_file, beside=door) as beside:
        answers = await asyncio.gather(
            *(
                (door if n % 2 else beside).book(
                    patient(f"s{n}"), starts[n % 6], ("ana", "lena")[n // 6 % 2]
                )
                for n in range(600)
            )
        )
    assert statuses(answers) == {201: 12, 409: 588}
    await never_two(door)


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_ten_thousand_bookings_of_scarce_places_end_with_exactly_their_capacity(
    door, postgres_url, key_file, record_property
):
    """840 places of four doctors in ten days, each wished for by twelve or so, in any order."""
    starts = [
        at(5 + day, f"{hour:02}:{minute:02}")
        for day in range(10)
        for hour in (9, 10, 11, 13, 14, 15, 16)
        for minute in (0, 20, 40)
    ]
    places = [(s, d) for s in starts for d in ("ana", "lena", "sofie", "priya")]
    wishes = [(patient(f"t{n}"), *places[n % len(places)]) for n in range(10_000)]
    random.Random(13).shuffle(wishes)
    waiting = asyncio.Semaphore(64)

    async def book(which, wish):
        async with waiting:
            return await which.book(*wish)

    async with open_door(postgres_url, key_file, beside=door) as beside:
        answers = await asyncio.gather(
            *(book(door if n % 2 else beside, wish) for n, wish in enumerate(wishes))
        )
    assert statuses(answers) == {201: len(places), 409: len(wishes) - len(places)}
    await never_two(door)
    record_property("bookings", len(wishes))
    record_property("places, all of them taken once", len(places))


async def test_a_shared_visit_ends_with_exactly_its_seats(door, postgres_url, key_file):
    start = at(7, "14:00")
    async with open_door(postgres_url, key_file, beside=door) as beside:
        answers = await asyncio.gather(
            *(
                (door if n % 2 else beside).book(patient(f"g{n}"), start, visit_type="group")
                for n in range(40)
            )
        )
    assert statuses(answers) == {201: 5, 409: 35}
    assert (await door.book(patient("solo"), start)).status_code == 409
    mine = [a.json()["appointment"] for a in answers if a.status_code == 201]
    for each in mine:
        url = f"/appointments/{each['id']}/cancel"
        assert (await door.ask(TOM, "POST", url, {})).status_code == 200
    assert (await door.sql("SELECT count(*) FROM appointments.atom"))[0][0] == 0
    assert (await door.book(patient("solo"), start)).status_code == 201
    await never_two(door)


async def test_members_that_come_and_go_never_let_the_group_lose_its_clinician(door):
    start = at(8, "14:00")
    for turn in range(6):
        one = await door.booked(patient(f"a{turn}"), start, visit_type="group")
        url = f"/appointments/{one['id']}/cancel"
        answers = await asyncio.gather(
            door.ask(TOM, "POST", url, {}),
            door.book(patient(f"b{turn}"), start, visit_type="group"),
            door.book(patient(f"c{turn}"), start),
        )
        assert answers[0].status_code == 200
        assert [answers[1].status_code, answers[2].status_code].count(201) == 1
        await never_two(door)
        await door.empty()


async def test_two_scanners_serve_two_at_a_time_whoever_the_clinicians_are(door):
    start = at(7, "09:00")
    doctors = ("ana", "lena", "sofie", "priya")
    answers = await asyncio.gather(
        *(door.book(patient(f"x{n}"), start, doctors[n % 4], visit_type="scan") for n in range(40))
    )
    assert statuses(answers) == {201: 2, 409: 38}
    rooms = {a.json()["appointment"]["room"] for a in answers if a.status_code == 201}
    assert rooms == {"scanner-1", "scanner-2"}
    await never_two(door)


async def test_a_hold_and_a_booking_of_the_same_place_never_both_win(door, postgres_url, key_file):
    async with open_door(
        postgres_url, key_file, beside=door, POLYCLINIC_APPOINTMENTS_HOLD_SECONDS="1"
    ) as quick:
        start = at(9, "10:00")
        body = {"visit_type": "visit", "practitioner": "Practitioner/ana", "start": start}
        held = (await quick.ask(patient("h"), "POST", "/appointments/holds", body)).json()["hold"]
        await door.sql("SELECT pg_sleep(0.9)")  # the hold ends while everybody asks
        answers = await asyncio.gather(
            *(quick.book(patient(f"q{n}"), start) for n in range(30)),
            quick.ask(patient("h"), "POST", "/appointments/bookings", {"hold": held["id"]}),
            *(door.book(patient(f"o{n}"), start) for n in range(30)),
        )
    assert statuses(answers).get(201, 0) <= 1
    await never_two(door)


async def test_moves_onto_each_others_places_end_whole(door):
    """Everybody moves to the next one's place at once: each has one place in the end."""
    starts = [at(10, f"09:{minute:02}") for minute in (0, 20, 40)]
    people = [patient(f"m{n}") for n in range(3)]
    mine = [await door.booked(p, s) for p, s in zip(people, starts, strict=True)]
    answers = await asyncio.gather(
        *(
            door.ask(people[n], "POST", f"/appointments/{mine[n]['id']}/reschedule",
                     {"start": starts[(n + 1) % 3]})
            for n in range(3)
        )
    )  # fmt: skip
    assert set(statuses(answers)) <= {200, 409}
    rows = await door.sql("SELECT count(*), count(DISTINCT start_at) FROM appointments.appointment")
    assert tuple(rows[0]) == (3, 3)
    assert (await door.sql("SELECT count(*) FROM appointments.atom"))[0][0] == 3 * 8
    await never_two(door)


SERVER = """
import asyncio, json, sys
from polyclinic.assembly.process import assemble, serve
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.settings import Platform

class Anybody:
    async def verify(self, token):
        return Caller(token, "test", "patient", frozenset({"patient/*.cruds"}),
                      f"Patient/{token}", token)

async def main(url, key, port):
    platform = Platform(database_url=url, key_file=key)
    async with assemble(platform, ("appointments",), {}) as process:
        process.running["appointments"].callers = Anybody()
        await serve(process, "127.0.0.1", int(port), lambda: print("ready", flush=True))

asyncio.run(main(*sys.argv[1:]))
"""


def free_port():
    import socket

    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


class Killable:
    """A real process that serves until it is killed."""

    def __init__(self, door: Door, key_file: Path) -> None:
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, door.url, str(key_file), str(self.port)],
            stdout=subprocess.PIPE,
            env=dict(os.environ),
        )

    async def __aenter__(self) -> httpx.AsyncClient:
        assert await asyncio.to_thread(self.process.stdout.readline) == b"ready\n"
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=60)
        return self.client

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


async def ask_again(client, answers, who, body):
    """Asks with the key of this wish; an answer that was heard before must be heard again.

    Whoever is sent away because too many ask, as they do on a busy machine, comes again.
    """
    headers = {"authorization": f"Bearer {who}", "idempotency-key": f"kill-{who}"}
    answer = None
    while answer is None or answer.status_code == 503:
        try:
            answer = await client.post("/appointments/bookings", json=body, headers=headers)
        except httpx.HTTPError:
            return
        if answer.status_code == 503:
            await asyncio.sleep(0.2)
    assert answer.status_code in (201, 409), answer.text
    found = (answer.status_code, answer.content)
    assert answers.setdefault(who, found) == found, who


@pytest.mark.parametrize(
    "rounds", [1, pytest.param(10, marks=[pytest.mark.long, pytest.mark.timeout(900)])]
)
async def test_a_process_killed_in_the_middle_leaves_every_booking_whole(
    door, key_file, rounds, record_property
):
    """kill -9 while hundreds book; then the same keys are asked again, and each has one answer."""
    wishes = 0
    for _ in range(rounds):
        await door.empty()
        wishes += await killed_in_the_middle(door, key_file)
    record_property("kills", rounds * 2)
    record_property("bookings asked for", wishes)


async def killed_in_the_middle(door, key_file):
    starts = [at(11, f"{h:02}:{m:02}") for h in (9, 10, 11, 13) for m in (0, 20, 40)]
    places = [(d, s) for d in ("ana", "lena", "sofie", "priya") for s in starts]
    wishes = [
        (f"k{n}", {"visit_type": "visit", "practitioner": f"Practitioner/{d}", "start": s})
        for n, (d, s) in enumerate(places * 3)
    ]
    answers: dict[str, tuple[int, bytes]] = {}
    for turn in range(3):
        killable = Killable(door, key_file)
        async with killable as client:
            tasks = [asyncio.create_task(ask_again(client, answers, *wish)) for wish in wishes]
            if turn < 2:
                ended = asyncio.as_completed(tasks)
                for _ in range(12 * (turn + 1)):
                    await next(ended)
                killable.process.send_signal(signal.SIGKILL)
            await asyncio.gather(*tasks)
    assert len(answers) == len(wishes)
    won = [json.loads(b)["appointment"]["id"] for s, b in answers.values() if s == 201]
    rows = await door.sql("SELECT id::text FROM appointments.appointment")
    assert sorted(won) == sorted(row["id"] for row in rows)
    assert len(won) == len(places)
    resources = await door.sql("SELECT id FROM appointments.resource")
    assert {row["id"] for row in resources} == set(won)
    for name in won:
        assert await door.said(f"Appointment/{name}") == ["AppointmentBooked"]
    await never_two(door)
    return len(wishes)


async def test_a_dump_of_the_database_names_nobody(door):
    """Every row of every table of the service as text: no reason, comment or name is in it."""
    marks = {
        "reason": "MARKED-REASON-7f3", "comment": "MARKED-COMMENT-7f3", "override": "MARKED-WHY",
    }  # fmt: skip
    who = patient(f"opaque-{uuid.uuid4()}")
    mine = await door.booked(who, at(12, "09:00"), reason=marks["reason"], comment=marks["comment"])
    await door.booked(
        TOM, at(12, "09:00"), patient="Patient/opaque-two", override=marks["override"],
        reason=marks["reason"],
    )  # fmt: skip
    resource = {
        "resourceType": "Appointment", "status": "booked", "start": at(12, "11:00"),
        "end": at(12, "11:20"), "comment": marks["comment"],
        "serviceType": [{"coding": [{"system": "urn:polyclinic:visit-type", "code": "visit"}]}],
        "reasonCode": [{"text": marks["reason"]}],
        "participant": [
            {"actor": {"reference": "Patient/opaque-3", "display": "MARKED-NAME-7f3"},
             "status": "accepted"},
            {"actor": {"reference": "Practitioner/ana", "display": "MARKED-DOCTOR-7f3"},
             "status": "accepted"},
        ],
    }  # fmt: skip
    made = await door.ask(SYSTEM, "POST", "/fhir/Appointment", resource)
    assert made.status_code == 201, made.text
    assert "MARKED-NAME" not in made.text
    url = f"/appointments/{mine['id']}/reschedule"
    await door.ask(who, "POST", url, {"start": at(12, "10:00"), "reason": marks["reason"]})
    key = {"idempotency_key": "MARKED-KEY-7f3"}
    await door.ask(who, "POST", f"/appointments/{mine['id']}/cancel", {}, **key)
    tables = await door.sql(
        "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'appointments'::regnamespace"
        " AND c.relkind IN ('r', 'p')"
    )
    assert len(tables) > 20
    for table in tables:
        for row in await door.sql(f'SELECT * FROM appointments."{table["relname"]}"'):
            for name, value in row.items():
                held = value if isinstance(value, bytes) else str(value).encode()
                assert b"MARKED" not in held, (table["relname"], name)
                # Text that the database shows as hexadecimal is no better hidden.
                assert b"MARKED".hex().encode() not in held, (table["relname"], name)


async def test_a_batch_that_wants_one_taken_place_asks_for_it_once(
    door, postgres_url, key_file, monkeypatch
):
    """When each asked in a turn of its own, a hot place cost a transaction a refusal."""
    start, asked = at(8, "10:00"), []
    take = places.take

    async def noted(tx, asks):
        asked.append(len(asks))
        return await take(tx, asks)

    async with open_door(postgres_url, key_file, beside=door) as beside:
        await door.booked(patient("first"), start)
        monkeypatch.setattr(places, "take", noted)
        answers = await asyncio.gather(*(beside.book(patient(f"b{n}"), start) for n in range(40)))
    assert statuses(answers) == {409: 40}
    assert all(len(answer.json()["nearest"]) == 3 for answer in answers)
    assert len(asked) <= 4, "a question a batch: one alone, one beside it, and what came meanwhile"
    await door.never_wrong()


async def test_who_holds_a_place_gets_it_among_many_of_one_batch_who_lose_it(
    door, postgres_url, key_file
):
    start = at(8, "10:20")
    wish = {"visit_type": "visit", "practitioner": "Practitioner/ana", "start": start}
    made = await door.ask(patient("h"), "POST", "/appointments/holds", wish)
    hold = {"hold": made.json()["hold"]["id"]}
    async with open_door(postgres_url, key_file, beside=door) as beside:
        before = [beside.book(patient(f"b{n}"), start) for n in range(20)]
        after = [beside.book(patient(f"a{n}"), start) for n in range(20)]
        mine = beside.ask(patient("h"), "POST", "/appointments/bookings", hold)
        answers = await asyncio.gather(*before, mine, *after)
    assert statuses(answers) == {201: 1, 409: 40}
    assert answers[20].status_code == 201, answers[20].text
    await door.never_wrong()
