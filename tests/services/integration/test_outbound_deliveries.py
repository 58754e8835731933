"""What events say reaches every receiver, in order, whoever dies; nobody is held up."""

import asyncio
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from outbound_house import House, open_house, until

from polyclinic.services.integration.domain import retrying
from polyclinic.services.integration.store import deliveries


@pytest.fixture(scope="module")
async def house(postgres_url, key_file):
    async with open_house(postgres_url, key_file) as opened:
        yield opened


@pytest.fixture(autouse=True)
async def _clean(house: House):
    house.receiver.answer = lambda _: 204
    await house.sql("DELETE FROM integration.destination")
    house.receiver.heard.clear()


def subjects(house, path):
    return [each.json["subject"] for each in house.receiver.at(path)]


async def due_now(house):
    """The clock runs ahead; the receivers are locked first, as the service itself does."""
    await house.sql(
        "WITH free AS (UPDATE integration.destination SET rests_until = '-infinity' RETURNING id)"
        " UPDATE integration.delivery d SET next_at = now() FROM free"
        " WHERE d.destination = free.id AND d.state = 'waiting'"
    )


async def state_of(house, name):
    [row] = await house.sql("SELECT * FROM integration.destination WHERE id = $1", name)
    return row


async def test_what_is_said_of_one_thing_arrives_in_order_though_some_attempts_fail(house):
    chance = iter([500, 204, 503, 204, 204] * 200)
    house.receiver.answer = lambda _: next(chance)
    await house.webhook("/order", "ResourceUpdated:Observation")
    said = [f"Observation/{key}/{n}" for n in range(1, 8) for key in "abc"]
    await house.tell("ResourceUpdated", *said)

    async def done():
        await due_now(house)
        rows = await house.sql("SELECT DISTINCT state FROM integration.delivery")
        return [row["state"] for row in rows] == ["sent"]

    await until(done, 60)
    for key in "abc":
        heard = dict.fromkeys(s for s in subjects(house, "/order") if f"/{key}/" in s)
        assert list(heard) == [f"Observation/{key}/{n}" for n in range(1, 8)]


async def test_a_dead_receiver_holds_up_no_other_and_hears_all_once_it_is_back(house):
    def answer(heard):
        return 500 if heard.path == "/dead" and not answer.back else 204

    answer.back = False
    house.receiver.answer = answer
    dead = await house.webhook("/dead", "ResourceCreated:Patient")
    await house.webhook("/well", "ResourceCreated:Patient")
    said = [f"Patient/p{n}/1" for n in range(60)]
    await house.tell("ResourceCreated", *said)
    await until(lambda: len(set(subjects(house, "/well"))) == 60)
    await until(lambda: _failures(house, dead["id"]))
    tried = len(house.receiver.at("/dead"))
    assert tried < 30, "it rests instead of being asked sixty times"
    answer.back = True
    await due_now(house)
    # One success is enough: nothing has to be made due by hand any more.
    await until(lambda: len(set(subjects(house, "/dead"))) == 60)
    await until(lambda: _is_well(house, dead["id"]))


async def _failures(house, name):
    return (await state_of(house, name))["failures"] >= retrying.FAILURES_TO_REST


async def _is_well(house, name):
    return (await state_of(house, name))["failures"] == 0


async def test_a_receiver_that_never_answers_takes_no_turn_from_others(house):
    async def answer(heard):
        if heard.path == "/slow":
            await asyncio.sleep(9)
        return 204

    house.receiver.answer = answer
    await house.webhook("/slow", "ResourceCreated:Patient")
    await house.webhook("/fast", "ResourceCreated:Patient")
    await house.tell("ResourceCreated", *(f"Patient/s{n}/1" for n in range(40)))
    await until(lambda: len(house.receiver.at("/fast")) == 40)
    assert len(house.receiver.at("/slow")) <= 16


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_who_says_later_is_left_alone_until_then(house, status):
    house.receiver.answer = lambda _: (status, {"retry-after": "3600"})
    made = await house.webhook("/later", "ResourceCreated:Patient")
    await house.tell("ResourceCreated", "Patient/l1/1", "Patient/l2/1", "Patient/l3/1")

    async def rests():
        rows = await house.sql(
            "SELECT rests_until > now() + interval '50 minutes' AS far"
            " FROM integration.destination WHERE id = $1", made["id"],
        )  # fmt: skip
        return rows[0]["far"]

    await until(rests)
    await house.tell("ResourceCreated", "Patient/l4/1")
    await asyncio.sleep(0.5)
    # The first three were under way together when the first of them was told to wait.
    heard = subjects(house, "/later")
    assert set(heard) <= {"Patient/l1/1", "Patient/l2/1", "Patient/l3/1"}
    assert len(heard) <= 3


