"""The plan: made from what is known, changed by people, its gates passed with evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from polyclinic.foundation import clock
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.database import Database, Transaction
from polyclinic.foundation.errors import Forbidden, Invalid, NotFound, Stale
from polyclinic.services.migration.actions import counting
from polyclinic.services.migration.actions.deciding import decide
from polyclinic.services.migration.actions.inventorying import TEXT_MAX, capabilities_of
from polyclinic.services.migration.actions.state import Passage
from polyclinic.services.migration.domain.plan import Inputs, Plan, check, planned
from polyclinic.services.migration.store import inventories, plans

EVIDENCE_MAX = 16 * 1024


@dataclass(frozen=True, slots=True)
class Standing:
    """The plan as it is now; version 0 is the one that nobody has changed yet."""

    version: int
    plan: Plan


class GateAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is said of a gate; passing needs evidence, waiving a reason."""

    state: Literal["open", "passed", "failed", "waived"]
    evidence: object = None
    text: str = ""


async def current(passage: Passage, name: str) -> Standing:
    """Made anew from what is known at this moment."""
    return await _standing(passage.database, name)


async def _standing(where: Database | Transaction, name: str) -> Standing:
    found = await capabilities_of(where, name)
    newest = await plans.newest(where, name)
    version, inputs = newest or (0, Inputs(starts=clock.today()))
    return Standing(version, planned(found, inputs, await plans.gates(where, name)))


async def change(
    passage: Passage, author: str, name: str, inputs: Inputs, if_version: int | None
) -> Standing:
    """Puts other inputs in force; every version stays, with the plan that it led to."""
    async with passage.database.transaction() as tx:
        await inventories.lock(tx, name)
        before = await _standing(tx, name)
        if if_version is not None and if_version != before.version:
            raise Stale
        found = await capabilities_of(tx, name)
        check(inputs, [each.name for each in found])
        plan = planned(found, inputs, await plans.gates(tx, name))
        version = before.version + 1
        await plans.add(tx, name, version, author, plan)
        value = {"version": version, "inputs": inputs}
        await decide(tx, author, "plan", name, value)
        return Standing(version, plan)


async def say(
    passage: Passage, caller: Caller, name: str, place: tuple[str, str], ask: GateAsk
) -> None:
    """Somebody, or a machine with its evidence, says how a gate stands."""
    capability, gate = place
    if len(msgspec.json.encode(ask.evidence)) > EVIDENCE_MAX:
        raise Invalid(
            "Evidence is numbers and addresses, not the things themselves.", place="evidence"
        )
    is_counted = gate == counting.BACKFILL and ask.state == "passed"
    if ask.state == "passed" and not ask.evidence and not is_counted:
        raise Invalid("What shows it? A gate is passed with evidence.", place="evidence")
    if ask.state == "waived" and not ask.text.strip():
        raise Invalid("Say why it may be left out.", place="text")
    if (gate == "signature" or ask.state == "waived") and caller.role != "administrator":
        raise Forbidden("An administrator signs this in person.")
    async with passage.database.transaction() as tx:
        plan = (await _standing(tx, name)).plan
        if (capability, gate) not in _gates(plan):
            raise NotFound("There is no such gate in the plan.", place="gate")
        evidence = ask.evidence
        if is_counted:
            # Whoever signs for rows that were put aside is a person.
            signed = ask.text if caller.role == "administrator" else ""
            tables = await _tables(tx, name, capability)
            seen = await counting.show(tx, name, tables, signed)
            evidence = {**seen, "said": ask.evidence} if ask.evidence else seen
        value = {"state": ask.state, "evidence": evidence}
        subject = f"{name}/{capability}/{gate}"
        await decide(tx, caller.subject, "gate", subject, value, ask.text[:TEXT_MAX])


async def _tables(tx: Transaction, name: str, capability: str) -> Sequence[str]:
    found = await capabilities_of(tx, name)
    return next(each.tables for each in found if each.name == capability)


def _gates(plan: Plan) -> set[tuple[str, str]]:
    return {
        (step.capability, gate.name)
        for wave in plan.waves
        for step in wave.steps
        for gate in step.gates
    }
