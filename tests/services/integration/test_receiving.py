"""Messages are kept before they are acknowledged, each once, and nobody is readable at rest."""

import asyncio

import pytest
from integration_door import CHANNEL, message

from polyclinic.foundation.errors import Unavailable
from polyclinic.standards.hl7v2 import parse


@pytest.fixture(autouse=True)
async def channel(door):
    await door.deploy()


def word(received):
    return parse(received.acknowledgement).get("MSA-1")


async def test_a_message_is_kept_before_it_is_acknowledged(door):
    received = await door.receive(message("K1"))
    answer = parse(received.acknowledgement)
    assert (answer.get("MSA-1"), answer.get("MSA-2")) == ("AA", "K1")
    assert answer.sender == ("POLY", "CLINIC")
    assert answer.receiver == ("HIS", "MAIN")
    rows = await door.sql("SELECT kind FROM integration.message WHERE id = $1", received.message)
    assert [row["kind"] for row in rows] == ["ADT^A08"]


async def test_nobody_is_readable_in_the_database(door):
    await door.receive(message("SECRET-CONTROL", "MRN-88177", family="Winterbottom"))
    for table in ("message", "seen", "turn", "queue", "stage", "effect", "channel_version"):
        rows = await door.sql(f"SELECT t::text AS row FROM integration.{table} t")
        for row in rows:
            for text in ("SECRET-CONTROL", "MRN-88177", "Winterbottom"):
                assert text not in row["row"]
                assert text.encode().hex() not in row["row"]


async def test_a_repetition_gets_the_same_acknowledgement_byte_for_byte_and_one_effect(door):
    raw = message("TWICE")
    first = await door.receive(raw)
    await door.until(first.message, "done")
    second = await door.receive(raw)
    assert second.again
    assert second.message == first.message
    assert second.acknowledgement == first.acknowledgement
    assert [each for each, _ in door.owners.asked].count(first.message) == 1


async def test_a_repetition_that_was_stamped_anew_is_the_same_message(door):
    first = await door.receive(message("STAMPED"))
    later = message("STAMPED").replace(b"|20261128120000||", b"|20261128120500+0000||", 1)
    second = await door.receive(later)
    assert (second.message, second.again) == (first.message, True)
    assert second.acknowledgement == first.acknowledgement


@pytest.mark.parametrize("version", ["9.9", "3.0", "2.5.1.1.1", "two"])
async def test_another_version_than_hl7_2_is_refused_and_not_kept(door, version):
    other = await door.receive(message().replace(b"|P|2.5.1|", f"|P|{version}|".encode(), 1))
    answer = parse(other.acknowledgement)
    assert (answer.get("MSA-1"), answer.get("ERR-3.1")) == ("AR", "203")
    assert other.message is None


@pytest.mark.parametrize("version", ["", "2.1", "2.3.1", "2.8.2", "2.5.1^USA"])
async def test_every_version_2_is_taken(door, version):
    taken = await door.receive(message().replace(b"|P|2.5.1|", f"|P|{version}|".encode(), 1))
    assert word(taken) == "AA"


async def test_repetitions_at_the_same_moment_are_one_message(door):
    raw = message("AT-ONCE")
    received = await asyncio.gather(*(door.receive(raw) for _ in range(20)))
    assert len({each.message for each in received}) == 1
    assert len({each.acknowledgement for each in received}) == 1
    assert sum(not each.again for each in received) == 1


async def test_a_control_id_that_is_used_again_gets_ae_and_somebody_is_told(door):
    first = await door.receive(message("REUSED", "1"))
    other = message("REUSED", "2")
    second, third = await door.receive(other), await door.receive(other)
    assert word(second) == "AE"
    assert parse(second.acknowledgement).get("ERR-3.1") == "205"
    assert third.acknowledgement == second.acknowledgement
    assert second.message != first.message
    assert await door.state(second.message) == "parked"
    alerts = await door.sql("SELECT kind FROM integration.alert WHERE until IS NULL")
    assert [row["kind"] for row in alerts] == ["control id used again"]
    turns = "SELECT FROM integration.turn WHERE message = $1"
    assert not await door.sql(turns, second.message), "it holds up nobody"


