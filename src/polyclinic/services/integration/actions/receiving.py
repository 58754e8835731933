"""Takes messages in: sealed, kept and committed, and only then acknowledged.

The same control id with the same bytes (but for MSH-7) gets the same acknowledgement again and has
no second effect; with other bytes AE, and somebody is told. What cannot be kept now gets no
acknowledgement at all: Unavailable is raised, and the sender tries again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from prometheus_client import Counter, Histogram

from polyclinic.foundation import clock, ids
from polyclinic.foundation.batching import Lane
from polyclinic.foundation.errors import TooLarge
from polyclinic.services.integration.actions import channels
from polyclinic.services.integration.actions.state import Came, Engine, Received, raw_place
from polyclinic.services.integration.domain import documents, sheets
from polyclinic.services.integration.domain.arriving import (
    Answer,
    Arrived,
    arrive,
    immediate,
    second_wanted,
    unstamped,
)
from polyclinic.services.integration.store import alerts, messages, second_answers
from polyclinic.services.integration.store.messages import Kept
from polyclinic.standards.hl7v2 import acknowledge, refuse

REUSED = Answer("AE", "205")
# Nobody reads an HL7 acknowledgement of these.
NOT_HL7 = (documents.KIND, sheets.KIND)


@dataclass(frozen=True, slots=True)
class _Asked:
    id: UUID
    at: datetime
    came: Came
    version: int
    arrived: Arrived


class Receiver:
    """The lane in which messages that come at the same moment are kept by one statement."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        metrics = engine.running.metrics
        self._lane: Lane[_Asked, Received] = Lane("messages", self._keep, metrics)
        self._count = Counter(
            "polyclinic_messages_total",
            "Messages that came, by channel and acknowledgement.",
            ("service", "channel", "answer"),
            registry=metrics.registry,
        )
        self._seconds = Histogram(
            "polyclinic_message_acknowledged_seconds",
            "From the last byte of a message to its acknowledgement.",
            ("service", "channel"),
            registry=metrics.registry,
        )

    async def receive(self, came: Came) -> Received:
        """One message; raises NoChannel, TooLarge, or Unavailable when it could not be kept."""
        engine, began = self._engine, clock.now()
        deployed = await channels.need(engine, came.channel)
        if len(came.raw) > engine.settings.message_bytes:
            raise TooLarge("The message is longer than this server takes.", place="body")
        arrived = arrive(deployed.channel, came.raw)
        if not deployed.is_open:
            arrived = _closed(arrived)
        asked = _Asked(ids.new_uuid(), began, came, deployed.version, arrived)
        if arrived.state is None:
            received = _told(asked, None, arrived.answer)
        else:
            received = await self._lane.ask(asked)
        if received.again and received.second and received.message is not None:
            await second_answers.again(self._database, received.message)
        self._count.labels("integration", came.channel, received.answer.code).inc()
        seconds = (clock.now() - began).total_seconds()
        self._seconds.labels("integration", came.channel).observe(seconds)
        return received

    async def _keep(self, asked: list[_Asked]) -> Sequence[Received]:
        kept = await self._sealed(asked)
        new = await messages.keep(self._database, self._days, kept)
        known = await self._known(kept, new)
        found = [self._found(one, row, new, known) for one, row in zip(asked, kept, strict=True)]
        doubtful = [n for n, one in enumerate(found) if one is None]
        if doubtful:
            others = await self._keep_reused([asked[n] for n in doubtful])
            for n, received in zip(doubtful, others, strict=True):
                found[n] = received
        if any(row.state == "received" and row.id in new for row in kept):
            self._engine.more.set()
        return [one for one in found if one is not None]

    def _found(
        self, one: _Asked, row: Kept, new: set[UUID], known: dict[bytes, messages.Row]
    ) -> Received | None:
        """None where the control id belongs to another message."""
        if row.id in new:
            return _told(one, row.id, one.arrived.answer)
        before = known[row.key]
        if before["digest"] != row.digest:
            return None
        return _again(one, before)

    async def _known(self, kept: Sequence[Kept], new: set[UUID]) -> dict[bytes, messages.Row]:
        keys = [row.key for row in kept if row.id not in new]
        return await messages.known(self._database, keys) if keys else {}

    async def _keep_reused(self, asked: list[_Asked]) -> list[Received]:
        """Kept for people to look at, under a claim of its own: the same bytes get AE once more."""
        kept = await self._sealed(asked, reused=True)
        new = await messages.keep(self._database, self._days, kept)
        known = await self._known(kept, new)
        for channel in {one.came.channel for one in asked}:
            await alerts.open_alert(self._database, channel, "control id used again")
        return [
            _told(one, row.id, REUSED) if row.id in new else _again(one, known[row.key])
            for one, row in zip(asked, kept, strict=True)
        ]

    async def _sealed(self, asked: list[_Asked], *, reused: bool = False) -> list[Kept]:
        engine = self._engine
        people = [
            tuple(engine.number("person", one.came.channel, each) for each in one.arrived.people)
            for one in asked
        ]
        keys = await engine.keys_for(people)
        found: list[Kept] = []
        for one, who, key in zip(asked, people, keys, strict=True):
            arrived = one.arrived
            bare = one.came.raw.strip(b"\r\n")
            digest = engine.digest(bare if arrived.message is None else unstamped(bare))
            claim = engine.digest(
                one.came.channel.encode(), *(part.encode() for part in arrived.sender),
                arrived.control.encode() or digest, digest if reused else b"",
            )  # fmt: skip
            state, reason, answer = arrived.state or "parked", arrived.reason, arrived.answer
            if reused:
                state, reason, answer = "parked", "control id", REUSED
            finds = tuple(engine.number(*each) for each in arrived.finds)
            sealed = engine.seal(key, raw_place(one.id), one.came.raw)
            found.append(
                Kept(one.id, one.came.channel, one.version, one.came.way, arrived.kind, one.at,
                     str(answer), state, reason, "", who, finds, sealed, claim, digest,
                     second_wanted(arrived.message, answer))
            )  # fmt: skip
        return found

    @property
    def _database(self) -> messages.Database:
        return self._engine.running.database

    @property
    def _days(self) -> int:
        return self._engine.settings.duplicate_days