async def test_gone_disables_and_keeps_what_was_not_heard(house):
    house.receiver.answer = lambda _: 410
    made = await house.webhook("/gone", "ResourceCreated:Patient")
    await house.tell("ResourceCreated", "Patient/g/1")
    row = await until(lambda: _disabled(house, made["id"]))
    assert row["reason"] == "gone"
    token = await house.token_for("system/events.read")
    path = "/integration/events?after=0&wait=5&kinds=DestinationDisabled"
    said = (await house.ask("GET", path, token=token)).json()["events"]
    assert {"destination": made["id"], "reason": "gone"} in [each["data"] for each in said]
    house.receiver.answer = lambda _: 204
    await house.done(f"/integration/webhooks/{made['id']}/enable")
    await until(lambda: len(house.receiver.at("/gone")) == 2)


async def _disabled(house, name):
    row = await state_of(house, name)
    return row if row["status"] == "disabled" else None


async def test_after_ten_attempts_a_delivery_is_dead_and_the_next_of_its_key_goes_on(house):
    house.receiver.answer = lambda heard: 400 if heard.json["subject"].endswith("/1") else 204
    made = await house.webhook("/ten", "ResourceUpdated:Patient")
    await house.tell("ResourceUpdated", "Patient/t/1", "Patient/t/2")

    async def second():
        await due_now(house)
        return "Patient/t/2" in subjects(house, "/ten")

    await until(second, 60)
    assert subjects(house, "/ten") == ["Patient/t/1"] * 10 + ["Patient/t/2"]
    [dead] = (await house.get(f"/integration/webhooks/{made['id']}/deliveries?state=dead"))[
        "deliveries"
    ]
    assert [each["number"] for each in dead["tried"]] == list(range(1, 11))
    house.receiver.answer = lambda _: 204
    assert await house.done(f"/integration/webhooks/{made['id']}/deliveries/replay") == {
        "replayed": 1
    }
    await until(lambda: subjects(house, "/ten")[-1] == "Patient/t/1")


async def test_a_receiver_without_a_success_for_days_is_disabled_with_its_dead_letter(house):
    house.receiver.answer = lambda _: 500
    made = await house.webhook("/days", "ResourceCreated:Patient")
    await house.tell("ResourceCreated", "Patient/d/1")
    await until(lambda: house.receiver.at("/days"))

    async def disabled():
        await house.sql(
            "UPDATE integration.destination SET failing = now() - interval '4 days'"
            " WHERE failing IS NOT NULL"
        )
        await due_now(house)
        return await _disabled(house, made["id"])

    assert (await until(disabled, 60))["reason"] == "failing"


async def test_whoever_dies_between_sending_and_noting_sends_again_under_the_same_id(house):
    courier = house.engine.courier
    kept = type(courier).keep
    died = []

    async def die_once(self, destination, told, sent, ms):
        if told.id not in died:
            died.append(told.id)
            raise asyncio.CancelledError  # as a killed process: nothing of it is kept
        await kept(self, destination, told, sent, ms)

    await house.webhook("/twice", "ResourceCreated:Patient")
    type(courier).keep = die_once
    try:
        await house.tell("ResourceCreated", *(f"Patient/k{n}/1" for n in range(4)))

        async def all_sent():
            # The clock alone frees what a dead taker held.
            await house.sql("UPDATE integration.delivery SET taken_until = '-infinity'")
            rows = await house.sql(
                "SELECT count(*) AS n FROM integration.delivery WHERE state = 'sent'"
            )
            return rows[0]["n"] == 4

        await until(all_sent)
    finally:
        type(courier).keep = kept
    ids = [each.headers["webhook-id"] for each in house.receiver.at("/twice")]
    assert len(set(ids)) == 4
    assert len(ids) >= 8, "each was heard again, under the id that it had"


