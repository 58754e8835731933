"""The MLLP server: frames in, acknowledgements out, one message in flight on each connection.

It knows nothing of channels: whoever may come in, and what is answered, is said by others. All
that a peer can make us hold is bounded: one frame and one piece a connection, so many connections
a peer, so many bytes in all. While a message is being answered nothing more is read.
"""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from polyclinic.foundation import telemetry
from polyclinic.foundation.errors import Problem
from polyclinic.standards.hl7v2.mllp import FRAME_MAX, Frame, Noise, Unframer, frame

PIECE = 64 * 1024  # read at once; a reader holds at most two of them
AFTER_REFUSAL = 8 << 20  # read and thrown away: about what is under way when we refuse
_KEEPALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))


@dataclass(frozen=True, slots=True)
class Limits:
    """What one peer may take of our time and memory."""

    frame_bytes: int = FRAME_MAX
    held_bytes: int = 256 << 20  # of frames that are not whole yet, on all connections together
    connections: int = 256
    connections_a_peer: int = 16
    idle_seconds: float = 600.0
    frame_seconds: float = 300.0  # from a frame's first byte to its last
    cr_seconds: float = 0.2  # how long the CR behind FS may take before we go on without it
    write_seconds: float = 30.0
    handshake_seconds: float = 10.0
    stop_seconds: float = 20.0


@dataclass(frozen=True, slots=True)
class Source:
    """Who speaks: the address, the names of a certificate, and which of them counts.

    `name` is empty until somebody was proven; without TLS nobody is.
    """

    address: str
    names: tuple[str, ...] = ()
    name: str = ""
    secure: bool = False
    # Sends something more over this connection, later; False where it lives no more.
    tell: "Callable[[bytes], Awaitable[bool]] | None" = field(
        default=None, compare=False, repr=False
    )


class Answers(Protocol):
    """What is done with what comes."""

    async def admit(self, source: Source) -> Source | None:
        """The source as it is known from here on; None turns it away."""
        ...

    async def answer(self, payload: bytes, source: Source) -> bytes | None:
        """The acknowledgement; empty where none is wanted. None, or a Problem, ends the connection
        without one, so that the sender sends again."""
        ...

    async def refuse(self, head: bytes) -> bytes:
        """What is told to the sender of a payload that is too long, of which this is the head."""
        ...

    def notice(self, what: str, source: Source) -> None:
        """Something happened that somebody may want to know; `what` is one of a few words."""
        ...