def _closed(arrived: Arrived) -> Arrived:
    answer = Answer("AE", "207")
    return Arrived(
        arrived.message, arrived.kind, arrived.control, arrived.sender, (), (), answer, None,
        "closed",
    )  # fmt: skip


def _told(one: _Asked, message: UUID | None, answer: Answer) -> Received:
    content = acknowledgement(one.arrived, answer, one.id, one.at)
    second = bool(message and second_wanted(one.arrived.message, answer))
    return Received(message, answer, content, second=second)


def _again(one: _Asked, before: messages.Row) -> Received:
    """The acknowledgement of the first time, byte for byte: it is made of what was kept."""
    answer = Answer.of(before["answer"])
    content = acknowledgement(one.arrived, answer, before["message"], before["at"])
    second = bool(second_wanted(one.arrived.message, answer))
    return Received(before["message"], answer, content, again=True, second=second)


def acknowledgement(arrived: Arrived, answer: Answer, of: UUID, at: datetime) -> bytes:
    """What goes back at once; nothing but these four values is in it."""
    number, stamp = control_id(of), moment(at)
    message = arrived.message
    if arrived.kind in NOT_HL7:
        return b""
    if message is None:
        text = answer.faults()[0].text if answer.error else ""
        return refuse(text, control_id=number, at=stamp).write()
    code = immediate(message, answer)
    if not code:
        return b""
    return acknowledge(message, code, answer.faults(), control_id=number, at=stamp).write()


def control_id(message: UUID) -> str:
    """MSH-10 of our own: twenty characters, which every version takes."""
    return message.hex[:20]


def moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%d%H%M%S+0000")
