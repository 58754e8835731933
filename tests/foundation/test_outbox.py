"""Events arrive once in effect and in order, whatever fails or dies in between."""

import asyncio
import contextlib
import random
from types import SimpleNamespace

import httpx
import pytest
from outbox_pair import SPEAKER, Crash, ThingHappened
from starlette.applications import Starlette

from polyclinic.foundation import outbox
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Problem
from polyclinic.foundation.outbox import feed
from polyclinic.foundation.outbox import reader as reading
from polyclinic.foundation.outbox.reader import Reader
from polyclinic.foundation.outbox.sequencer import Sequencer


async def test_events_are_numbered_without_gaps_in_the_order_of_their_writing(pair):
    speaker, _ = pair
    await asyncio.gather(*(speaker.say(n) for n in range(50)))
    while await speaker.sequencer.number():
        pass
    rows = await speaker.database.fetch("SELECT seq, id, subject FROM feed_entry ORDER BY seq")
    assert [r["seq"] for r in rows] == list(range(1, 51))
    assert {r["subject"] for r in rows} == {f"Thing/{n}" for n in range(50)}
    assert await speaker.database.fetchval("SELECT count(*) FROM outbox") == 0


async def test_a_transaction_that_fails_says_nothing(pair):
    speaker, listener = pair
    with contextlib.suppress(Crash):
        async with speaker.database.transaction() as tx:
            await outbox.announce(tx, ("Thing/1", ThingHappened(thing=1)))
            raise Crash
    await speaker.say(2)
    await speaker.sequencer.number()
    await listener.reader().turn(0)
    assert await listener.heard() == [2]


async def test_a_later_commit_with_an_earlier_number_is_not_lost(pair):
    # `id > last` loses the first of these two: it is committed after the second was read.
    speaker, listener = pair
    started, go = asyncio.Event(), asyncio.Event()

    async def slow():
        async with speaker.database.transaction() as tx:
            await outbox.announce(tx, ("Thing/1", ThingHappened(thing=1)))
            started.set()
            await go.wait()

    task = asyncio.create_task(slow())
    await started.wait()
    await speaker.say(2)
    reader = listener.reader()
    await speaker.sequencer.number()
    await reader.turn(0)
    go.set()
    await task
    await speaker.sequencer.number()
    await reader.turn(0)
    assert sorted(await listener.heard()) == [1, 2]


async def test_an_open_transaction_elsewhere_holds_the_feed_until_its_time_out_only(pair):
    speaker, _ = pair
    entered = asyncio.Event()

    async def sleeper():
        async with speaker.database.connection() as connection:
            await connection.execute("SET transaction_timeout = '700ms'")
            async with connection.transaction():
                await connection.execute("CREATE TABLE scratch ()")
                entered.set()
                await connection.execute("SELECT pg_sleep(60)")

    task = asyncio.create_task(sleeper())
    await entered.wait()
    await speaker.say(1)
    numbered = 0
    async with asyncio.timeout(10):
        while not numbered:
            numbered = await speaker.sequencer.number()
            await asyncio.sleep(0.02)
    assert numbered == 1
    with pytest.raises(Problem):
        await task


@pytest.mark.parametrize(
    "count", [1000, pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(900)])]
)
async def test_events_survive_crashes_at_every_point_once_and_in_order(
    pair, monkeypatch, count, record_property
):
    speaker, listener = pair
    monkeypatch.setattr(reading, "BATCH", 10)
    dice = random.Random(20261122)
    for start in range(0, count, 20):
        await speaker.say(*range(start, start + 20))
    while await speaker.sequencer.number():
        pass
    speaker.wire.cut = lambda: dice.random() < 0.2
    listener.crash = lambda _: dice.random() < 0.002

    async def effect_or_crash(self, told, epoch):  # dies between the effects of a page
        await self._together(told, epoch)
        if dice.random() < 0.3:
            raise Crash

    monkeypatch.setattr(Reader, "_effect", effect_or_crash)
    crashes = 0
    while len(await listener.heard()) < count:
        reader = listener.reader()  # each life is a new reader
        try:
            await reader.turn(0)
        except (Crash, Problem):
            crashes += 1
        await reader.let_go()
    assert crashes > count / 50
    assert await listener.heard() == list(range(count))
    record_property("events", count)
    record_property("crashes", crashes)


