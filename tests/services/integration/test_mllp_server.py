"""The MLLP server takes what senders really do, one message at a time, and holds little of it.

Attack group 85, and each line of the requirements on MLLP.
"""

import asyncio
import resource
import socket
import ssl

import pytest
from mllp_peers import Authority, Echo, Peer, listening, until

from polyclinic.foundation.errors import Unavailable
from polyclinic.services.integration.listeners.mllp import names_of
from polyclinic.services.integration.listeners.tls import server_context
from polyclinic.standards.hl7v2.mllp import frame


@pytest.fixture
def echo():
    return Echo()


async def test_a_message_is_answered(echo):
    async with listening(echo) as server:
        peer = await Peer.to(server)
        await peer.send(frame(b"MSH|1"))
        assert await peer.answer() == b"ok:MSH|1"
        assert echo.notices == []
        assert echo.sources[0].address == "127.0.0.1"


async def test_noise_between_frames_is_passed_over_and_told(echo):
    async with listening(echo) as server:
        peer = await Peer.to(server)
        await peer.send(b"\r\n\n  " + frame(b"a") + b"\r\n" + frame(b"b") + b"junk" + frame(b"c"))
        assert [await peer.answer() for _ in range(3)] == [b"ok:a", b"ok:b", b"ok:c"]
        assert echo.notices == ["noise"]


async def test_a_missing_cr_is_waited_for_shortly_and_then_done_without(echo):
    async with listening(echo) as server:
        peer = await Peer.to(server)
        await peer.send(b"\x0ba\x1c")
        assert await peer.answer() == b"ok:a"
        await peer.send(b"\x0bb\x1c\x0bc\x1c")
        assert [await peer.answer() for _ in range(2)] == [b"ok:b", b"ok:c"]
        await peer.send(b"\r" + frame(b"d"))
        assert await peer.answer() == b"ok:d"
        assert set(echo.notices) == {"no CR behind a frame"}


async def test_a_cr_that_comes_late_is_no_fault(echo):
    async with listening(echo, cr_seconds=20.0) as server:
        peer = await Peer.to(server)
        await peer.send(b"\x0ba\x1c")
        await asyncio.sleep(0.05)
        await peer.send(b"\r")
        assert await peer.answer(10) == b"ok:a"
        assert echo.notices == []


async def test_a_message_may_come_one_byte_at_a_time(echo):
    async with listening(echo) as server:
        peer = await Peer.to(server)
        for byte in frame(b"MSH|slow"):
            await peer.send(bytes([byte]))
            await asyncio.sleep(0)
        assert await peer.answer() == b"ok:MSH|slow"


async def test_a_thousand_messages_at_once_are_answered_in_order_one_at_a_time(echo):
    async with listening(echo) as server:
        peer = await Peer.to(server)
        wanted = [str(n).encode() for n in range(1000)]
        sending = asyncio.create_task(peer.send(b"".join(map(frame, wanted))))
        assert [await peer.answer() for _ in wanted] == [b"ok:" + each for each in wanted]
        await sending
        assert echo.asked == wanted
        assert echo.most_at_once == 1


async def test_other_connections_do_not_wait_for_a_slow_answer(echo):
    echo.gate = asyncio.Event()
    async with listening(echo) as server:
        peers = [await Peer.to(server) for _ in range(3)]
        for peer in peers:
            await peer.send(frame(b"a") + frame(b"b"))
        await until(lambda: echo.at_once == 3)
        assert echo.asked == [b"a"] * 3
        echo.gate.set()
        for peer in peers:
            assert [await peer.answer(), await peer.answer()] == [b"ok:a", b"ok:b"]


async def test_a_frame_of_twenty_megabytes_is_taken(echo):
    async with listening(echo) as server:
        peer = await Peer.to(server)
        body = b"x" * (20 << 20)
        await peer.send(frame(body))
        assert await peer.answer(60) == b"ok:" + b"x" * 100
        assert len(echo.asked[0]) == len(body)


async def test_a_frame_that_is_too_long_is_answered_at_once_and_the_connection_ends(echo):
    async with listening(echo, frame_bytes=1000) as server:
        peer = await Peer.to(server)
        await peer.send(b"\x0bMSH|^~\\&|" + b"x" * 100_000)
        assert await peer.answer() == b"too long:MSH|^~\\&|x"
        assert await peer.answer() is None
        assert echo.notices == ["frame too long"]
        assert echo.asked == []


async def sent_until_cut_off(peer, start):
    sent = 0
    try:
        await peer.send(start)
        while sent < 1 << 30:
            await peer.send(b"x" * 65536)
            sent += 65536
    except OSError:
        return sent
    return sent


