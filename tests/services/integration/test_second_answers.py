"""Enhanced mode: an accept acknowledgement at once, the application's own when the work is done."""

import asyncio
import socket
import time
import uuid

import pytest
from integration_door import CHANNEL, OPERATOR, open_door
from integration_door import message as of_sender
from mllp_peers import Peer, until
from outbound_house import listening

from polyclinic.foundation.errors import Conflict
from polyclinic.services.integration.actions import answering
from polyclinic.services.integration.domain.outcomes import Outcome
from polyclinic.standards.hl7v2 import parse
from polyclinic.standards.hl7v2.mllp import frame


def free_port():
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


class At:
    """Where a door listens, in the shape that a Peer asks for."""

    def __init__(self, port):
        self.port = port


@pytest.fixture(scope="module")
async def system():
    async with listening() as opened:
        yield opened


@pytest.fixture(scope="module")
async def mllp(postgres_url, key_file, system):
    port = free_port()
    environ = {
        "POLYCLINIC_INTEGRATION_MLLP_PORT": str(port),
        "POLYCLINIC_INTEGRATION_OUTWARD_ALLOWED": f"http://127.0.0.1:{system.port}",
    }
    async with open_door(postgres_url, key_file, **environ) as door:
        await door.deploy()
        door.at = At(port)
        yield door


@pytest.fixture
async def peer(mllp):
    peer = await Peer.to(mllp.at)
    yield peer
    await peer.close()


@pytest.fixture(autouse=True)
def _as_before(mllp, monkeypatch):
    monkeypatch.setattr(answering, "GRACE_SECONDS", 0.2)
    yield
    mllp.owners.say = mllp.owners.agree


def message(control, **header):
    """Each is about somebody else: one that is parked holds up the next of the same patient."""
    return of_sender(control, f"M{control}", **header)


def refusing(*_):
    raise Conflict


async def heard(peer):
    """MSA-1 and MSA-2 of what comes next."""
    said = parse(await peer.answer())
    return said.get("MSA-1"), said.get("MSA-2")


async def named(door, control):
    number = door.engine.number("control", control)
    rows = await door.sql("SELECT id FROM integration.message WHERE $1 = ANY(finds)", number)
    return rows[0]["id"]


async def state_of(door, control):
    query = "SELECT state FROM integration.second_answer WHERE message = $1"
    rows = await door.sql(query, await named(door, control))
    return rows[0]["state"] if rows else None


async def until_it_is(door, control, state):
    end = time.monotonic() + 30
    while (found := await state_of(door, control)) != state:
        assert time.monotonic() < end, f"it is still {found}"
        await asyncio.sleep(0.02)


async def test_the_application_answers_only_when_the_work_is_done(mllp, peer):
    gate = asyncio.Event()

    async def slowly(name, translation):
        await gate.wait()
        return mllp.owners.agree(name, translation)

    mllp.owners.say = slowly
    await peer.send(frame(message("E1", modes="AL|AL")))
    assert await heard(peer) == ("CA", "E1")
    with pytest.raises(TimeoutError):
        await peer.answer(0.5)
    gate.set()
    second = parse(await peer.answer())
    assert (second.get("MSA-1"), second.get("MSA-2")) == ("AA", "E1")
    assert (second.get("MSH-3"), second.get("MSH-5")) == ("POLY", "HIS")
    assert (second.get("MSH-15"), second.get("MSH-16")) == ("NE", "NE")
    assert second.control_id not in ("", "E1")
    await until_it_is(mllp, "E1", "sent")
    told = await mllp.ask(OPERATOR, "GET", f"/integration/messages/{await named(mllp, 'E1')}")
    assert told.json()["second_answer"] == "sent"


async def test_what_an_owner_refuses_is_told_as_an_application_error(mllp, peer):
    mllp.owners.say = refusing
    await peer.send(frame(message("E2", modes="AL|AL")))
    assert await heard(peer) == ("CA", "E2")
    second = parse(await peer.answer())
    assert (second.get("MSA-1"), second.get("MSA-2")) == ("AE", "E2")
    assert second.get("ERR-3.1") == "207"
    assert "Keller" not in second.write().decode()


@pytest.mark.parametrize(
    ("modes", "first", "good", "bad"),
    [
        ("AL|AL", "CA", "AA", "AE"), ("SU|AL", "CA", "AA", "AE"), ("AL|SU", "CA", "AA", None),
        ("AL|ER", "CA", None, "AE"), ("AL|NE", "CA", None, None), ("AL|", "CA", None, None),
    ],
)  # fmt: skip
async def test_each_level_is_told_when_it_was_asked_for(mllp, peer, modes, first, good, bad):
    for word, expected in (("good", good), ("bad", bad)):
        mllp.owners.say = mllp.owners.agree if word == "good" else refusing
        control = f"{modes}{word}".replace("|", "-")
        await peer.send(frame(message(control, modes=modes)))
        assert await heard(peer) == (first, control)
        if expected:
            assert await heard(peer) == (expected, control)
        elif modes.endswith(("SU", "ER")):
            await until_it_is(mllp, control, "unwanted")
        else:
            await mllp.until(await named(mllp, control), "done", "parked")
            assert await state_of(mllp, control) is None


