"""HL7 v2 over MLLP, from the wire to the committed row: attack groups 85 to 88."""

import asyncio
import socket

import pytest
from integration_door import CHANNEL, message, open_door
from mllp_peers import Authority, Peer, until

from polyclinic.foundation.errors import Unavailable
from polyclinic.foundation.starting import CannotStart
from polyclinic.standards.hl7v2 import batch, parse
from polyclinic.standards.hl7v2.mllp import frame

ACCEPTED = ("AA", None)


def free_port():
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


class At:
    """Where a door listens, in the shape that a Peer asks for."""

    def __init__(self, port):
        self.port = port


@pytest.fixture(scope="module")
async def mllp(postgres_url, key_file):
    port = free_port()
    environ = {
        "POLYCLINIC_INTEGRATION_MLLP_PORT": str(port),
        "POLYCLINIC_INTEGRATION_MESSAGE_BYTES": "100000",
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


async def told(peer, raw):
    """MSA-1 and the first error of the answer to a message."""
    await peer.send(frame(raw))
    answer = parse(await peer.answer())
    return answer.get("MSA-1"), answer.get("ERR-3.1")


async def rows_of(door, control):
    """How many messages with that control id are kept."""
    number = door.engine.number("control", control)
    query = "SELECT id, state FROM integration.message WHERE $1 = ANY(finds) ORDER BY id"
    return await door.sql(query, number)


async def test_a_message_is_committed_before_it_is_acknowledged(mllp, peer):
    assert await told(peer, message("W1")) == ACCEPTED
    (row,) = await rows_of(mllp, "W1")
    await mllp.until(row["id"], "done")


async def test_pipelined_messages_are_acknowledged_in_order(mllp, peer):
    await peer.send(b"".join(frame(message(f"P{n}")) for n in range(50)))
    answers = [parse(await peer.answer()) for _ in range(50)]
    assert [answer.get("MSA-2") for answer in answers] == [f"P{n}" for n in range(50)]
    assert {answer.get("MSA-1") for answer in answers} == {"AA"}


# ATK-088
async def test_a_replay_gets_the_same_answer_and_one_effect(mllp, peer):
    raw = frame(message("R1"))
    await peer.send(raw + raw)
    first, second = await peer.answer(), await peer.answer()
    again = await Peer.to(mllp.at)
    await again.send(raw)
    assert first == second == await again.answer()
    await again.close()
    (row,) = await rows_of(mllp, "R1")
    await mllp.until(row["id"], "done")
    assert [each for each, _ in mllp.owners.asked].count(row["id"]) == 1


# ATK-088
async def test_the_same_id_with_another_body_is_refused_and_somebody_is_told(mllp, peer):
    assert await told(peer, message("X1", "1")) == ACCEPTED
    assert await told(peer, message("X1", "2")) == ("AE", "205")
    alerts = await mllp.sql("SELECT kind FROM integration.alert WHERE until IS NULL")
    assert "control id used again" in {row["kind"] for row in alerts}


# ATK-087
@pytest.mark.parametrize(
    ("charset", "name", "code"),
    [
        (b"UNICODE UTF-8", "Größe".encode(), "AA"),
        (b"UNICODE UTF-8", "Größe".encode("latin-1"), "AE"),
        (b"ASCII", "Größe".encode(), "AE"),
        (b"8859/1", "Größe".encode("latin-1"), "AA"),
        (b"ISO IR87", b"\x1b$B;3ED\x1b(B", "AA"),
        (b"ISO IR87", b"\x1b$B;3ED", "AE"),
        (b"UNICODE UTF-16", "Größe".encode("utf-16-le"), "AE"),
        (b"KLINGON", b"\xff", "AE"),
    ],
)
async def test_a_header_that_lies_about_its_characters_gets_ae_and_the_bytes_are_kept(
    mllp, peer, charset, name, code
):
    control = f"Z-{charset.decode()}-{code}"
    raw = message(control).replace(b"|2.5.1||||", b"|2.5.1||||||" + charset, 1)
    raw = raw.replace(b"Keller", name)
    assert (await told(peer, raw))[0] == code
    (row,) = await rows_of(mllp, control)
    assert row["state"] == "parked" or code == "AA"


async def test_utf_16_is_refused(mllp, peer):
    raw = message("U16").decode().encode("utf-16")
    assert (await told(peer, raw))[0] in ("AE", "AR")


# ATK-086
@pytest.mark.parametrize("msh", [b"MSH|^~\\\\&|", b"MSH|^~\\&#|"])
async def test_doubled_and_added_marks_are_taken(mllp, peer, msh):
    raw = message(f"M{msh.hex()}").replace(b"MSH|^~\\&|", msh)
    assert await told(peer, raw) == ACCEPTED


@pytest.mark.parametrize("msh", [b"MSH||||", b"MSH\x01^~\\&\x01", b"MSHAAAA", b"MSX|^~\\&|"])
async def test_marks_that_cannot_be_are_refused(mllp, peer, msh):
    code, _ = await told(peer, message("BAD").replace(b"MSH|^~\\&|", msh))
    assert code in ("AE", "AR")
    assert await told(peer, message()) == ACCEPTED


# ATK-085
async def test_two_messages_in_one_frame_are_two(mllp, peer):
    await peer.send(frame(message("T1") + message("T2")))
    answers = batch.read(await peer.answer()).messages
    assert [(each.get("MSA-1"), each.get("MSA-2")) for each in answers] == [
        ("AA", "T1"), ("AA", "T2"),
    ]  # fmt: skip
    assert len(await rows_of(mllp, "T2")) == 1


async def test_a_batch_is_answered_as_one_with_an_answer_for_each(mllp, peer):
    head, tail = b"FHS|^~\\&|HIS\rBHS|^~\\&|HIS\r", b"BTS|2\rFTS|1\r"
    strange = message("B2", app="WHO")
    await peer.send(frame(head + message("B1") + strange + tail))
    answer = batch.read(await peer.answer())
    assert answer.faults == []
    assert [each.get("MSA-1") for each in answer.messages] == ["AA", "AR"]
    assert answer.trailer.get("1") == "2"


async def test_a_batch_that_lost_something_is_not_taken(mllp, peer):
    await peer.send(frame(b"BHS|^~\\&|HIS\r" + message("B3") + b"BTS|2\r"))
    assert parse(await peer.answer()).get("MSA-1") == "AR"
    assert await rows_of(mllp, "B3") == []


async def test_a_message_that_is_too_long_is_refused_under_its_own_id(mllp, peer):
    await peer.send(b"\x0b" + message("LONG") + b"OBX|1|" + b"x" * 200_000)
    answer = parse(await peer.answer())
    assert (answer.get("MSA-1"), answer.get("MSA-2")) == ("AR", "LONG")
    assert await peer.answer() is None


async def test_while_nothing_can_be_kept_nothing_is_acknowledged(mllp, monkeypatch):
    async def down(_):
        raise Unavailable

    monkeypatch.setattr(mllp.engine, "receive", down)
    peer = await Peer.to(mllp.at)
    await peer.send(frame(message("D1")))
    assert await peer.answer() is None
    monkeypatch.undo()
    peer = await Peer.to(mllp.at)
    assert await told(peer, message("D1")) == ACCEPTED
    await peer.close()


async def test_garbage_and_half_messages_leave_the_door_open(mllp):
    for junk in (b"\x0b\x0b\x0b", b"\x1c\r\x1c\r", b"GET / HTTP/1.1\r\n\r\n", b"\x0b\x1c\r",
                 b"\x16\x03\x01\x02\x00", b"\x0bMSH|^~\\&|"):  # fmt: skip
        peer = await Peer.to(mllp.at)
        await peer.send(junk)
        await peer.close()
    peer = await Peer.to(mllp.at)
    assert await told(peer, message()) == ACCEPTED
    await peer.close()


async def test_a_sender_that_wants_no_answer_gets_none(mllp, peer):
    await peer.send(frame(message("N1", modes="NE|NE")) + frame(message("N2")))
    assert parse(await peer.answer()).get("MSA-2") == "N2"
    assert len(await rows_of(mllp, "N1")) == 1


async def test_a_sender_that_no_channel_knows_is_told_so(mllp, peer):
    assert await told(peer, message("S1", app="WHO")) == ("AR", "103")
    assert await rows_of(mllp, "S1") == []


async def test_a_stop_of_the_service_loses_nothing_that_was_acknowledged(postgres_url, key_file):
    port = free_port()
    environ = {"POLYCLINIC_INTEGRATION_MLLP_PORT": str(port),
               "POLYCLINIC_INTEGRATION_WORKERS": "0"}  # fmt: skip
    acknowledged = 0
    async with open_door(postgres_url, key_file, **environ) as door:
        await door.deploy()
        peers = [await Peer.to(At(port)) for _ in range(4)]

        async def send(peer, number):
            nonlocal acknowledged
            count = 0
            while True:
                await peer.send(frame(message(f"G{number}-{count}")))
                if (answer := await peer.answer()) is None:
                    return
                assert parse(answer).get("MSA-1") == "AA"
                acknowledged, count = acknowledged + 1, count + 1

        sending = [asyncio.create_task(send(peer, n)) for n, peer in enumerate(peers)]
        await until(lambda: acknowledged > 40)
        async with open_door(postgres_url, key_file, beside=door) as other:
            await door.engine.mllp.close()
            await asyncio.gather(*sending, return_exceptions=True)
            (row,) = await other.sql("SELECT count(*) AS kept FROM integration.message")
        for peer in peers:
            await peer.close()
    assert row["kept"] == acknowledged


# TLS and who may come


async def test_certificates_lead_to_channels(postgres_url, key_file, tmp_path):
    authority, port = Authority(tmp_path), free_port()
    certificate, key = authority.issue("door")
    environ = {
        "POLYCLINIC_INTEGRATION_MLLP_PORT": str(port),
        "POLYCLINIC_INTEGRATION_MLLP_TLS_CERTIFICATE": certificate,
        "POLYCLINIC_INTEGRATION_MLLP_TLS_KEY": key,
        "POLYCLINIC_INTEGRATION_MLLP_TLS_CLIENT_AUTHORITY": str(authority.file),
    }
    async with open_door(postgres_url, key_file, **environ) as door:
        await door.deploy(CHANNEL.replace("name: adt", "name: east") + "clients: [east]\n")
        await door.deploy(CHANNEL.replace("name: adt", "name: west") + "clients: [west.example]\n")
        channels = {}
        for name, alternative in (("west", "west.example"), ("east", "x.example")):
            peer = await Peer.to(At(port), authority.client(*authority.issue(name, alternative)))
            assert await told(peer, message(f"TLS-{name}")) == ACCEPTED
            (row,) = await rows_of(door, f"TLS-{name}")
            (kept,) = await door.sql(
                "SELECT channel FROM integration.message WHERE id = $1", row["id"]
            )
            channels[name] = kept["channel"]
            await peer.close()
        assert channels == {"west": "west", "east": "east"}
        stranger = await Peer.to(At(port), authority.client(*authority.issue("stranger")))
        assert await stranger.answer() is None
        await stranger.close()


async def test_plain_text_comes_only_from_where_it_may(postgres_url, key_file):
    port = free_port()
    environ = {"POLYCLINIC_INTEGRATION_MLLP_PORT": str(port),
               "POLYCLINIC_INTEGRATION_MLLP_PLAIN_FROM": "10.9.0.0/16"}  # fmt: skip
    async with open_door(postgres_url, key_file, **environ) as door:
        await door.deploy()
        peer = await Peer.to(At(port))
        assert await peer.answer() is None
        await peer.close()


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"MLLP_TLS_CERTIFICATE": "only.pem"}, "needs a certificate, its key"),
        ({"MLLP_TLS_CERTIFICATE": "a", "MLLP_TLS_KEY": "b", "MLLP_TLS_CLIENT_AUTHORITY": "c"},
         "cannot be read"),
        ({"MLLP_HOST": "203.0.113.7"}, "cannot be opened"),
        ({}, "already in use"),
    ],
)  # fmt: skip
async def test_a_door_that_cannot_be_opened_stops_the_start_with_a_sentence(
    mllp, postgres_url, key_file, settings, word
):
    port = mllp.at.port if not settings else free_port()
    environ = {f"POLYCLINIC_INTEGRATION_{name}": text for name, text in settings.items()}
    environ["POLYCLINIC_INTEGRATION_MLLP_PORT"] = str(port)
    with pytest.raises(CannotStart, match=word):
        async with open_door(postgres_url, key_file, **environ):
            pass
