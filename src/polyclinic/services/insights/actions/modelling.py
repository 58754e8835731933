"""Takes models up as drafts, and shows them: state, card, trail, pictures as numbers."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from polyclinic.foundation import clock
from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.foundation.errors import Conflict, Invalid
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.insights.actions import drifting, signing, stepping
from polyclinic.services.insights.actions.proving import evidence, seen_of, settled
from polyclinic.services.insights.actions.state import Asker, Engine
from polyclinic.services.insights.domain import access
from polyclinic.services.insights.domain import models as foretelling
from polyclinic.services.insights.domain.calculators import registry
from polyclinic.services.insights.domain.events import SHOWN_MIN, shown_counts
from polyclinic.services.insights.domain.life import measures
from polyclinic.services.insights.domain.life.card import Card, card_of, read_record
from polyclinic.services.insights.domain.life.gates import judged, unjudged
from polyclinic.services.insights.domain.life.states import LIFE, Registered
from polyclinic.services.insights.domain.tasks import tasks
from polyclinic.services.insights.store import models, scores

_THRESHOLDS = tuple(number / 100 for number in range(5, 55, 5))
Json = dict[str, Any]


class KnownAlready(Conflict):
    """There is this version of the model already; another content is another version."""


class Draft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model as plain data (`domain/models`), which names its id, version and task, and what
    people should know of it by the statements of the card; `threshold` is a chance, `membership`
    the AUROC of an attack on who was among those learned from (`domain/tasks/membership.py`)."""

    content: msgspec.Raw
    record: dict[str, str]
    threshold: float
    fallback: str = ""
    membership: float | None = None


async def take(engine: Engine, asker: Asker, draft: Draft, key: Once) -> Stored:
    """As a draft: nobody is scored by it before somebody proposes it."""
    access.check_operator(asker.caller, "u")

    async def act(tx: Transaction) -> tuple[int, object]:
        model = await add(engine, tx, draft, asker.name)
        return 201, {"model": model.id, "version": model.version, "state": "draft"}

    return await engine.carried(key, act)


async def add(engine: Engine, tx: Transaction, draft: Draft, author: str) -> foretelling.Model:
    """Checks and keeps a draft under our signature; raises Invalid, KnownAlready."""
    content = bytes(draft.content)
    model = _checked(draft, content)
    name = (model.id, model.version, model.task)
    digest, signature = signing.signed(engine, name, content)
    record = msgspec.json.encode(read_record(draft.record))
    expires = clock.now() + LIFE
    about = (
        list(model.columns), draft.fallback, draft.threshold, author, expires, draft.membership,
    )  # fmt: skip
    if not await models.add_model(tx, (*name, content, digest, signature, record, *about)):
        raise KnownAlready(place="content.version")
    row = (*name[:2], "taken", "", "draft", author, "a new version", b"[]")
    await models.add_step(tx, row)
    return model


def _checked(draft: Draft, content: bytes) -> foretelling.Model:
    """A model that can be read, of a task that there is, made of features that the task has."""
    model = foretelling.load(content)
    for name, text in (("id", model.id), ("version", model.version)):
        check_name(text, f"content.{name}")
    _check_task(model)
    if not 0 < draft.threshold < 1:
        raise Invalid("A threshold lies between 0 and 1.", place="threshold")
    if draft.membership is not None and not 0 <= draft.membership <= 1:
        raise Invalid("An AUROC lies between 0 and 1.", place="membership")
    if draft.fallback and draft.fallback not in registry():
        raise Invalid("There is no such calculator.", place="fallback")
    return model


def _check_task(model: foretelling.Model) -> None:
    task = tasks().get(model.task)
    if task is None:
        raise Invalid("There is no such task.", place="content.task")
    if abs(model.horizon_days - task.horizon / timedelta(days=1)) > 1e-6:
        raise Invalid("The task looks another number of days ahead.", place="content.horizon_days")
    for name in model.columns:
        if name not in task.columns:
            raise Invalid(f"The task has no feature {name[:60]!r}.", place="content.features")


def check_name(text: str, place: str) -> None:
    """Raises Invalid for what is no name of a model or a version."""
    fits = 1 <= len(text) <= 64
    if not fits or not all(c.isascii() and (c.isalnum() or c in ".-") for c in text):
        raise Invalid("A name has 1 to 64 letters, digits, dots and hyphens.", place=place)


async def shown(engine: Engine, asker: Asker) -> Json:
    """All models with their states, and who speaks for each task at the moment."""
    access.check_staff(asker.caller)
    now = clock.now()
    rows = await models.list_models(engine.database)
    found = [signing.registered(row) for row in rows]
    speaking = {each.task: each.name for each in found if each.state == "champion"}
    fallbacks = {each.task: each.fallback for each in reversed(found)}
    return {
        "models": [
            {**_head(model, row), "speaks": model.speaks(now)}
            for model, row in zip(found, rows, strict=True)
        ],
        "tasks": [
            {
                "task": task.id,
                "title": task.title,
                "speaks": speaking.get(task.id) or fallbacks.get(task.id, ""),
            }
            for task in tasks().values()
        ],
    }