async def test_the_same_control_id_of_another_sender_is_another_message(door):
    first = await door.receive(message("SHARED", facility="MAIN"))
    second = await door.receive(message("SHARED", facility="WEST"))
    assert first.message != second.message
    assert word(second) == "AA"


async def test_after_the_window_a_control_id_may_be_used_again(door):
    raw = message("OLD")
    first = await door.receive(raw)
    await door.sql("UPDATE integration.seen SET at = now() - interval '8 days' WHERE message = $1",
                   first.message)  # fmt: skip
    second = await door.receive(raw)
    assert not second.again
    assert second.message != first.message


async def test_an_unsupported_trigger_is_accepted_with_a_warning(door):
    received = await door.receive(message("", "1", "MFN^M02"))
    answer = parse(received.acknowledgement)
    assert answer.get("MSA-1") == "AA"
    assert (answer.get("ERR-3.1"), answer.get("ERR-4")) == ("200", "W")
    assert await door.state(received.message) == "ignored"


async def test_a_channel_may_refuse_unsupported_triggers(door):
    await door.deploy(CHANNEL.replace("name: adt", "name: strict"), unsupported="AR")
    received = await door.receive(message("", "1", "MFN^M02"), "strict")
    assert word(received) == "AR"
    assert received.message is None


async def test_a_stranger_and_a_test_message_are_refused_and_not_kept(door):
    count = "SELECT count(*) FROM integration.message"
    before = (await door.sql(count))[0][0]
    stranger = await door.receive(message(app="OTHER"))
    trial = await door.receive(message(processing="T"))
    assert parse(stranger.acknowledgement).get("ERR-3.1") == "103"
    assert parse(trial.acknowledgement).get("ERR-3.1") == "202"
    assert word(stranger) == word(trial) == "AR"
    assert (await door.sql(count))[0][0] == before


async def test_what_cannot_be_read_is_kept_for_people(door):
    received = await door.receive(b"this is no message")
    assert word(received) == "AR"
    assert await door.state(received.message) == "parked"
    bad = message("", "1", "ADT^A08", "ZZZ|1").replace(b"Keller", b"\xff\xfe\xfd")
    bad = bad.replace(b"2.5.1|||||", b"2.5.1||||||UNICODE UTF-8")
    unreadable = await door.receive(bad)
    assert word(unreadable) == "AE"
    assert await door.state(unreadable.message) == "parked"


@pytest.mark.parametrize(
    ("modes", "code"),
    [("|", "AA"), ("AL|NE", "CA"), ("AL|AL", "CA"), ("SU|", "CA"), ("NE|AL", "AA"),
     ("|AL", "AA"), ("ER|ER", ""), ("NE|NE", "")],
)  # fmt: skip
async def test_acknowledgement_modes(door, modes, code):
    received = await door.receive(message(modes=modes))
    assert (word(received) if received.acknowledgement else "") == code


async def test_a_closed_channel_keeps_nothing_and_says_so(door):
    from integration_door import ADMIN

    await door.done(ADMIN, "/integration/channels/adt/status", {"status": "closed"})
    try:
        received = await door.receive(message())
        assert word(received) == "AE"
        assert received.message is None
    finally:
        await door.done(ADMIN, "/integration/channels/adt/status", {"status": "open"})


async def test_nothing_is_acknowledged_that_could_not_be_kept(door, monkeypatch):
    from polyclinic.services.integration.store import messages

    async def down(*_):
        raise Unavailable

    monkeypatch.setattr(messages, "keep", down)
    with pytest.raises(Unavailable):
        await door.receive(message())


async def test_a_line_that_is_no_segment_parks_the_message_instead_of_being_lost(door):
    """A carriage return inside a text cuts it: the rest of the finding would never be filed."""
    raw = message("NOSEG") + b"and no sign of bleeding\r"
    received = await door.receive(raw)
    assert str(received.answer) == "AE 100"
    assert await door.until(received.message, "parked", "done") == "parked"