async def test_two_readers_of_one_service_do_not_bring_about_an_effect_twice(pair):
    speaker, listener = pair
    await speaker.say(*range(200))
    await speaker.sequencer.number()
    first, second = listener.reader(), listener.reader()
    done = await asyncio.gather(first.turn(0), second.turn(0))
    assert sorted(done) == [False, True]
    # A lease that ran out while its holder still works: the other takes over, nothing doubles.
    await speaker.say(*range(200, 300))
    await speaker.sequencer.number()
    await listener.database.execute("UPDATE reading SET until = now() - interval '1 s'")
    await asyncio.gather(first.turn(0), second.turn(0), return_exceptions=True)
    for reader in (first, second):
        await listener.database.execute("UPDATE reading SET until = now() - interval '1 s'")
        await reader.turn(0)
    assert await listener.heard() == list(range(300))


async def test_a_hopeless_event_becomes_a_dead_letter_and_the_others_go_on(pair, monkeypatch):
    monkeypatch.setattr(reading, "TRY_FIRST_SECONDS", 0.001)
    speaker, listener = pair
    await speaker.say(1, 2, 3)
    await speaker.sequencer.number()
    listener.crash = lambda thing: thing == 2
    reader = listener.reader()
    await reader.turn(0)
    assert await listener.heard() == [1, 3]
    (letter,) = await reading.dead_letters(listener.running)
    assert (letter["kind"], letter["reason"]) == ("ThingHappened", "Crash")
    assert "thing" not in str(letter)
    listener.crash = lambda _: False
    await reader.again(letter["event"])
    assert await listener.heard() == [1, 3, 2]
    assert await reading.dead_letters(listener.running) == []


async def test_a_restored_source_starts_a_new_epoch_and_nothing_happens_twice(pair):
    speaker, listener = pair
    await speaker.say(1, 2)
    await speaker.sequencer.number()
    reader = listener.reader()
    await reader.turn(0)
    before = await speaker.database.fetchval("SELECT epoch FROM feed")
    # What a restore leaves: another cluster's name, the feed's last numbers lost, a row unnumbered
    # whose transaction number lies in the future of this cluster.
    await speaker.say(3)
    await speaker.database.execute("UPDATE outbox SET tx = '999999999' WHERE subject = 'Thing/3'")
    await speaker.database.execute("DELETE FROM feed_entry WHERE seq = 2")
    await speaker.database.execute("UPDATE feed SET cluster = 'elsewhere', seq = 1")
    await speaker.sequencer.begin_epoch()
    assert await speaker.database.fetchval("SELECT epoch FROM feed") != before
    await reader.turn(0)
    assert await listener.heard() == [1, 2, 3]


async def test_a_restored_source_that_has_nothing_to_say_is_known_by_its_new_epoch(pair):
    """Else the reader asked again at once and for ever: its number was beyond the feed's end."""
    speaker, listener = pair
    await speaker.say(1, 2)
    await speaker.sequencer.number()
    reader = listener.reader()
    await reader.turn(0)
    await speaker.database.execute("DELETE FROM feed_entry")
    await speaker.database.execute("UPDATE feed SET seq = 0, epoch = uuidv7()")
    await reader.turn(0)
    row = await listener.database.fetchrow("SELECT epoch, seq FROM reading")
    epoch = await speaker.database.fetchval("SELECT epoch::text FROM feed")
    assert (row["epoch"], row["seq"]) == (epoch, 0)


