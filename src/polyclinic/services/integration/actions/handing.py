"""Messages that a program hands in over HTTP: one or a batch, acknowledged in the answer."""

from dataclasses import dataclass

from polyclinic.foundation.errors import Invalid
from polyclinic.services.integration.actions import channels
from polyclinic.services.integration.actions.state import Asker, Came, Engine, Received
from polyclinic.services.integration.domain import access
from polyclinic.standards.hl7v2 import Malformed, Message, batch

# What a batch holds at most; each of its messages is kept and acknowledged by itself.
BATCH_MAX = 1_000
_ACCEPTED = ("AA", "CA")


@dataclass(frozen=True, slots=True)
class Handed:
    """The answer: 200 where every message is accepted, 422 where one is not (its MSA says why)."""

    status: int
    code: str
    content: bytes


async def hand_in(engine: Engine, asker: Asker, name: str, content: bytes) -> Handed:
    """Raises Unavailable when it could not be kept: nothing is acknowledged then."""
    channel = (await channels.need(engine, name)).channel
    access.check_sender(asker.caller, channel.clients)
    if not content.strip():
        raise Invalid("The body is the message.", place="body")
    received = [
        await engine.receive(Came(name, "http", raw))
        for raw in messages_of(content, channel.charset)
    ]
    return _handed(received)


def messages_of(content: bytes, charset: str) -> list[bytes]:
    if not batch.is_batch(content):
        return [content]
    try:
        found = batch.read(content, charset)
    except Malformed as malformed:
        raise Invalid(malformed.text, place=malformed.place) from malformed
    if len(found.messages) > BATCH_MAX:
        raise Invalid(f"A batch holds at most {BATCH_MAX} messages here.", place="body")
    if counts := [fault for fault in found.faults if fault.place in ("BTS-1", "FTS-1")]:
        # A count that does not agree means that something was lost on the way here.
        raise Invalid(counts[0].text, place=counts[0].place)
    return [each.write() if isinstance(each, Message) else each.raw for each in found.messages]


def _handed(received: list[Received]) -> Handed:
    bad = next((each for each in received if each.answer.code not in _ACCEPTED), None)
    code = (bad or received[0]).answer.code if received else "AA"
    content = b"".join(each.acknowledgement for each in received)
    return Handed(200 if bad is None else 422, code, content)
