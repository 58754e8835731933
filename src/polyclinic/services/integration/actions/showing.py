"""What staff see of messages: where they stand for operators, what they say for who may know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import msgspec

from polyclinic.foundation.database import Row
from polyclinic.foundation.errors import Invalid
from polyclinic.services.integration.actions.state import (
    Asker,
    Engine,
    raw_place,
    stage_place,
)
from polyclinic.services.integration.domain import access, arriving
from polyclinic.services.integration.domain.problems import ContentGone, NoContent, NoMessage
from polyclinic.services.integration.store import messages, queue, relations, second_answers
from polyclinic.services.integration.store.messages import Filter
from polyclinic.standards.hl7v2 import Malformed, Message, parse

PAGE, PAGE_MAX = 50, 200
# A clinician's page looks at so many times 200 messages at most.
LOOKS_MAX = 20
# What may be looked for, and the name under which it was hashed when the message came.
FINDS = {
    "control": arriving.CONTROL,
    "mrn": arriving.PERSON,
    "visit": arriving.VISIT,
    "order": arriving.ORDER,
    "patient": "patient",
}


@dataclass(frozen=True, slots=True)
class Page:
    """Messages, the newest first, and the number with which the next page begins."""

    messages: list[dict[str, Any]]
    following: int | None


async def page(
    engine: Engine, asker: Asker, wanted: Filter, looked_for: Mapping[str, str], limit: int = PAGE
) -> Page:
    """Where messages stand. Looking for one person's is a look at that person, and is logged."""
    access.check_staff(asker.caller)
    if len(looked_for) > 1:
        raise Invalid("Look for one thing at a time.", place=sorted(looked_for)[1])
    for name, value in looked_for.items():
        wanted = replace(wanted, find=engine.number(FINDS[name], value))
    limit = max(1, min(limit, PAGE_MAX))
    if asker.caller.role == "clinician":
        shown, following = await _page_of_own(engine, asker, wanted, limit)
    else:
        rows = await messages.page(engine.running.database, wanted, limit + 1)
        shown, more = rows[:limit], rows[limit:]
        following = shown[-1]["seq"] if more else None
    await _log_page(engine, asker, shown, is_search=bool(looked_for))
    return Page([told(row) for row in shown], following)


async def _page_of_own(
    engine: Engine, asker: Asker, wanted: Filter, limit: int
) -> tuple[list[Row], int | None]:
    """Looks on until the page is full: others' messages between their own leave no holes.

    After so many looks the page is given as it is, with where to go on.
    """
    shown: list[Row] = []
    for _ in range(LOOKS_MAX):
        rows = await messages.page(engine.running.database, wanted, PAGE_MAX)
        shown += await _of_own_patients(engine, asker, rows)
        if len(shown) > limit:
            return shown[:limit], shown[limit - 1]["seq"]
        if len(rows) < PAGE_MAX:
            return shown, None
        wanted = replace(wanted, before=rows[-1]["seq"])
    return shown, wanted.before


async def _of_own_patients(engine: Engine, asker: Asker, rows: Sequence[Row]) -> list[Row]:
    cared_for = await _cared_for(engine, asker, [who for row in rows for who in row["patients"]])
    return [row for row in rows if row["patients"] and cared_for.issuperset(row["patients"])]


async def _cared_for(engine: Engine, asker: Asker, patients: Sequence[str]) -> set[str]:
    person = engine.server.store.terms.person
    numbers = {person(who): who for who in patients}
    found = await relations.cared_for(
        engine.running.database, person(asker.caller.person or ""), list(numbers)
    )
    return {numbers[number] for number in found}


async def _log_page(engine: Engine, asker: Asker, rows: Sequence[Row], *, is_search: bool) -> None:
    """A queue shows no names; that somebody's messages were looked for tells of that person."""
    if is_search or asker.caller.role == "clinician":
        for row in rows:
            await engine.log_read(asker, row["patients"], row["id"])


def told(row: Row) -> dict[str, Any]:
    """Where a message stands: kinds, times, ids and counts; nothing of what it says."""
    return {
        "id": row["id"],
        "number": row["seq"],
        "channel": row["channel"],
        "channel_version": row["version"],
        "way": row["way"],
        "kind": row["kind"],
        "received": row["at"],
        "answer": row["answer"],
        "state": row["state"],
        "reason": row["reason"],
        "problem": row["problem"],
        "tries": row["tries"],
        "patients": row["patients"],
        "parent": row["parent"],
        "changed": row["changed"],
        "next_try": row["next"] if row["state"] == "failed" else None,
        "at_work": row["at_work"],
        "content": row["has_content"],
    }


