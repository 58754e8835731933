"""The MLLP client: one connection that is used again, one message in flight, and what MSA-1 means.

A message whose acknowledgement did not come may have arrived all the same: it is sent again under
the same control id, by which the receiver knows it.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from polyclinic.foundation.errors import Unavailable
from polyclinic.standards.hl7v2 import Malformed, Message, parse
from polyclinic.standards.hl7v2.faults import INTERNAL, LOCKED
from polyclinic.standards.hl7v2.mllp import Frame, Unframer, frame

# Firewalls forget quiet connections after minutes, and tell nobody.
IDLE_SECONDS = 30.0
ANSWER_MAX = 1 << 20  # bytes of an acknowledgement
STRANGE_MAX = 16  # acknowledgements of other messages that are passed over
_PIECE = 64 * 1024
_ACCEPTED = ("AA", "CA")
_FOR_NOW = (LOCKED, INTERNAL)  # of table 0357: trying again may help

Verdict = Literal["accepted", "refused", "again"]


class NoAnswer(Unavailable):
    """The receiver does not answer; the message will be sent again."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a receiver listens, and how it is to be trusted; None is plain text."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long each step may take, in seconds."""

    connect: float = 10.0
    write: float = 30.0
    answer: float = 60.0


@dataclass(frozen=True, slots=True)
class Told:
    """What the receiver said: MSA-1, the first code of ERR-3, and the answer as it came."""

    verdict: Verdict
    code: str
    error: str
    raw: bytes


def verdict_of(answer: Message) -> Told:
    """AA and CA are the end of it; AE and AR are too, unless the receiver says "not now"."""
    code = answer.get("MSA-1") or ""
    error = answer.get("ERR-3.1") or answer.get("ERR-1.4.1") or ""
    verdict: Verdict = "accepted" if code in _ACCEPTED else "refused"
    if code in ("AE", "CE") and error in _FOR_NOW:
        verdict = "again"
    return Told(verdict, code, error, answer.write())


class Client:
    """Sends to one receiver; who calls at the same time waits for its turn.

    `pin` answers, for each new connection, the address of the host; its certificate must say the
    host's name all the same.
    """

    def __init__(
        self,
        address: Address,
        patience: Patience | None = None,
        pin: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        self._address, self._patience, self._pin = address, patience or Patience(), pin
        self._ending: asyncio.TimerHandle | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._unframer = Unframer(ANSWER_MAX)
        self._found: deque[bytes] = deque()
        self._turn = asyncio.Lock()

    async def send(self, message: bytes, control_id: str) -> Told:
        """The answer to this message and no other. NoAnswer where none comes."""
        framed = frame(message.strip(b"\x0b\x1c\r\n") + b"\r")
        async with self._turn:
            try:
                return await self._say(framed, control_id)
            except (OSError, TimeoutError) as lost:
                await self._drop()
                raise NoAnswer from lost
            except BaseException:
                # What was cut off in the middle must not answer the next message.
                await self._drop()
                raise

    async def _say(self, framed: bytes, control_id: str) -> Told:
        """Once more over a new connection where a kept one turns out to have ended meanwhile."""
        was_kept = self._streams is not None
        try:
            return await self._say_once(framed, control_id)
        except ConnectionError:
            if not was_kept:
                raise
        await self._drop()
        return await self._say_once(framed, control_id)

    async def _say_once(self, framed: bytes, control_id: str) -> Told:
        reader, writer = await self._connected()
        if self._ending is not None:
            self._ending.cancel()
        writer.write(framed)
        async with asyncio.timeout(self._patience.write):
            await writer.drain()
        async with asyncio.timeout(self._patience.answer):
            told = await self._answer(reader, control_id)
        self._ending = asyncio.get_running_loop().call_later(IDLE_SECONDS, writer.close)
        return told

    async def close(self) -> None:
        async with self._turn:
            await self._drop()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None:
            reader, writer = self._streams
            if not reader.at_eof() and not writer.is_closing():
                return self._streams
            await self._drop()
        to = self._address
        async with asyncio.timeout(self._patience.connect):
            host = await self._pin() if self._pin else to.host
            self._streams = await asyncio.open_connection(
                host, to.port, ssl=to.tls, server_hostname=to.host if to.tls else None, limit=_PIECE
            )
        return self._streams

    async def _answer(self, reader: asyncio.StreamReader, control_id: str) -> Told:
        for _ in range(STRANGE_MAX):
            answer = await self._frame(reader)
            try:
                parsed = parse(answer)
                if parsed.get("MSA-2") == control_id:
                    return verdict_of(parsed)
            except Malformed:
                break
        await self._drop()
        raise NoAnswer("The receiver answers something else than acknowledgements of ours.")

    async def _frame(self, reader: asyncio.StreamReader) -> bytes:
        while not self._found:
            piece = await reader.read(_PIECE)
            if not piece:
                raise ConnectionResetError
            found = self._unframer.feed(piece)
            # One message is in flight: behind the FS of its answer nothing is worth waiting for.
            for each in (*found, *self._unframer.flush()):
                if isinstance(each, Frame):
                    self._found.append(each.payload)
                elif each.fatal:
                    raise ConnectionResetError
        return self._found.popleft()

    async def _drop(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
        self._unframer = Unframer(ANSWER_MAX)
        self._found.clear()
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await streams[1].wait_closed()
            streams[1].transport.abort()
