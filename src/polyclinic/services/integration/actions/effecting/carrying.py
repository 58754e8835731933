"""Carries a translation out: intent after intent, and says where the message stands then."""

from typing import Any
from uuid import UUID

from polyclinic.foundation.service import Running
from polyclinic.services.integration.actions.effecting import (
    booking,
    charging,
    charting,
    joining,
)
from polyclinic.services.integration.actions.effecting.work import Waits, Work
from polyclinic.services.integration.actions.state import Engine
from polyclinic.services.integration.domain.intents import (
    Block,
    Book,
    Cancel,
    Charge,
    Intent,
    Keep,
    Merge,
    Miss,
    Move,
    Unmerge,
    Void,
)
from polyclinic.services.integration.domain.outcomes import Outcome
from polyclinic.services.integration.gateways import records
from polyclinic.services.integration.gateways.asking import Refused
from polyclinic.services.integration.store import messages


async def carry_out(running: Running, message: UUID, translation: Any, /) -> Outcome:
    """Each effect once, however often it is asked; raises Unavailable for what passes by itself.

    What waits for a person holds up nothing else of the same message.
    """
    if not translation.intents:
        return Outcome("ignored", "nothing to do", "This message asks for nothing here.")
    if not records.is_installed(running):
        return Outcome("waiting", "no records", "There is no records service to keep charts.")
    engine: Engine = running.state
    channel = engine.at_work.get(message) or await _channel(running, message)
    work = Work(engine, message, translation, channel)
    waits: list[Waits] = []
    for intent in sorted(translation.intents, key=_is_later):
        try:
            await _one(work, intent)
        except Waits as each:
            waits.append(each)
        except Refused as refused:
            return _outcome(work, "parked", f"refused: {refused.kind}", _where(refused))
    if waits:
        return _outcome(work, "waiting", waits[0].reason, waits[0].text)
    if not work.effects:
        return _outcome(work, "ignored", "nothing to do", "What it asks for needs no change.")
    return _outcome(work, "done", "", "")


async def _channel(running: Running, message: UUID) -> str:
    row = await messages.find(running.database, message)
    return row["channel"] if row is not None else ""


def _is_later(intent: Intent) -> bool:
    """What may make the person comes before what needs them."""
    return not getattr(intent, "create_person", False)


async def _one(work: Work, intent: Intent) -> None:
    match intent:
        case Keep():
            await charting.keep(work, intent)
        case Void():
            await charting.void(work, intent)
        case Merge() | Unmerge():
            await joining.join(work, intent)
        case Book() | Move() | Cancel() | Miss():
            await booking.book(work, intent)
        case Charge():
            await charging.charge(work, intent)
        case Block():
            raise Waits(
                "block", "Times that are closed stand in the clinic's week: see to it there."
            )


def _where(refused: Refused) -> str:
    return f"An owner does not take {refused.place or 'this'} ({refused.status})."


def _outcome(work: Work, state: Any, reason: str, text: str) -> Outcome:
    effects = tuple(work.effects.values())
    return Outcome(state, reason, text, effects, tuple(work.patients))