async def one(engine: Engine, asker: Asker, message: UUID) -> dict[str, Any]:
    """A message with its way through us: for who runs queues, without contents."""
    access.check_staff(asker.caller)
    row = await need(engine, asker, message)
    database = engine.running.database
    before = await messages.standing_before(database, message)
    value = {
        **told(row),
        "stands_behind": before,
        "copies": await messages.copies(database, message),
        "second_answer": await second_answers.state_of(database, message),
        "events": [dict(each) for each in await queue.events_of(database, message)],
        "effects": [dict(each) for each in await queue.effects_of(database, message)],
    }
    await engine.log_read(asker, row["patients"], message)
    return value


async def content(engine: Engine, asker: Asker, message: UUID) -> dict[str, Any]:
    """What a message says: as it came, as it was read, and what was made of it, each try."""
    row = await need(engine, asker, message)
    await check_content(engine, asker, row)
    raw = await opened(engine, message)
    stages = await queue.stages_of(engine.running.database, message)
    made = await engine.unseal(
        [(stage_place(message, each["try"]), each["sealed"]) for each in stages]
    )
    await engine.log_read(asker, row["patients"], message)
    return {
        **told(row),
        "raw": raw.decode("latin-1"),
        "parsed": parsed(raw),
        "mapped": [
            {"try": each["try"], "at": each["at"], "channel_version": each["version"],
             "translation": msgspec.Raw(text)}
            for each, text in zip(stages, made, strict=True)
        ],
        "effects": [
            dict(each) for each in await queue.effects_of(engine.running.database, message)
        ],
    }  # fmt: skip


async def raw_of(engine: Engine, asker: Asker, message: UUID) -> bytes:
    """The bytes as they came."""
    row = await need(engine, asker, message)
    await check_content(engine, asker, row)
    raw = await opened(engine, message)
    await engine.log_read(asker, row["patients"], message)
    return raw


async def need(engine: Engine, asker: Asker, message: UUID) -> Row:
    """The message; for clinicians only that of a patient whom they care for."""
    row = await messages.find(engine.running.database, message)
    if row is None:
        raise NoMessage(place="message")
    if asker.caller.role == "clinician" and not await _of_own_patients(engine, asker, [row]):
        await engine.log_denied(asker, row["patients"], message)
        raise NoMessage(place="message")
    return row


async def check_content(engine: Engine, asker: Asker, row: Row, interaction: str = "r") -> None:
    """Raises NoContent for who runs queues and has no clinical rights; it is logged."""
    if not access.reads_content(asker.caller, interaction):
        await engine.log_denied(asker, row["patients"], row["id"])
        raise NoContent


async def opened(engine: Engine, message: UUID) -> bytes:
    """The bytes of a message; raises ContentGone once their time is over."""
    sealed = await messages.content(engine.running.database, message)
    if sealed is None:
        raise ContentGone(place="message")
    return (await engine.unseal([(raw_place(message), sealed)]))[0]


async def last_translation(engine: Engine, message: UUID) -> dict[str, Any] | None:
    """What was made of it the last time, for our own comparison."""
    stages = await queue.stages_of(engine.running.database, message)
    if not stages:
        return None
    place = stage_place(message, stages[-1]["try"])
    (text,) = await engine.unseal([(place, stages[-1]["sealed"])])
    found: dict[str, Any] = msgspec.json.decode(text)
    found.pop("refused", None)
    return found or None


def parsed(raw: bytes) -> list[dict[str, Any]]:
    """Segments and their fields as texts; what cannot be read says so in its place."""
    try:
        message = parse(raw)
    except Malformed:
        return []
    return [_segment(message, number) for number in range(len(message.segments()))]


def _segment(message: Message, number: int) -> dict[str, Any]:
    segment = message.segments()[number]
    fields: list[dict[str, Any]] = []
    for place in range(1, len(segment) + 1):
        if text := segment.field(place):
            fields.append({"field": place, "text": text})
    return {"name": segment.name, "index": segment.index, "fields": fields}