async def one(engine: Engine, asker: Asker, name: tuple[str, str]) -> Json:
    """One model: its gates as they stand now, what is proposed, and every step so far."""
    access.check_staff(asker.caller)
    row, model = await _found(engine.database, name)
    known = await evidence(engine.database, row, model)
    asked = await models.open_proposal(engine.database, *name)
    gates = judged(known, float(engine.settings.capacity))
    steps = await models.list_steps(engine.database, *name)
    return {
        **_head(model, row),
        "digest": model.digest,
        "features": row["features"],
        "gates": stepping.facts_of_gates(gates),
        "notJudged": list(unjudged(known)),
        "proposal": asked
        and {
            "to": asked["goal"],
            "author": asked["author"],
            "at": asked["at"],
            "team": asked["team"],
            "signers": asked["signers"],
        },
        "steps": [{**dict(each), "facts": msgspec.json.decode(each["facts"])} for each in steps],
    }


async def card(engine: Engine, asker: Asker, name: tuple[str, str]) -> tuple[Json, Card]:
    """The card with what was measured here; its head says which model it is of."""
    access.check_staff(asker.caller)
    row, model = await _found(engine.database, name)
    record = msgspec.json.decode(row["record"], type=dict[str, str])
    known = await evidence(engine.database, row, model)
    measured = {"stage": model.state}
    fit = measures.calibration(known.seen) if known.seen else None
    ratio = measures.observed_over_expected(known.seen) if known.seen else None
    if len(known.seen) >= SHOWN_MIN and fit and ratio:
        measured["validity_local"] = (
            f"{len(known.seen)} outcomes: Brier score {measures.brier(known.seen):.3f}, calibration"
            f" slope {fit.slope:.2f}, observed over expected {ratio:.2f}."
        )
        named = [g for g in judged(known, 1.0) if g.name.startswith("slope of ") and g.value]
        words = [f"{each.name} {each.value:.2f}" for each in named]
        rest = ", ".join(unjudged(known)) or "none"
        measured["fairness_local"] = f"{'; '.join(words) or 'None judged'}. Too few: {rest}."
    steps = await models.list_steps(engine.database, *name)
    fallen = sum(each["after"] == "withdrawn" for each in steps)
    measured["safety_result"] = f"Taken out of sight {fallen} times so far."
    return _head(model, row), card_of({"version": model.version, **record}, measured)


async def pictures(engine: Engine, asker: Asker, name: tuple[str, str]) -> Json:
    """Calibration, decision curve, drift and outcomes as numbers; groups of fewer than 11 people
    are left out."""
    access.check_staff(asker.caller)
    row, _ = await _found(engine.database, name)
    rows = await settled(engine.database, row)
    seen = seen_of(rows)
    chart = await drifting.cusum(engine.database, row)
    return {
        "outcomes": len(seen) if len(seen) >= SHOWN_MIN else None,
        "calibration": [
            {"people": bar.people, "expected": bar.expected, "observed": bar.observed}
            for bar in measures.bars(seen)
            if bar.people >= SHOWN_MIN
        ],
        "decisionCurve": _curve(seen) if len(seen) >= SHOWN_MIN else [],
        "drift": [drifting.facts_of(each) for each in await drifting.drifts(engine.database, row)],
        "ratio": {"up": chart.up, "down": chart.down, "observedOverExpected": chart.ratio},
        "worklist": shown_counts(await _decided(engine.database, row)),
    }


def _curve(seen: list[measures.Seen]) -> list[Json]:
    return [
        {
            "threshold": each,
            "model": measures.net_benefit(seen, each),
            "all": measures.net_benefit_of_all(seen, each),
            "none": 0.0,
        }
        for each in _THRESHOLDS
    ]


async def _decided(database: Database, row: Row) -> Mapping[str, int]:
    """What people made of its lines in the worklist."""
    found = await scores.decisions(database, row["model"], row["version"])
    counts = Counter({each["state"]: each["count"] for each in found})
    return dict(counts)


async def _found(database: Database, name: tuple[str, str]) -> tuple[Row, Registered]:
    row = await models.find_model(database, *name)
    if row is None:
        raise stepping.NoSuchModel(place="model")
    return row, signing.registered(row)


def _head(model: Registered, row: Row) -> Json:
    return {
        "model": model.model,
        "version": model.version,
        "task": model.task,
        "state": model.state,
        "since": model.since,
        "expires": model.expires,
        "author": model.author,
        "fallback": model.fallback,
        "threshold": model.threshold,
        "scored": row["scored"],
        "daysLeft": max((model.expires - clock.now()) // timedelta(days=1), 0),
    }
