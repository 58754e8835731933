"""The queue: in order for each patient, poison parks its patient only, nothing is done twice."""

import asyncio
import uuid

import pytest
from integration_door import message, open_door

from polyclinic.foundation.errors import Unavailable
from polyclinic.services.integration.domain.intents import Refused
from polyclinic.services.integration.domain.outcomes import Outcome


@pytest.fixture(autouse=True)
async def channel(door):
    await door.deploy()
    yield
    door.owners.say = door.owners.agree


def mrn():
    return uuid.uuid4().hex[:10]


async def test_what_an_owner_did_is_kept_with_the_message(door):
    received = await door.receive(message())
    await door.until(received.message, "done")
    rows = await door.sql(
        "SELECT name, did, version FROM integration.effect WHERE message = $1", received.message
    )
    assert [tuple(row) for row in rows] == [(f"Patient/{received.message}", "created", "1")]
    assert not await door.sql("SELECT FROM integration.queue WHERE message = $1", received.message)


async def test_messages_of_one_patient_are_worked_on_one_after_the_other_in_order(door):
    at_work, seen, who = [], [], mrn()

    async def slowly(name, _):
        at_work.append(name)
        assert len(at_work) == 1, "two messages of one patient at once"
        await asyncio.sleep(0.01)
        at_work.remove(name)
        seen.append(name)
        return Outcome("done")

    door.owners.say = slowly
    came = [(await door.receive(message("", who))).message for _ in range(8)]
    await door.until(came[-1], "done")
    assert seen == came


async def test_messages_of_several_patients_are_worked_on_at_the_same_time(door):
    together = asyncio.Barrier(3)

    async def wait(*_):
        await asyncio.wait_for(together.wait(), 20)
        return Outcome("done")

    door.owners.say = wait
    for one in [await door.receive(message("", mrn())) for _ in range(3)]:
        await door.until(one.message, "done")


async def test_a_poison_message_parks_its_patient_only(door):
    ill, well = mrn(), mrn()

    def refuse_first(name, _):
        if name == poison.message:
            raise Refused("PID-7 is no date.", place="PID-7")
        return Outcome("done")

    door.running.state.more.clear()
    door.owners.say = refuse_first
    poison = await door.receive(message("", ill))
    behind = await door.receive(message("", ill))
    others = [await door.receive(message("", well)) for _ in range(3)]
    for each in others:
        await door.until(each.message, "done")
    assert await door.until(poison.message, "parked") == "parked"
    assert await door.state(behind.message) == "received"
    rows = await door.sql("SELECT reason, problem FROM integration.message WHERE id = $1",
                          poison.message)  # fmt: skip
    assert tuple(rows[0]) == ("Refused", "PID-7 is no date.")


async def test_a_merge_is_in_order_with_the_messages_of_both_patients(door):
    one, other, seen = mrn(), mrn(), []

    async def slowly(name, _):
        await asyncio.sleep(0.01)
        seen.append(name)
        return Outcome("done")

    door.owners.say = slowly
    came = [
        await door.receive(message("", other)),
        await door.receive(message("", one, "ADT^A40", f"MRG|{other}^^^MAIN^MR")),
        await door.receive(message("", other)),
        await door.receive(message("", one)),
    ]
    for each in came:
        await door.until(each.message, "done")
    assert seen[:2] == [came[0].message, came[1].message]


async def test_an_owner_that_is_down_is_asked_again_and_nobody_is_parked(door):
    tries = []

    def down_twice(name, _):
        tries.append(name)
        if len(tries) < 3:
            raise Unavailable("records does not answer.", place="records")
        return Outcome("done")

    door.owners.say = down_twice
    received = await door.receive(message("", mrn()))
    await door.until(received.message, "done")
    assert tries == [received.message] * 3
    rows = await door.sql("SELECT tries FROM integration.message WHERE id = $1", received.message)
    assert rows[0]["tries"] == 3


async def test_a_bug_parks_a_message_after_so_many_tries(postgres_url, key_file):
    environ = {"POLYCLINIC_INTEGRATION_RETRY_FIRST_SECONDS": "0.01",
               "POLYCLINIC_INTEGRATION_TRIES": "3"}  # fmt: skip
    async with open_door(postgres_url, key_file, **environ) as door:
        await door.deploy()

        def fail(*_):
            raise KeyError("surprise")

        door.owners.say = fail
        received = await door.receive(message())
        await door.until(received.message, "parked")
        rows = await door.sql("SELECT tries, reason FROM integration.message")
        assert tuple(rows[0]) == (3, "KeyError")


async def test_what_waits_for_a_person_holds_up_nobody(door):
    who = mrn()

    def ask(name, _):
        return Outcome("waiting", "person") if name == first.message else Outcome("done")

    door.owners.say = ask
    door.engine.more.clear()
    first = await door.receive(message("", who))
    second = await door.receive(message("", who))
    await door.until(second.message, "done")
    assert await door.state(first.message) == "waiting"


async def test_a_result_that_waits_for_its_order_goes_on_when_the_patients_next_message_is_done(
    door,
):
    who, known = mrn(), set()

    def orders(name, _):
        if name == result.message and not known:
            return Outcome("waiting", "order")
        known.add(name)
        return Outcome("done")

    door.owners.say = orders
    result = await door.receive(message("", who, "ORU^R01"))
    await door.until(result.message, "waiting")
    await door.receive(message("", who))
    await door.until(result.message, "done")


async def test_a_worker_that_dies_is_followed_by_another(door):
    """Its lease runs out, and the message is done by whoever looks next, in another process too."""
    received = await door.receive(message("", mrn()))
    await door.until(received.message, "done")
    await door.sql("UPDATE integration.message SET state = 'received' WHERE id = $1",
                   received.message)  # fmt: skip
    await door.sql(
        "INSERT INTO integration.queue (message, seq, lease, leased_until)"
        " SELECT id, seq, gen_random_uuid(), now() + interval '1 second'"
        " FROM integration.message WHERE id = $1",
        received.message,
    )
    await door.until(received.message, "done")
    assert [each for each, _ in door.owners.asked].count(received.message) == 2


async def test_who_lost_its_lease_settles_nothing(door):
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(*_):
        begun.set()
        await go_on.wait()
        return Outcome("parked", "late")

    door.owners.say = slowly
    received = await door.receive(message("", mrn()))
    await asyncio.wait_for(begun.wait(), 20)
    other = uuid.uuid4()
    await door.sql(
        "UPDATE integration.queue SET lease = $2, leased_until = now() + interval '2 seconds'"
        " WHERE message = $1",
        received.message,
        other,
    )
    door.owners.say = door.owners.agree
    go_on.set()
    await door.until(received.message, "done")
    rows = await door.sql("SELECT reason FROM integration.message WHERE id = $1", received.message)
    assert rows[0]["reason"] == ""


async def test_two_processes_share_a_queue_and_do_each_message_once(postgres_url, key_file):
    async with (
        open_door(postgres_url, key_file) as one,
        open_door(postgres_url, key_file, beside=one) as other,
    ):
        await one.deploy()
        people = [mrn() for _ in range(5)]
        came = []
        for n in range(40):
            door = (one, other)[n % 2]
            came.append((await door.receive(message("", people[n % 5]))).message)
        for each in came:
            await one.until(each, "done")
        done = [name for name, _ in one.owners.asked]
        assert sorted(done) == sorted(came)