async def test_the_mark_moves_in_the_commit_of_the_effects_and_in_no_other(pair, monkeypatch):
    speaker, listener = pair
    reader, commits, transaction = listener.reader(), [], listener.database.transaction
    await speaker.say(1)
    await speaker.sequencer.number()
    await reader.turn(0)

    def counted():
        commits.append(1)
        return transaction()

    monkeypatch.setattr(listener.database, "transaction", counted)
    await speaker.say(2, 3)
    await speaker.sequencer.number()
    await reader.turn(0)
    assert await listener.heard() == [1, 2, 3]
    assert await listener.database.fetchval("SELECT seq FROM reading") == 3
    assert len(commits) == 1


async def test_a_feed_is_read_only_with_the_scope_for_it(pair, database_of):
    speaker, _ = pair
    app = Starlette(routes=list(feed.routes(SPEAKER)))
    caller = Caller("x", "x", "clinician", frozenset({"user/*.cruds"}), None, "t")

    async def verify(_):
        return caller

    app.state.running = SimpleNamespace(
        service=SPEAKER, database=speaker.database, callers=SimpleNamespace(verify=verify)
    )
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://speaker")
    with pytest.raises(Problem):
        await client.get("/speaker/events", headers={"authorization": "Bearer x"})


async def test_a_waiting_reader_is_answered_when_something_is_said(pair):
    speaker, listener = pair
    async with speaker.sequencer.running():
        reader = listener.reader()
        waiting = asyncio.create_task(reader.turn(25))
        await asyncio.sleep(0.1)
        await speaker.say(7)
        async with asyncio.timeout(20):
            await waiting
    assert await listener.heard() == [7]


async def test_what_another_replica_numbers_wakes_those_who_wait_here(pair):
    speaker, _ = pair
    other = Sequencer(speaker.database, "speaker")
    waiting = asyncio.create_task(other.more.wait())
    await other.number()
    await speaker.say(1, 2)
    assert await speaker.sequencer.number() == 2
    assert await other.number() == 0
    async with asyncio.timeout(20):
        await waiting


async def test_an_event_wakes_the_sequencer_once_it_is_committed(pair):
    speaker, _ = pair
    assert not speaker.database.news.is_set()
    with contextlib.suppress(Crash):
        async with speaker.database.transaction() as tx:
            await outbox.announce(tx, ("Thing/1", ThingHappened(thing=1)))
            assert not speaker.database.news.is_set()
            raise Crash
    assert not speaker.database.news.is_set()
    await speaker.say(1)
    assert speaker.database.news.is_set()


async def test_what_everybody_had_a_month_to_read_is_forgotten(pair):
    speaker, listener = pair
    await speaker.say(1, 2)
    await speaker.sequencer.number()
    await listener.reader().turn(0)
    await speaker.database.execute(
        "UPDATE feed_entry SET at = now() - interval '31 days' WHERE seq = 1"
    )
    await speaker.sequencer.trim()
    kept = await speaker.database.fetch("SELECT subject FROM feed_entry")
    assert [row["subject"] for row in kept] == ["Thing/2"]
    await speaker.say(3)
    await speaker.sequencer.number()
    await listener.reader().turn(0)
    assert (await listener.heard())[:2] == [1, 2]


async def test_a_feed_that_is_asked_about_one_type_sends_nothing_of_the_others(pair):
    speaker, _ = pair
    await speaker.say(1, 2)
    await speaker.sequencer.number()
    ask = {
        "params": {"after": 0, "kinds": "ThingHappened:Other"},
        "headers": {"authorization": "Bearer t"},
    }
    other = (await speaker.wire.send("speaker", "GET", "/speaker/events", **ask)).json()
    assert (other["events"], other["last"]) == ([], 2)
    ask["params"]["kinds"] = "ThingHappened:Thing"
    mine = (await speaker.wire.send("speaker", "GET", "/speaker/events", **ask)).json()
    assert [each["subject"] for each in mine["events"]] == ["Thing/1", "Thing/2"]


async def test_a_source_that_stops_is_not_asked_on_and_on(pair):
    speaker, listener = pair
    await speaker.say(1)
    await speaker.sequencer.number()
    reader = listener.reader()
    assert await reader.turn(5)
    speaker.sequencer.let_go()
    assert not await reader.turn(5), "it answered at once, with nothing"
