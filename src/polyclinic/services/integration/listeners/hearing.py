"""What comes by MLLP is handed to its channel, alone or in a batch, and acknowledged.

A certificate's name and MSH-3/4 say which channel that is. Where a message could not be kept the
connection ends without an acknowledgement: the sender still has it, and sends it again.
"""

from collections.abc import Iterator
from dataclasses import replace

from prometheus_client import Counter

from polyclinic.foundation import clock, ids, telemetry
from polyclinic.foundation.errors import TooLarge
from polyclinic.services.integration.actions import channels
from polyclinic.services.integration.actions.receiving import control_id, moment
from polyclinic.services.integration.actions.state import Came, Engine
from polyclinic.services.integration.domain.channels import Channel
from polyclinic.services.integration.domain.problems import NoChannel
from polyclinic.services.integration.domain.sources import chosen, is_within, proven
from polyclinic.services.integration.listeners.mllp import Source
from polyclinic.standards.hl7v2 import Fault, Malformed, Message, acknowledge, batch, parse, refuse
from polyclinic.standards.hl7v2.faults import INTERNAL
from polyclinic.standards.hl7v2.mllp import HEAD_KEPT

TOO_LONG = "The message is longer than is taken here."


class Hearing:
    """Answers for the channels that are deployed; see listeners/mllp.py."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._notices = Counter(
            "polyclinic_mllp_notices_total",
            "What happened on MLLP connections that is not as it should be.",
            ("service", "kind"),
            registry=engine.running.metrics.registry,
        )

    async def admit(self, source: Source) -> Source | None:
        """Plain text only from where it may come; over TLS whom a channel asks for."""
        networks = self._engine.settings.mllp_plain_from
        if not source.secure and not is_within(source.address, networks):
            return None
        name = proven(await self._channels(), source.names)
        return None if name is None else replace(source, name=name)

    async def answer(self, payload: bytes, source: Source) -> bytes | None:
        if not batch.is_batch(payload):
            return await self._one(payload, source)
        read = batch.read(payload)
        lost = next((each for each in read.faults if each.place in ("BTS-1", "FTS-1")), None)
        if lost is not None:
            # A count that does not agree means that something was lost on the way here.
            return self._refused(lost.text)
        raws = [each.write() if isinstance(each, Message) else each.raw for each in read.messages]
        answers = [await self._one(raw, source) for raw in raws]
        if None in answers:
            return None
        return b"".join(_enveloped([each for each in answers if each], whole=bool(read.header)))

    async def refuse(self, head: bytes) -> bytes:
        try:
            number, at = control_id(ids.new_uuid()), moment(clock.now())
            fault = Fault("", INTERNAL, "E", TOO_LONG)
            return acknowledge(parse(head), "AR", [fault], control_id=number, at=at).write()
        except Malformed:
            return self._refused(TOO_LONG)

    def notice(self, what: str, source: Source) -> None:
        self._notices.labels("integration", what).inc()
        telemetry.log("MLLP", service="integration", kind=what, client=source.name or None)

    async def _one(self, raw: bytes, source: Source) -> bytes | None:
        if _is_acknowledgement(raw):
            # An answer to an answer would never end.
            self.notice("acknowledgement", source)
            return b""
        there = await self._channels()
        # Where there is one channel alone, nobody need look who the sender says that he is.
        channel = chosen(there, source.name, _sender(raw) if len(there) > 1 else ("", ""))
        if channel is None:
            return None
        try:
            received = await self._engine.receive(Came(channel.name, "mllp", raw))
        except TooLarge:
            return await self.refuse(raw[:HEAD_KEPT])
        except NoChannel:
            return None
        if received.second and received.message and source.tell:
            self._engine.answering.hold(received.message, source.tell)
        return received.acknowledgement

    async def _channels(self) -> list[Channel]:
        deployed = await channels.deployed(self._engine)
        return [each.channel for each in deployed.values() if each.channel.source == "mllp"]

    def _refused(self, text: str) -> bytes:
        number = control_id(ids.new_uuid())
        return refuse(text, control_id=number, at=moment(clock.now())).write()


def _sender(raw: bytes) -> tuple[str, str]:
    try:
        return parse(raw).sender
    except Malformed:
        return "", ""


def _is_acknowledgement(raw: bytes) -> bool:
    head = raw.lstrip(b"\r\n")[:1000].split(b"\r", 1)[0]
    fields = head.split(head[3:4]) if len(head) > 3 else []
    return len(fields) > 8 and fields[0] == b"MSH" and fields[8][:3] == b"ACK"


def _enveloped(answers: list[bytes], *, whole: bool) -> Iterator[bytes]:
    """Answers to a batch with a header come as one."""
    if whole:
        yield b"BHS|^~\\&\r"
    yield from answers
    if whole:
        yield b"BTS|%d\r" % len(answers)
