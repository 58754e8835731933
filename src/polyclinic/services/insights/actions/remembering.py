"""Remembers what charts say as events of nobody in particular, and what became of foretellings."""

import hmac
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from polyclinic.foundation import clock
from polyclinic.foundation.database import Transaction
from polyclinic.services.insights.actions.state import Engine
from polyclinic.services.insights.domain.consents import LEARNING
from polyclinic.services.insights.domain.events import Event, Pseudonyms, events_of, facts_of
from polyclinic.services.insights.domain.tasks import came, tasks
from polyclinic.services.insights.store import events, people, scores

Json = Mapping[str, Any]


def keyed(engine: Engine, purpose: str, text: str) -> bytes:
    """16 bytes; each purpose has a key of its own, so that no two tables meet by them."""
    return hmac.digest(engine.running.vault.secret(purpose), text.encode(), "sha256")[:16]


def score_subject(engine: Engine, patient: str) -> bytes:
    """The pseudonym under which foretellings stand: no other table has it."""
    return keyed(engine, "scores", patient)


def pseudonyms(engine: Engine, generation: int) -> Pseudonyms:
    """Names and moved dates of a generation."""
    return Pseudonyms(engine.running.vault.secret("events"), generation)


async def remember(
    engine: Engine,
    tx: Transaction,
    patient: str,
    resources: Sequence[Json],
    gone: Collection[str] = (),
) -> int:
    """What these resources of `Patient/<id>` say now, in place of what they said before; how many
    events that are. What `gone` names is forgotten; the same again writes nothing."""
    number = await events.generation(tx)
    secret = engine.running.vault.secret("events")
    now = Pseudonyms(secret, number)
    await events.lock_subject(tx, now.subject(patient))
    if LEARNING in await people.objections(tx, engine.pseudonym(patient)):
        return 0  # looked at under the lock: an objection a moment ago has forgotten everything
    for older in (Pseudonyms(secret, each) for each in range(1, number)):
        moved = now.shift(patient) - older.shift(patient)
        await events.rename(tx, older.subject(patient), now.subject(patient), moved, number)
    new = events_of(now, patient, resources, clock.now())
    told = [now.source(f"{each.get('resourceType')}/{each.get('id')}") for each in resources]
    told += [now.source(each) for each in gone]
    await _replace(tx, number, told, new)
    await _settle(engine, tx, patient, resources)
    return len(new)


async def _replace(
    tx: Transaction, number: int, told: Sequence[bytes], new: Sequence[Event]
) -> None:
    known: dict[bytes, list[Event]] = defaultdict(list)
    for row in await events.list_of_sources(tx, told):
        known[row["source"]].append(Event(**dict(row)))
    said: dict[bytes, list[Event]] = defaultdict(list)
    for event in new:
        said[event.source].append(event)
    changed = [
        name for name in dict.fromkeys(told) if _ordered(known[name]) != _ordered(said[name])
    ]
    if changed:
        await events.remove_sources(tx, changed)
        await events.add_events(tx, number, [each for name in changed for each in said[name]])


def _ordered(found: Sequence[Event]) -> list[str]:
    return sorted(map(repr, found))


async def _settle(engine: Engine, tx: Transaction, patient: str, resources: Sequence[Json]) -> None:
    """Whether something that was foretold of this person has come."""
    subject = score_subject(engine, patient)
    foretold = await scores.open_scores(tx, subject)
    facts = list(facts_of(resources)) if foretold else []
    for row in foretold:
        task = tasks().get(row["task"])
        if task is not None and came(task, facts, row["at"]):
            await scores.save_outcome(tx, subject, task.id, row["at"])


async def forget(engine: Engine, tx: Transaction, patient: str) -> int:
    """Removes all events of somebody, of every generation; how many there were."""
    number = await events.generation(tx)
    secret = engine.running.vault.secret("events")
    names = [Pseudonyms(secret, each).subject(patient) for each in range(1, number + 1)]
    await events.lock_subject(tx, names[-1])
    return await events.remove_subjects(tx, names)