@pytest.mark.parametrize(("modes", "only"), [("|", "AA"), ("NE|AL", "AA"), ("ER|AL", "AA")])
async def test_whoever_asks_for_one_acknowledgement_gets_one(mllp, peer, modes, only):
    control = "one" + modes.replace("|", "-")
    await peer.send(frame(message(control, modes=modes)))
    assert await heard(peer) == (only, control)
    assert await state_of(mllp, control) is None


async def test_what_is_not_accepted_has_no_second_answer(mllp, peer):
    raw = message("E3", modes="AL|AL").replace(b"|P|2.5.1", b"|T|2.5.1")
    await peer.send(frame(raw))
    assert await heard(peer) == ("CR", "E3")
    await peer.send(frame(message("E4", modes="AL|AL")))
    assert [await heard(peer), await heard(peer)] == [("CA", "E4"), ("AA", "E4")]


async def test_other_messages_are_answered_in_between(mllp, peer):
    gate = asyncio.Event()

    async def slowly(name, translation):
        await gate.wait()
        return mllp.owners.agree(name, translation)

    mllp.owners.say = slowly
    await peer.send(frame(message("E5", modes="AL|AL")))
    assert await heard(peer) == ("CA", "E5")
    await peer.send(frame(message("E6", modes="AL|AL")))
    assert await heard(peer) == ("CA", "E6")
    gate.set()
    assert {await heard(peer), await heard(peer)} == {("AA", "E5"), ("AA", "E6")}


async def test_a_repetition_is_answered_twice_as_well_and_done_once(mllp, peer):
    raw = frame(message("E7", modes="AL|AL"))
    await peer.send(raw)
    first = [await peer.answer(), await peer.answer()]
    await until_it_is(mllp, "E7", "sent")
    again = await Peer.to(mllp.at)
    await again.send(raw)
    assert [await again.answer(), await again.answer()] == first
    await again.close()
    name = await named(mllp, "E7")
    assert [each for each, _ in mllp.owners.asked].count(name) == 1


async def test_without_connection_and_system_it_is_lost_and_told_to_who_asks_again(mllp, peer):
    gate = asyncio.Event()

    async def slowly(name, translation):
        await gate.wait()
        return mllp.owners.agree(name, translation)

    mllp.owners.say = slowly
    raw = frame(message("E8", modes="AL|AL"))
    await peer.send(raw)
    assert await heard(peer) == ("CA", "E8")
    await peer.close()
    await until(lambda: mllp.engine.mllp.connections == 0)
    gate.set()
    await until_it_is(mllp, "E8", "lost")
    again = await Peer.to(mllp.at)
    await again.send(raw)
    assert [await heard(again), await heard(again)] == [("CA", "E8"), ("AA", "E8")]
    await again.close()


async def test_a_mended_copy_answers_for_its_message(mllp, peer):
    def unknown(*_):
        return Outcome("waiting", "person", "Nobody knows who is meant.")

    mllp.owners.say = unknown
    await peer.send(frame(message("E9", modes="AL|AL")))
    assert await heard(peer) == ("CA", "E9")
    name = await named(mllp, "E9")
    await mllp.until(name, "waiting")
    mllp.owners.say = mllp.owners.agree
    body = {"changes": {"PID-3.1": "9"}, "reason": "A wrong number"}
    await mllp.done(OPERATOR, f"/integration/messages/{name}/fix", body)
    assert await heard(peer) == ("AA", "E9")


async def test_an_acknowledgement_is_not_acknowledged(mllp, peer):
    raw = b"MSH|^~\\&|HIS|MAIN|POLY|CLINIC|20261128120000||ACK^A08^ACK|K1|P|2.5.1\rMSA|CA|x\r"
    await peer.send(frame(raw) + frame(message("E10")))
    assert await heard(peer) == ("AA", "E10")


async def test_it_goes_to_the_system_of_the_channel_where_no_connection_lives(mllp, system):
    body = {"host": "127.0.0.1", "port": system.port, "tls": False, "messages": [],
            "acknowledgements": True, "application": "HIS"}  # fmt: skip
    made = await mllp.done(OPERATOR, "/integration/destinations", body)
    await mllp.deploy(CHANNEL.replace("name: adt", "name: web").replace("mllp", "http"),
                      acknowledge_to=made["id"])  # fmt: skip
    received = await mllp.receive(message("E11", modes="AL|AL"), "web")
    assert parse(received.acknowledgement).get("MSA-1") == "CA"
    await until(lambda: any(each.get("MSA-2") == "E11" for each in system.heard))
    (second,) = [each for each in system.heard if each.get("MSA-2") == "E11"]
    assert (second.get("MSA-1"), second.get("MSH-15")) == ("AA", "AL")
    assert await state_of(mllp, "E11") == "handed"


async def test_a_channel_names_a_system_that_there_is(mllp):
    text = CHANNEL + f"acknowledge_to: {uuid.uuid4()}\n"
    answer = await mllp.ask(OPERATOR, "POST", "/integration/channels", text.encode())
    assert (answer.status_code, answer.json()["place"]) == (422, "acknowledge_to")