async def test_a_gigabyte_without_an_end_is_cut_off_and_never_held(echo):
    """Sent until we are cut off, which is long before; what is held stays below a frame."""
    async with listening(echo, frame_bytes=1 << 20) as server:
        for start in (b"\x0b", b""):
            peer = await Peer.to(server)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            sent = await sent_until_cut_off(peer, start)
            assert sent < 64 << 20
            assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10
        assert {"frame too long", "only noise"} <= set(echo.notices)


async def test_what_all_unfinished_frames_hold_together_is_bounded(echo):
    async with listening(echo, held_bytes=300_000) as server:
        peers = [await Peer.to(server) for _ in range(4)]
        for peer in peers:
            await peer.send(b"\x0b" + b"x" * 100_000)
        await until(lambda: "memory full" in echo.notices)
        await until(lambda: server.held <= 300_000)
        assert server.connections >= 1


async def test_a_vt_inside_a_message_begins_it_anew(echo):
    async with listening(echo) as server:
        peer = await Peer.to(server)
        await peer.send(b"\x0blost\x0bfound\x1c\r")
        assert await peer.answer() == b"ok:found"
        assert echo.notices == ["noise"]


async def test_an_idle_connection_is_let_go(echo):
    async with listening(echo, idle_seconds=0.1) as server:
        peer = await Peer.to(server)
        assert await peer.answer() is None
        assert echo.notices == ["idle"]


async def test_a_frame_that_takes_too_long_is_given_up_however_it_trickles(echo):
    async with listening(echo, frame_seconds=0.2) as server:
        peer = await Peer.to(server)

        async def trickle():
            while True:
                await peer.send(b"\x0bx" if not echo.sources else b"x")
                await asyncio.sleep(0.02)

        trickling = asyncio.create_task(trickle())
        await peer.send(b"\x0b")
        assert await peer.answer() is None
        trickling.cancel()
        await asyncio.gather(trickling, return_exceptions=True)
        assert echo.notices[-1] == "slow frame"


async def test_a_peer_that_vanishes_is_looked_for(echo):
    async with listening(echo) as server:
        await Peer.to(server)
        await until(lambda: server.connections)
        (connection,) = server._open
        plug = connection._writer.get_extra_info("socket")
        assert plug.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert plug.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60


async def test_a_peer_that_resets_leaves_nothing_behind(echo):
    async with listening(echo) as server:
        peer = await Peer.to(server)
        await peer.send(b"\x0bhalf")
        await until(lambda: server.held)
        await peer.close()
        await until(lambda: not server.connections)
        assert server.held == 0
        assert len(echo.notices) == 1


async def test_a_sender_that_closes_its_half_still_gets_its_answers(echo):
    async with listening(echo) as server:
        peer = await Peer.to(server)
        await peer.send(frame(b"a") + b"\x0bb\x1c")
        peer.writer.write_eof()
        assert [await peer.answer(), await peer.answer(), await peer.answer()] == [
            b"ok:a", b"ok:b", None,
        ]  # fmt: skip


async def test_a_frame_cut_off_by_the_end_is_no_message(echo):
    async with listening(echo) as server:
        peer = await Peer.to(server)
        await peer.send(frame(b"a") + b"\x0bhalf")
        peer.writer.write_eof()
        assert await peer.answer() == b"ok:a"
        assert await peer.answer() is None
        assert echo.asked == [b"a"]
        assert echo.notices == ["ended inside a frame"]


async def test_a_sender_that_does_not_read_its_answers_is_given_up(echo):
    echo.say = lambda _: b"x" * 500_000
    async with listening(echo, write_seconds=0.3) as server:
        peer = await Peer.to(server)
        peer.writer.write(frame(b"a") * 200)
        await until(lambda: "slow reader" in echo.notices)
        await until(lambda: not server.connections)
        assert len(echo.asked) < 100, "it reads nothing more while an answer is not taken"
        await peer.close()


async def test_a_peer_has_so_many_connections_and_no_more(echo):
    async with listening(echo, connections_a_peer=2) as server:
        first, second = await Peer.to(server), await Peer.to(server)
        await until(lambda: server.connections == 2)
        third = await Peer.to(server)
        assert await third.answer() is None
        assert echo.notices == ["too many connections"]
        await second.send(frame(b"a"))
        assert await second.answer() == b"ok:a"
        await first.close()
        await until(lambda: server.connections == 1)
        fourth = await Peer.to(server)
        await fourth.send(frame(b"b"))
        assert await fourth.answer() == b"ok:b"


