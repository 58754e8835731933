"""What people do with messages that did not get through: again, mended, or set aside for good."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from polyclinic.foundation import clock, ids
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.once import Once, Stored
from polyclinic.foundation.work import Pace
from polyclinic.services.integration.actions import admitting, channels, showing
from polyclinic.services.integration.actions.state import Asker, Engine, raw_place
from polyclinic.services.integration.actions.understanding import understood
from polyclinic.services.integration.domain import access
from polyclinic.services.integration.domain.arriving import arrive
from polyclinic.services.integration.domain.problems import WrongState
from polyclinic.services.integration.domain.translating import as_value
from polyclinic.services.integration.store import messages, queue
from polyclinic.services.integration.store.messages import Filter, Kept
from polyclinic.standards.hl7v2 import Malformed, parse

# `done` as well: effects are carried out once, and a new version of a channel may make more of it.
AGAIN = ("failed", "waiting", "parked", "ignored", "skipped", "done")
OPEN = ("failed", "waiting", "parked")
REASON_MAX = 300
BULK_MAX = 1_000
CHANGES_SHOWN = 20


class Reasoned(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why somebody does it; kept beside what they did. No patient data belongs here."""

    reason: str = ""


async def replay(engine: Engine, asker: Asker, message: UUID, asked: Reasoned, key: Once) -> Stored:
    """Tries one message again, at its old place among those of the same patient."""
    access.check_operator(asker.caller, "u")
    await showing.need(engine, asker, message)

    async def act(tx: Transaction) -> tuple[int, object]:
        if not await queue.again(tx, [message], AGAIN):
            raise WrongState(place="state")
        await queue.note(tx, [message], "replayed", asker.name, _reason(asked.reason))
        return 200, {"message": str(message), "state": "received"}

    return await _waking(engine, key, act)


async def skip(engine: Engine, asker: Asker, message: UUID, asked: Reasoned, key: Once) -> Stored:
    """Sets a message aside for good; what stood behind it goes on. The reason is needed."""
    access.check_operator(asker.caller, "u")
    if not asked.reason.strip():
        raise Invalid("Say why it is set aside.", place="reason")
    await showing.need(engine, asker, message)

    async def act(tx: Transaction) -> tuple[int, object]:
        if not await queue.end(tx, message, "skipped", OPEN, "by hand"):
            raise WrongState(place="state")
        await queue.note(tx, [message], "skipped", asker.name, _reason(asked.reason))
        return 200, {"message": str(message), "state": "skipped"}

    return await _waking(engine, key, act)


