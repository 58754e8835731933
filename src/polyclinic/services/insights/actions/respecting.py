"""Whoever objects is not used, whoever is erased is forgotten, and two who are one are joined."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from polyclinic.foundation.database import Transaction
from polyclinic.services.insights.actions import remembering
from polyclinic.services.insights.actions.state import Engine
from polyclinic.services.insights.domain.consents import LEARNING, SCORING, objections
from polyclinic.services.insights.store import events, people

Json = dict[str, Any]


async def objected(engine: Engine, patient: str) -> frozenset[str]:
    """What somebody objects to, as it is known here."""
    return await people.objections(engine.database, engine.pseudonym(patient))


async def heed(
    engine: Engine, patient: str, consents: Iterable[Json], now: datetime
) -> tuple[frozenset[str], frozenset[str]]:
    """What somebody objects to now, and did before. What is denied is forgotten at once."""
    said, subject = objections(consents, now), engine.pseudonym(patient)
    if not said and not await people.objections(engine.database, subject):
        return said, said
    async with engine.turn, engine.database.transaction() as tx:
        before = await people.objections(tx, subject)
        await people.set_objections(tx, subject, learning=LEARNING in said, scoring=SCORING in said)
        await _forget_denied(engine, tx, patient, said)
    return said, before


async def _forget_denied(
    engine: Engine, tx: Transaction, patient: str, denied: frozenset[str]
) -> None:
    if LEARNING in denied:
        await remembering.forget(engine, tx, patient)
    if SCORING in denied:
        await people.forget_scores(tx, [remembering.score_subject(engine, patient)])


async def forget(engine: Engine, patient: str) -> None:
    """Of whom records keeps nothing any more, nothing is kept here."""
    async with engine.turn, engine.database.transaction() as tx:
        await remembering.forget(engine, tx, patient)
        await people.forget_scores(tx, [remembering.score_subject(engine, patient)])
        await people.forget(tx, engine.pseudonym(patient))


async def join(engine: Engine, given_up: str, goes_on: str) -> None:
    """Events and scores of the record that was given up are those of the one that goes on. Whoever
    objected under one name has objected."""
    async with engine.turn, engine.database.transaction() as tx:
        former = await people.objections(tx, engine.pseudonym(given_up))
        later = await people.objections(tx, engine.pseudonym(goes_on))
        denied = former | later
        await people.set_objections(
            tx, engine.pseudonym(goes_on), learning=LEARNING in denied, scoring=SCORING in denied
        )
        await _join_events(engine, tx, given_up, goes_on)
        names = (remembering.score_subject(engine, each) for each in (given_up, goes_on))
        await people.join_scores(tx, *names)
        await people.join_exposures(tx, engine.pseudonym(given_up), engine.pseudonym(goes_on))
        await _forget_denied(engine, tx, goes_on, denied)


async def _join_events(engine: Engine, tx: Transaction, given_up: str, goes_on: str) -> None:
    """Under one name, with one move of their times; a birth is told by the record that goes on."""
    number = await events.generation(tx)
    new = remembering.pseudonyms(engine, number)
    for name in sorted((new.subject(given_up), new.subject(goes_on))):
        await events.lock_subject(tx, name)
    await events.remove_sources(tx, [new.source(given_up)])
    for each in range(1, number + 1):
        old = remembering.pseudonyms(engine, each)
        moved = new.shift(goes_on) - old.shift(given_up)
        await events.rename(tx, old.subject(given_up), new.subject(goes_on), moved, number)
