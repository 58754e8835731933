"""What people say of messages that wait for them: whose one is, and that a result has no order."""

from typing import Any, Literal
from uuid import UUID

import msgspec

from polyclinic.foundation import clock
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.integration.actions import showing
from polyclinic.services.integration.actions.state import Asker, Engine
from polyclinic.services.integration.domain import access
from polyclinic.services.integration.domain.problems import NotAsked, WrongState
from polyclinic.services.integration.gateways import records
from polyclinic.services.integration.store import matching as rows
from polyclinic.services.integration.store import queue

PAGE = 200
_SHOWN = ("name", "birthDate", "gender", "telecom", "address", "identifier")


async def waiting(engine: Engine, asker: Asker, reason: str | None) -> list[dict[str, Any]]:
    """All that waits for a person, the oldest first: where, why and how long; no names."""
    access.check_staff_or_desk(asker.caller)
    found = await rows.waiting(engine.running.database, reason, PAGE)
    now, late = clock.now(), engine.settings.question_hours
    hours = [(now - row["at"]).total_seconds() / 3600 for row in found]
    return [
        {**dict(row), "hours": round(each, 1), "late": each > late}
        for row, each in zip(found, hours, strict=True)
    ]


async def question(engine: Engine, asker: Asker, message: UUID) -> dict[str, Any]:
    """The person in the message beside the charts that may be theirs, as the asker may see them."""
    access.check_registrar(asker.caller)
    asked = await _need(engine, message)
    listed = await rows.candidates(engine.running.database, message)
    names = [row["patient"] for row in listed]
    charts = await records.read_as(engine.running, asker.errand.token, names)
    await engine.log_read(asker, names, message)
    return {
        "message": message,
        "reason": asked["reason"],
        "since": asked["since"],
        "person": _person(await showing.last_translation(engine, message)),
        "candidates": [
            {
                "patient": row["patient"],
                "score": round(row["score"], 1),
                "likes": dict(each.split(": ", 1) for each in row["likes"]),
                "chart": _short(chart) if chart else None,
            }
            for row, chart in zip(listed, charts, strict=True)
        ],
    }


def _person(translation: dict[str, Any] | None) -> dict[str, Any] | None:
    """Of whom the message speaks; of a merge whom it gives up."""
    for intent in (translation or {}).get("intents", ()):
        person = intent.get("loser") or intent.get("person")
        if person:
            return _short(person["resource"])
    return None


def _short(resource: dict[str, Any]) -> dict[str, Any]:
    return {name: resource[name] for name in _SHOWN if name in resource}


class Word(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """same: the message is about this patient. different: it is not. new: about nobody here."""

    word: Literal["same", "different", "new"]
    patient: str = ""


async def decide(engine: Engine, asker: Asker, message: UUID, asked: Word, key: Once) -> Stored:
    """Keeps a person's word for ever, and has the message tried again."""
    access.check_registrar(asker.caller)
    question = await _need(engine, message)
    shown = [row["patient"] for row in await rows.candidates(engine.running.database, message)]
    said = await _said(engine, asker, asked, shown)

    async def act(tx: Transaction) -> tuple[int, object]:
        if not await rows.answered(tx, message):
            raise NotAsked(place="message")
        if asked.word == "same":
            await rows.forget_new(tx, question["person"])
        await rows.tell(tx, question["person"], said, asker.name, message)
        return await _again(tx, asker, message, asked.word)

    return await _waking(engine, key, act)


async def _said(
    engine: Engine, asker: Asker, asked: Word, shown: list[str]
) -> list[tuple[str, str]]:
    if asked.word == "new":
        return [*((patient, "different") for patient in shown), ("", "new")]
    if not asked.patient.startswith("Patient/"):
        raise Invalid("A patient is written Patient/id.", place="patient")
    token = asker.errand.token
    if (await records.read_as(engine.running, token, [asked.patient]))[0] is None:
        raise Invalid("There is no such patient, or it is not yours to see.", place="patient")
    return [(asked.patient, asked.word)]


async def file_without_order(
    engine: Engine, asker: Asker, message: UUID, _: Any, key: Once
) -> Stored:
    """The result goes into the chart although nobody here knows its order."""
    access.check_registrar(asker.caller)
    await showing.need(engine, asker, message)

    async def act(tx: Transaction) -> tuple[int, object]:
        await rows.file_without_order(tx, message, asker.name)
        return await _again(tx, asker, message, "without order")

    return await _waking(engine, key, act)


async def _need(engine: Engine, message: UUID) -> Any:
    found = await rows.question(engine.running.database, message)
    if found is None or found["until"] is not None:
        raise NotAsked(place="message")
    return found


async def _again(
    tx: Transaction, asker: Asker, message: UUID, word: str
) -> tuple[int, dict[str, str]]:
    if not await queue.again(tx, [message], ("waiting",)):
        raise WrongState(place="state")
    await queue.note(tx, [message], "decided", asker.name, word)
    return 200, {"message": str(message), "state": "received"}


async def _waking(engine: Engine, key: Once, act: Any) -> Stored:
    stored = await engine.carried(key, act)
    engine.more.set()
    return stored