async def test_a_storm_of_connections_leaves_the_others_alone(echo):
    async with listening(echo) as server:
        steady = await Peer.to(server)
        for _ in range(20):
            storm = await asyncio.gather(*(Peer.to(server) for _ in range(25)))
            await steady.send(frame(b"steady"))
            assert await steady.answer() == b"ok:steady"
            for peer in storm:
                await peer.close()
        await until(lambda: server.connections == 1)
        assert "too many connections" in echo.notices


async def test_what_could_not_be_kept_is_not_answered_and_the_sender_learns_it(echo):
    def refuse(_):
        raise Unavailable

    echo.say = refuse
    async with listening(echo) as server:
        peer = await Peer.to(server)
        await peer.send(frame(b"a") + frame(b"b"))
        assert await peer.answer() is None
        assert (echo.asked, echo.notices) == ([b"a"], ["not kept"])


async def test_a_bug_ends_one_connection_only(echo):
    echo.say = lambda payload: 1 / 0 if payload == b"bug" else b"ok"
    async with listening(echo) as server:
        other, peer = await Peer.to(server), await Peer.to(server)
        await peer.send(frame(b"bug"))
        assert await peer.answer() is None
        await other.send(frame(b"fine"))
        assert await other.answer() == b"ok"


async def test_no_answer_is_sent_where_none_is_wanted(echo):
    echo.say = lambda payload: b"" if payload == b"quiet" else b"ok"
    async with listening(echo) as server:
        peer = await Peer.to(server)
        await peer.send(frame(b"quiet") + frame(b"loud"))
        assert await peer.answer() == b"ok"


async def test_a_stop_finishes_what_is_in_flight_and_answers_nothing_else(echo):
    echo.gate = asyncio.Event()
    async with listening(echo) as server:
        idle, peer, half = [await Peer.to(server) for _ in range(3)]
        await peer.send(frame(b"a") + frame(b"b"))
        await half.send(b"\x0bhalf")
        await until(lambda: echo.asked == [b"a"] and server.connections == 3)
        port, closing = server.port, asyncio.create_task(server.close())
        assert await idle.answer() is None
        assert await half.answer() is None
        assert not closing.done()
        echo.gate.set()
        assert await peer.answer() == b"ok:a"
        assert await peer.answer() is None
        await closing
        assert echo.asked == [b"a"], "what was not acknowledged is the sender's still"
        with pytest.raises(OSError):  # noqa: PT011 - whichever way it is refused
            await asyncio.open_connection("127.0.0.1", port)


async def test_a_stop_does_not_wait_for_ever(echo):
    echo.gate = asyncio.Event()
    async with listening(echo, stop_seconds=0.1) as server:
        peer = await Peer.to(server)
        await peer.send(frame(b"a"))
        await until(lambda: echo.asked)
        await server.close()
        assert await peer.answer() is None


# TLS


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def tls(authority):
    certificate, key = authority.issue("server")
    return server_context(certificate, key, str(authority.file))


async def test_a_certificate_says_who_the_sender_is(echo, authority, tls):
    async with listening(echo, tls) as server:
        known = authority.client(*authority.issue("lab", "lab.west.example", "lab2"))
        peer = await Peer.to(server, known)
        await peer.send(frame(b"a"))
        assert await peer.answer() == b"ok:a"
        (source,) = echo.sources
        assert source.secure
        assert source.names == ("lab.west.example", "lab2", "lab")


async def test_without_a_certificate_of_the_authority_nobody_comes_in(
    echo, authority, tls, tmp_path
):
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other")
    unproven = authority.client(*stranger.issue("lab"))
    async with listening(echo, tls, handshake_seconds=1.0) as server:
        for context in (authority.client(), unproven, None):
            try:
                peer = await Peer.to(server, context)
                await peer.send(frame(b"a"))
                assert await peer.answer() is None
            except OSError:
                pass  # refused during the handshake already
        assert echo.asked == []
        assert echo.sources == []


async def test_tls_below_1_2_is_not_spoken(echo, authority, tls):
    assert tls.minimum_version == ssl.TLSVersion.TLSv1_2
    assert tls.verify_mode == ssl.CERT_REQUIRED


async def test_who_is_not_admitted_is_turned_away(echo, authority, tls):
    async def nobody(_):
        return None

    echo.admit = nobody
    async with listening(echo, tls) as server:
        peer = await Peer.to(server, authority.client(*authority.issue("lab")))
        assert await peer.answer() is None
        assert echo.notices == ["turned away"]


def test_names_of_a_certificate_are_its_alternatives_and_its_common_name():
    certificate = {
        "subject": ((("countryName", "DE"),), (("commonName", "lab"),)),
        "subjectAltName": (("DNS", "lab"), ("IP Address", "10.0.0.1"), ("URI", "urn:lab")),
    }
    assert names_of(certificate) == ("lab", "urn:lab")
    assert names_of({}) == ()