async def test_a_late_taker_ends_nothing_that_another_has_taken_over(house):
    await house.webhook("/late", "ResourceCreated:Patient")
    house.receiver.answer = lambda _: 500
    await house.tell("ResourceCreated", "Patient/late/1")
    await until(lambda: house.receiver.at("/late"))
    from polyclinic.foundation import ids

    database = house.process.running["integration"].database
    await until(lambda: _untaken(house))
    await due_now(house)
    [row] = await house.sql("SELECT id FROM integration.destination")
    mine, other = ids.new_uuid(), ids.new_uuid()
    await house.sql("UPDATE integration.destination SET rests_until = now() + interval '1 hour'")
    await house.sql("UPDATE integration.delivery SET next_at = now(), taken_until = '-infinity'")
    await house.sql("UPDATE integration.destination SET rests_until = '-infinity'")
    taken = await deliveries.take(database, row["id"], 8, mine, 60)
    if taken:  # else the service itself was faster, and holds it
        async with database.transaction() as tx:
            assert not await deliveries.end(tx, taken[0], other, "sent")
            assert not await deliveries.again(tx, taken[0], other, 0, counts=True)
            assert await deliveries.end(tx, taken[0], mine, "sent")


async def _untaken(house):
    rows = await house.sql("SELECT 1 FROM integration.delivery WHERE attempts > 0")
    return bool(rows)


async def test_an_event_that_was_told_is_not_told_again_when_its_feed_is_read_anew(house):
    await house.webhook("/anew", "ResourceCreated:Patient")
    await house.tell("ResourceCreated", "Patient/anew/1")
    await until(lambda: house.receiver.at("/anew"))
    await house.sql("UPDATE integration.reading SET seq = 0 WHERE source = 'records'")
    await house.tell("ResourceCreated", "Patient/anew/2")
    await until(lambda: "Patient/anew/2" in subjects(house, "/anew"))
    assert subjects(house, "/anew") == ["Patient/anew/1", "Patient/anew/2"]


async def test_a_new_receiver_hears_of_nothing_that_was_before_it(house):
    await house.tell("ResourceCreated", "Patient/before/1")
    await house.webhook("/fresh", "ResourceCreated:Patient")
    await house.tell("ResourceCreated", "Patient/after/1")
    await until(lambda: house.receiver.at("/fresh"))
    assert subjects(house, "/fresh") == ["Patient/after/1"]


@pytest.mark.long
async def test_a_thousand_events_and_two_hundred_deaths_lose_nothing(house, record_property):
    """Each attempt dies now and then at one of its steps: before, after sending, while noting."""
    import random

    courier, rng, deaths = house.engine.courier, random.Random(5), [0]
    kept, sent = type(courier).keep, courier.ways["webhook"]

    def maybe_die():
        if deaths[0] < 200 and rng.random() < 0.25:
            deaths[0] += 1
            raise asyncio.CancelledError

    async def keep(self, destination, told, result, ms):
        maybe_die()
        await kept(self, destination, told, result, ms)
        maybe_die()

    async def send(destination, sealed, told):
        maybe_die()
        return await sent.send(destination, sealed, told)

    await house.webhook("/kill", "ResourceUpdated:Observation")
    type(courier).keep = keep
    courier.ways["webhook"] = type(sent)(send)
    try:
        said = [f"Observation/o{n % 50}/{n // 50 + 1}" for n in range(1000)]
        await house.tell("ResourceUpdated", *said)

        async def all_sent():
            await house.sql(
                "UPDATE integration.delivery SET taken_until = '-infinity' WHERE state = 'waiting'"
            )
            rows = await house.sql(
                "SELECT count(*) AS n FROM integration.delivery WHERE state = 'sent'"
            )
            return rows[0]["n"] == 1000

        await until(all_sent, 220)
    finally:
        type(courier).keep = kept
        courier.ways["webhook"] = sent
    heard = subjects(house, "/kill")
    assert set(heard) == set(said)
    for key in range(50):
        of = list(dict.fromkeys(s for s in heard if s.startswith(f"Observation/o{key}/")))
        assert of == [f"Observation/o{key}/{n}" for n in range(1, 21)]
    record_property("deaths", deaths[0])
    record_property("heard", len(heard))
    record_property("lost", 1000 - len(set(heard)))
