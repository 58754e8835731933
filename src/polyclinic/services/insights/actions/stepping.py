"""Leads models from one state to the next: each step is proposed, judged, signed, kept."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from polyclinic.foundation import clock, telemetry
from polyclinic.foundation.database import Row, Transaction
from polyclinic.foundation.errors import Invalid, NotFound, NotProcessable
from polyclinic.foundation.errors import Issue as Said
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.insights.actions import signing
from polyclinic.services.insights.actions.proving import evidence
from polyclinic.services.insights.actions.state import Asker, Engine
from polyclinic.services.insights.domain import access
from polyclinic.services.insights.domain.life import states
from polyclinic.services.insights.domain.life.gates import Gate, judged
from polyclinic.services.insights.domain.life.states import Proposal, Registered
from polyclinic.services.insights.store import assessments, models

ITSELF = "polyclinic"
TEAM_MAX = 50


class NoSuchModel(NotFound):
    """There is no such version of a model."""


class NoProposal(NotFound):
    """Nothing is proposed for this model."""


class GatesClosed(NotProcessable):
    """The model does not show what it must show for this step."""


class Propose(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a model is to be led, and why; `team` (account ids) sees a canary first."""

    to: str
    reason: str
    team: tuple[str, ...] = ()


class Why(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The reason for a step down."""

    reason: str


async def locked(tx: Transaction, name: tuple[str, str]) -> tuple[Row, Registered]:
    """The model, with all models of its task held until the transaction ends."""
    found = await models.find_model(tx, *name)
    if found is None:
        raise NoSuchModel(place="model")
    await models.lock_task(tx, found["task"])
    row = await models.find_model(tx, *name)
    assert row is not None
    return row, signing.registered(row)


async def propose(
    engine: Engine, asker: Asker, name: tuple[str, str], asked: Propose, key: Once
) -> Stored:
    """Into silence it goes at once; where people see it, two of them sign first."""
    access.check_operator(asker.caller, "u")
    _check_reason(asked.reason)
    if (asked.to == "canary") != bool(asked.team) or len(asked.team) > TEAM_MAX:
        raise Invalid(
            f"A canary has a team of 1 to {TEAM_MAX} accounts, others none.", place="team"
        )

    async def act(tx: Transaction) -> tuple[int, object]:
        row, model = await locked(tx, name)
        states.check_step(model, asked.to, clock.now())
        await models.close_proposals(tx, *name)
        if not states.needs_signatures(asked.to):
            await step(tx, model, asked.to, asker.name, asked.reason)
            return 200, {"state": asked.to}
        gates = await _gates(engine, tx, row, model)
        made = (*name, asked.to, list(asked.team), asker.name)
        await models.add_proposal(tx, made)
        await _note(
            tx, model, ("proposed", model.state, asker.name, asked.reason), facts_of_gates(gates)
        )
        return 201, {"state": model.state, "proposed": asked.to, "gates": facts_of_gates(gates)}

    return await engine.carried(key, act)


async def sign(engine: Engine, asker: Asker, name: tuple[str, str], key: Once) -> Stored:
    """The second person's signature takes effect, if every gate holds at that moment."""
    access.check_signer(asker.caller)

    async def act(tx: Transaction) -> tuple[int, object]:
        row, model = await locked(tx, name)
        found = await models.open_proposal(tx, *name)
        if found is None:
            raise NoProposal(place="model")
        asked = Proposal(found["goal"], found["author"], found["at"], tuple(found["signers"]))
        role = asker.caller.role
        signers = states.may_sign(asked, asker.name, role, clock.now())
        states.check_step(model, asked.to, clock.now())
        gates = await _gates(engine, tx, row, model)
        _check_gates(gates)
        await models.add_signature(tx, found["id"], asker.name, role)
        await _note(tx, model, ("signed", model.state, asker.name, asked.to), facts_of_gates(gates))
        if len(signers) < states.SIGNATURES:
            return 200, {"state": model.state, "signatures": len(signers)}
        await models.close_proposals(tx, *name)
        await _promote(tx, model, asked.to, found["team"], asker.name)
        return 200, {"state": asked.to, "signatures": len(signers)}

    return await engine.carried(key, act)


async def _promote(
    tx: Transaction, model: Registered, to: str, team: Sequence[str], author: str
) -> None:
    if to == "champion":
        for row in await models.list_models(tx):
            if row["task"] == model.task and row["state"] == "champion":
                former = signing.registered(row)
                await step(tx, former, "former", author, f"{model.name} follows")
    await models.save_baseline(tx, model.model, model.version, team)
    await step(tx, model, to, author, "two people signed")


async def retire(
    engine: Engine, asker: Asker, name: tuple[str, str], asked: Why, key: Once
) -> Stored:
    """For good. A champion's task goes to nobody: who wants the former one rolls back."""
    access.check_operator(asker.caller, "u")
    _check_reason(asked.reason)

    async def act(tx: Transaction) -> tuple[int, object]:
        _, model = await locked(tx, name)
        if model.state == "retired":
            raise states.NoSuchStep(place="state")
        await models.close_proposals(tx, *name)
        await step(tx, model, "retired", asker.name, asked.reason)
        return 200, {"state": "retired"}

    return await engine.carried(key, act)


async def roll_back(
    engine: Engine, asker: Asker, name: tuple[str, str], asked: Why, key: Once
) -> Stored:
    """One person is enough to silence what is shown; the former champion follows, if any."""
    access.check_operator(asker.caller, "u")
    _check_reason(asked.reason)

    async def act(tx: Transaction) -> tuple[int, object]:
        _, model = await locked(tx, name)
        if model.state not in states.SEEN:
            raise states.NoSuchStep("Only what people see can be rolled back.", place="state")
        follows = await withdraw(tx, model, asker.name, asked.reason, ())
        return 200, {"state": "withdrawn", "follows": follows}

    return await engine.carried(key, act)


async def withdraw(
    tx: Transaction,
    model: Registered,
    author: str,
    reason: str,
    broken: Sequence[tuple[str, dict[str, Any]]],
) -> str:
    """Takes a model out of sight and says who speaks now: the former champion, the published score
    or nobody (empty). `broken` are features with what was measured. The task is locked."""
    await models.close_proposals(tx, model.model, model.version)
    await step(tx, model, "withdrawn", author, reason, [facts for _, facts in broken])
    telemetry.log("model withdrawn", service="insights", kind=model.model, version=model.version)
    if model.state != "champion":
        return ""
    standing = [
        (signing.registered(row), frozenset(row["features"]))
        for row in await models.list_models(tx)
        if row["task"] == model.task
    ]
    names = frozenset(name for name, _ in broken)
    follows = states.successor(model, standing, names, clock.now())
    if follows is None:
        return model.fallback
    await step(tx, follows, "champion", author, f"{model.name} was withdrawn")
    return follows.name


async def step(
    tx: Transaction,
    model: Registered,
    to: str,
    author: str,
    reason: str,
    facts: Sequence[dict[str, Any]] = (),
) -> None:
    """Changes the state, and leaves the trail of it."""
    await models.save_state(tx, model.model, model.version, to)
    if model.state == "champion":
        await assessments.end_method(tx, model.model, model.version)
    await _note(tx, model, ("moved", to, author, reason), facts)


async def expire(tx: Transaction, now: datetime) -> None:
    """What nobody has validated for a year is silent."""
    for row in await models.expired(tx, now):
        _, model = await locked(tx, (row["model"], row["version"]))
        if model.state in (*states.SEEN, "former"):
            await withdraw(tx, model, ITSELF, "not validated for a year", ())


async def _note(
    tx: Transaction,
    model: Registered,
    said: tuple[str, str, str, str],
    facts: Sequence[dict[str, Any]],
) -> None:
    """`said`: the step, the state after it, by whom and why."""
    word, after, author, reason = said
    content = msgspec.json.encode(list(facts))
    row = (model.model, model.version, word, model.state, after, author, reason, content)
    await models.add_step(tx, row)


async def _gates(engine: Engine, tx: Transaction, row: Row, model: Registered) -> tuple[Gate, ...]:
    found = await evidence(tx, row, model)
    return judged(found, float(engine.settings.capacity))


def _check_gates(gates: Sequence[Gate]) -> None:
    closed = tuple(
        Said(f"{gate.words}: {_said(gate)}", f"gates.{gate.name}", "business-rule")
        for gate in gates
        if not gate.passed
    )
    if closed:
        raise GatesClosed(place="gates", issues=closed)


def _said(gate: Gate) -> str:
    value = "not known yet" if gate.value is None else f"{gate.value:.3g}"
    return f"{value}, needed {_limits(gate)}."


def _limits(gate: Gate) -> str:
    if gate.low is None:
        return f"at most {gate.high:g}"
    return f"at least {gate.low:g}" if gate.high is None else f"{gate.low:g} to {gate.high:g}"


def facts_of_gates(gates: Sequence[Gate]) -> list[dict[str, Any]]:
    return [
        {
            "gate": gate.name,
            "words": gate.words,
            "value": gate.value,
            "low": gate.low,
            "high": gate.high,
            "passed": gate.passed,
        }
        for gate in gates
    ]


def _check_reason(reason: str) -> None:
    if not 3 <= len(reason.strip()) <= 500:
        raise Invalid("A reason has 3 to 500 characters.", place="reason")