@dataclass
class Server:
    """Listens from `open` to `close`."""

    answers: Answers
    limits: Limits = field(default_factory=Limits)
    _server: asyncio.Server | None = None
    _open: "set[_Connection]" = field(default_factory=set["_Connection"])
    _peers: Counter[str] = field(default_factory=Counter[str])
    held: int = 0
    stopping: bool = False

    async def open(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        waits = {}
        if tls is not None:
            seconds = self.limits.handshake_seconds
            waits = {"ssl_handshake_timeout": seconds, "ssl_shutdown_timeout": seconds}
        self._server = await asyncio.start_server(
            self._accept, host, port, limit=PIECE, ssl=tls, backlog=128, **waits
        )

    @property
    def port(self) -> int:
        assert self._server is not None
        return self._server.sockets[0].getsockname()[1]

    @property
    def connections(self) -> int:
        return len(self._open)

    async def close(self) -> None:
        """What is in flight is answered; who is idle is let go; what was not read is not lost,
        for nobody acknowledged it."""
        self.stopping = True
        if self._server is None:
            return
        self._server.close()
        tasks = [connection.stop() for connection in self._open]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self.limits.stop_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        source = _source(writer)
        limits = self.limits
        if self.stopping:
            writer.transport.abort()
            return
        if (
            self._peers[source.address] >= limits.connections_a_peer
            or len(self._open) >= limits.connections
        ):
            self.answers.notice("too many connections", source)
            writer.transport.abort()
            return
        connection = _Connection(self, reader, writer, source)
        self._open.add(connection)
        self._peers[source.address] += 1
        try:
            await connection.run()
        finally:
            self._open.discard(connection)
            self._peers[source.address] -= 1
            if not self._peers[source.address]:
                del self._peers[source.address]


class _Ended(Exception):
    """The connection has no further use; why is said already."""


class _Connection:
    def __init__(
        self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
        source: Source,
    ) -> None:  # fmt: skip
        self._server, self._limits = server, server.limits
        self._reader, self._writer = reader, writer
        self._source = replace(source, tell=self.tell)
        self._turn = asyncio.Lock()  # who answers or tells writes alone
        self._ended = False
        self._unframer = Unframer(server.limits.frame_bytes)
        self._held = 0
        self._begun: float | None = None  # when the frame that is not whole yet began
        self._busy = False
        task = asyncio.current_task()
        assert task is not None
        self._task = task

    def stop(self) -> "asyncio.Task[None]":
        if not self._busy:
            self._task.cancel()
        return self._task

    async def run(self) -> None:
        writer, calm = self._writer, False
        try:
            await self._admit()
            while not self._server.stopping:
                await self._step()
            calm = True
        except asyncio.CancelledError:
            calm = True  # the server stops, and nothing is in flight here
        except _Ended:
            calm = True
        except TimeoutError:
            self._notice("slow reader")
        except OSError:
            self._notice("connection lost")
        except Problem:
            self._notice("not kept")
        except Exception as bug:  # noqa: BLE001 - one connection must not end the others
            telemetry.log_bug("an MLLP connection failed", bug, service="integration")
        finally:
            self._ended = True
            self._hold(0)
            await _closed(writer, calm=calm)

    async def _admit(self) -> None:
        _keep_alive(self._writer)
        self._writer.transport.set_write_buffer_limits(high=PIECE)
        admitted = await self._server.answers.admit(self._source)
        if admitted is None:
            self._notice("turned away")
            raise _Ended
        self._source = admitted

    async def _step(self) -> None:
        """Reads a piece and answers every message that it completed."""
        piece = await self._read()
        found = self._unframer.feed(piece) if piece else self._unframer.flush()
        self._hold(self._unframer.held)
        if found:
            self._begun = None
        for each in found:
            if isinstance(each, Frame):
                await self._answer(each)
            else:
                await self._pass_over(each)
        if piece == b"":
            if self._unframer.inside:
                self._notice("ended inside a frame")
            raise _Ended

    async def _read(self) -> bytes | None:
        """A piece; empty at the end; None when only the CR is missing and does not come."""
        now = asyncio.get_running_loop().time()
        if self._unframer.ended:
            return await self._piece(self._limits.cr_seconds)
        if not self._unframer.inside:
            self._begun = None
            piece = await self._piece(self._limits.idle_seconds)
        else:
            self._begun = self._begun or now
            piece = await self._piece(self._begun + self._limits.frame_seconds - now)
        if piece is None:
            self._notice("slow frame" if self._unframer.inside else "idle")
            raise _Ended
        return piece

    async def _piece(self, seconds: float) -> bytes | None:
        try:
            async with asyncio.timeout(seconds):
                return await self._reader.read(PIECE)
        except TimeoutError:
            return None

    async def _answer(self, found: Frame) -> None:
        if self._server.stopping:
            raise _Ended
        if not found.closed:
            self._notice("no CR behind a frame")
        self._busy = True
        try:
            async with self._turn:
                answer = await self._server.answers.answer(found.payload, self._source)
                if answer is None:
                    raise _Ended
                await self._write(answer)
        finally:
            self._busy = False

    async def tell(self, content: bytes) -> bool:
        """Behind the answer to what is being answered, never within it. A peer that went away may
        be noticed only by what is told after it: True says that it was written."""
        async with self._turn:
            if self._ended or self._server.stopping or self._writer.is_closing():
                return False
            try:
                await self._write(content)
            except OSError:  # a time-out too
                return False
            return True

    async def _write(self, answer: bytes) -> None:
        if answer:
            self._writer.write(frame(answer))
            async with asyncio.timeout(self._limits.write_seconds):
                await self._writer.drain()

    async def _pass_over(self, noise: Noise) -> None:
        if not noise.fatal:
            self._notice("noise")
            return
        self._notice("frame too long" if noise.head else "only noise")
        if noise.head:
            await self._write(await self._server.answers.refuse(noise.head))
            await self._let_it_be_read()
        raise _Ended

    async def _let_it_be_read(self) -> None:
        """Closing while a peer still sends would throw away what it was just told."""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(1):
                if self._writer.can_write_eof():
                    self._writer.write_eof()
                for _ in range(AFTER_REFUSAL // PIECE):
                    if not await self._reader.read(PIECE):
                        break

    def _hold(self, count: int) -> None:
        self._server.held += count - self._held
        self._held = count
        if self._server.held > self._limits.held_bytes and count > PIECE:
            self._notice("memory full")
            raise _Ended

    def _notice(self, what: str) -> None:
        self._server.answers.notice(what, self._source)


def _source(writer: asyncio.StreamWriter) -> Source:
    address = str((writer.get_extra_info("peername") or ("?",))[0])
    source = Source(address.removeprefix("::ffff:"))
    tls = writer.get_extra_info("ssl_object")
    if tls is None:
        return source
    return replace(source, secure=True, names=names_of(tls.getpeercert() or {}))


def names_of(certificate: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of a certificate that was proven: subject alternative ones, then the common."""
    alternative: Sequence[tuple[str, str]] = certificate.get("subjectAltName", ())
    found = [name for kind, name in alternative if kind in ("DNS", "URI", "email")]
    for parts in certificate.get("subject", ()):
        found += [value for kind, value in parts if kind == "commonName"]
    return tuple(dict.fromkeys(found))


def _keep_alive(writer: asyncio.StreamWriter) -> None:
    """A peer that vanished without a word is noticed within two minutes."""
    plug = writer.get_extra_info("socket")
    if plug is None:
        return
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):
            plug.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


async def _closed(writer: asyncio.StreamWriter, *, calm: bool) -> None:
    if not calm:
        writer.transport.abort()
    writer.close()
    with suppress(OSError, TimeoutError, asyncio.CancelledError):
        async with asyncio.timeout(5):
            await writer.wait_closed()
    writer.transport.abort()