class Mended(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fields to change, by path (`PID-3[1].1`), each with its new text; null empties it."""

    changes: dict[str, str | None]
    reason: str


async def fix(engine: Engine, asker: Asker, message: UUID, asked: Mended, key: Once) -> Stored:
    """A mended copy takes the place of a message that could not be worked on; both are kept."""
    row = await _to_mend(engine, asker, message, asked.changes)
    if not asked.reason.strip() or not asked.changes:
        raise Invalid("Say what is changed, and why.", place="reason")
    raw = await showing.opened(engine, message)
    copy = await _copy(engine, row, _mended(raw, asked.changes))
    await engine.log_read(asker, row["patients"], message)

    async def act(tx: Transaction) -> tuple[int, object]:
        if not await queue.end(tx, message, "replaced", OPEN, "mended"):
            raise WrongState(place="state")
        await messages.keep(tx, 0, [copy])
        await queue.take_place(tx, copy.id, message)
        note = f"{_reason(asked.reason)} ({', '.join(sorted(asked.changes)[:CHANGES_SHOWN])})"
        await queue.note(tx, [message, copy.id], "mended", asker.name, note)
        return 201, {"message": str(copy.id), "parent": str(message), "state": copy.state}

    return await _waking(engine, key, act)


async def _to_mend(
    engine: Engine, asker: Asker, message: UUID, changes: dict[str, str | None]
) -> messages.Row:
    """Readers mend what they may read; the desk, of what is nobody's yet, who is meant."""
    if asker.caller.role == "front-desk":
        row = await admitting.need(engine, asker, message)
        admitting.check_changes(changes)
        return row
    row = await showing.need(engine, asker, message)
    await showing.check_content(engine, asker, row, "u")
    return row


def _mended(raw: bytes, changes: dict[str, str | None]) -> bytes:
    try:
        message = parse(raw)
        for path, text in changes.items():
            message.set(path, text)
        return message.write()
    except Malformed as malformed:
        raise Invalid(malformed.text, place=malformed.place) from malformed
    except (ValueError, IndexError) as refused:
        raise Invalid(f"{refused}.", place="changes") from refused


async def _copy(engine: Engine, row: messages.Row, raw: bytes) -> Kept:
    channel, version, _ = await channels.need(engine, row["channel"])
    arrived = arrive(channel, raw)
    if arrived.state != "received":
        raise Invalid("The message could still not be worked on.", place=arrived.reason or None)
    new = ids.new_uuid()
    who = tuple(engine.number("person", channel.name, each) for each in arrived.people)
    (key,) = await engine.keys_for([who])
    digest = engine.digest(raw)
    return Kept(
        new, channel.name, version, "hand", arrived.kind, clock.now(), row["answer"], "received",
        "", "", who, tuple(engine.number(*each) for each in arrived.finds),
        engine.seal(key, raw_place(new), raw), engine.digest(b"copy", new.bytes), digest,
    )  # fmt: skip


class Several(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which messages are tried again, and whether they are or only would be."""

    channel: str
    state: str = "parked"
    reason_code: str | None = None
    kind: str | None = None
    limit: int = BULK_MAX
    dry_run: bool = True
    reason: str = ""


async def replay_several(engine: Engine, asker: Asker, asked: Several, key: Once) -> Stored:
    """The oldest thousand at most. A dry run maps them all as the channel is now, changes nothing,
    and says which would be mapped otherwise than before, or still not at all."""
    access.check_operator(asker.caller, "u")
    if asked.state not in AGAIN or not 1 <= asked.limit <= BULK_MAX:
        raise Invalid(f"A state of {', '.join(AGAIN)}, and at most {BULK_MAX}.", place="state")
    wanted = Filter(asked.state, asked.channel, asked.kind, reason=asked.reason_code)
    found = await messages.oldest(engine.running.database, wanted, asked.limit)
    if asked.dry_run:
        rehearsed = await _rehearse(engine, asked.channel, found)
        return Stored(200, msgspec.json.encode({"dry_run": True, **rehearsed}))

    async def act(tx: Transaction) -> tuple[int, object]:
        again = await queue.again(tx, found, AGAIN)
        await queue.note(tx, sorted(again), "replayed", asker.name, _reason(asked.reason))
        return 200, {"dry_run": False, "messages": len(found), "replayed": len(again)}

    return await _waking(engine, key, act)


async def _rehearse(engine: Engine, channel: str, found: Sequence[UUID]) -> dict[str, Any]:
    counts, refused, changed = {"same": 0, "changed": 0, "new": 0}, dict[str, int](), list[str]()
    deployed = (await channels.need(engine, channel)).channel
    pace = Pace()
    for message in found:
        await pace.step()
        try:
            raw = await showing.opened(engine, message)
            made = as_value(await understood(engine, raw, deployed))
        except Exception as no:  # noqa: BLE001 - a rehearsal says what would go wrong, and goes on
            refused[type(no).__name__] = refused.get(type(no).__name__, 0) + 1
            continue
        before = await showing.last_translation(engine, message)
        word = "new" if before is None else "same" if before == made else "changed"
        counts[word] += 1
        if word == "changed":
            changed.append(str(message))
    return {"messages": len(found), **counts, "refused": refused,
            "changed_messages": changed[:CHANGES_SHOWN]}  # fmt: skip


def _reason(text: str) -> str:
    if len(text) > REASON_MAX:
        raise Invalid(f"A reason has at most {REASON_MAX} characters.", place="reason")
    return text.strip()


async def _waking(engine: Engine, key: Once, act: Any) -> Stored:
    stored = await engine.carried(key, act)
    engine.more.set()
    return stored
