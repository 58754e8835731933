"""The MLLP client reads the answer to its own message, and knows when to send again."""

import asyncio

import pytest
from mllp_peers import Authority, Echo, listening, until

from polyclinic.services.integration.gateways.mllp import Address, Client, NoAnswer, Patience
from polyclinic.services.integration.listeners.tls import server_context
from polyclinic.standards.hl7v2 import Fault, acknowledge, parse
from polyclinic.standards.hl7v2.mllp import frame

RAW = b"MSH|^~\\&|POLY|CLINIC|LAB|WEST|20260301||ADT^A08^ADT_A01|C-1|P|2.5.1\rPID|1\r"


def answering(code, *errors):
    """An answer of that code to every message."""

    def say(payload):
        faults = [Fault("", error, "E", "x") for error in errors]
        return acknowledge(parse(payload), code, faults, control_id="A", at="20260301").write()

    return say


@pytest.fixture
def echo():
    return Echo()


def to(server, **patience):
    return Client(Address("127.0.0.1", server.port), Patience(**patience))


@pytest.mark.parametrize(
    ("code", "errors", "verdict"),
    [
        ("AA", (), "accepted"),
        ("CA", (), "accepted"),
        ("AE", ("101",), "refused"),
        ("AR", ("200",), "refused"),
        ("CR", (), "refused"),
        ("AR", ("207",), "refused"),
        ("AE", ("207",), "again"),
        ("CE", ("206",), "again"),
    ],
)
async def test_the_code_decides_whether_it_is_sent_again(echo, code, errors, verdict):
    echo.say = answering(code, *errors)
    async with listening(echo) as server:
        client = to(server)
        told = await client.send(RAW, "C-1")
        assert (told.verdict, told.code, told.error) == (verdict, code, "".join(errors))
        assert parse(told.raw).get("MSA-2") == "C-1"
        await client.close()


async def test_a_connection_is_used_again_and_renewed_when_it_is_gone(echo):
    echo.say = answering("AA")
    async with listening(echo) as server:
        client = to(server)
        for _ in range(3):
            await client.send(RAW, "C-1")
        assert len(echo.sources) == 1
        for connection in server._open:
            connection._task.cancel()
        await until(lambda: not server.connections)
        assert (await client.send(RAW, "C-1")).verdict == "accepted"
        assert len(echo.sources) == 2
        await client.close()


async def test_messages_go_one_after_the_other(echo):
    echo.say = answering("AA")
    async with listening(echo) as server:
        client = to(server)
        told = await asyncio.gather(*(client.send(RAW, "C-1") for _ in range(20)))
        assert {each.verdict for each in told} == {"accepted"}
        assert (len(echo.sources), echo.most_at_once) == (1, 1)
        await client.close()


async def test_no_answer_in_time_is_no_answer_and_the_late_one_is_nobodys(echo):
    echo.gate = asyncio.Event()
    echo.say = answering("AA")
    async with listening(echo) as server:
        client = to(server, answer=0.1)
        with pytest.raises(NoAnswer):
            await client.send(RAW, "C-1")
        echo.gate.set()
        client = to(server)
        told = await client.send(RAW.replace(b"C-1", b"C-2"), "C-2")
        assert parse(told.raw).get("MSA-2") == "C-2"
        await client.close()


async def test_nobody_there_or_gone_in_the_middle_is_no_answer(echo):
    async with listening(echo) as server:
        client = to(server)
        port = server.port
    with pytest.raises(NoAnswer):
        await client.send(RAW, "C-1")

    async def hang_up(reader, writer):
        await reader.read(10)
        writer.close()

    other = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    client = Client(Address("127.0.0.1", other.sockets[0].getsockname()[1]))
    with pytest.raises(NoAnswer):
        await client.send(RAW, "C-1")
    other.close()
    assert port


async def receiver(*pieces):
    """Answers whatever comes with these bytes."""

    async def say(reader, writer):
        while await reader.read(65536):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
        writer.close()

    server = await asyncio.start_server(say, "127.0.0.1", 0)
    return server, Client(Address("127.0.0.1", server.sockets[0].getsockname()[1]))


OTHER = frame(b"MSH|^~\\&|\rMSA|AA|OTHER\r")
OURS = frame(b"MSH|^~\\&|\rMSA|AA|C-1\r")


@pytest.mark.parametrize(
    "pieces",
    [(OTHER + OURS,), (OTHER, OURS), (OURS[:9], OURS[9:]), (OURS[:-1],), (b"\r\n" + OURS,)],
)
async def test_the_answer_is_found_among_others_and_in_pieces(pieces):
    server, client = await receiver(*pieces)
    assert (await client.send(RAW, "C-1")).verdict == "accepted"
    await client.close()
    server.close()


@pytest.mark.parametrize("said", [frame(b"nothing"), OTHER * 20, b"x" * 100_000,
                                  b"\x0b" + b"x" * (2 << 20)])  # fmt: skip
async def test_what_is_no_acknowledgement_of_ours_is_no_answer(said):
    server, client = await receiver(said)
    with pytest.raises(NoAnswer):
        await client.send(RAW, "C-1")
    await client.close()
    server.close()


async def test_a_receiver_may_ask_for_our_certificate(echo, tmp_path):
    authority = Authority(tmp_path)
    echo.say = answering("AA")
    tls = server_context(*authority.issue("server"), str(authority.file))
    async with listening(echo, tls) as server:
        trusted = authority.client(*authority.issue("poly"))
        client = Client(Address("127.0.0.1", server.port, trusted))
        assert (await client.send(RAW, "C-1")).verdict == "accepted"
        assert echo.sources[0].names == ("poly",)
        await client.close()


async def test_a_message_that_would_break_its_frame_is_not_sent(echo):
    async with listening(echo) as server:
        with pytest.raises(ValueError, match="bytes of the frame"):
            await to(server).send(b"MSH|\x1c\r\x0bMSH|", "C-1")
        assert echo.sources == []
