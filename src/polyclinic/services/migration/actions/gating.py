"""What the plan asks before a capability goes on: its gates, in every plan that it stands in."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from polyclinic.foundation import clock
from polyclinic.foundation.database import Database, Transaction
from polyclinic.foundation.errors import Conflict
from polyclinic.services.migration.actions import counting
from polyclinic.services.migration.actions.deciding import decide
from polyclinic.services.migration.domain.capabilities import Capability
from polyclinic.services.migration.domain.plan import Inputs, left_out, step_of
from polyclinic.services.migration.domain.routing import Mode
from polyclinic.services.migration.domain.waves import Gate
from polyclinic.services.migration.store import inventories, plans

Side = Literal["entry", "exit"]
REASON_MAX = 2000


class GatesOpen(Conflict):
    """The plan's gates are not passed; whoever goes on all the same says why (`override`)."""

    def __init__(self, gates: "Sequence[OpenGate]") -> None:
        text = " ".join([self.__doc__ or "", *(gate.sentence for gate in gates)])
        super().__init__(text, place="gate")


class OpenGate(NamedTuple):
    """A gate that is neither passed nor waived."""

    plan: str
    name: str
    state: str
    says: str

    @property
    def sentence(self) -> str:
        return f"Gate {self.name} of plan {self.plan} is {self.state}: {self.says}"


def side_of(mode: Mode) -> Side | None:
    """Which gates stand before the next move from a mode; a shadow harms nobody and needs none."""
    return {"shadow": "entry", "canary": "entry", "live": "exit"}.get(mode)  # pyright: ignore


async def open_gates(
    where: Database | Transaction, capability: str, side: Side | None
) -> list[OpenGate]:
    """Those of every inventory that knows this capability; none where no plan does."""
    found: list[OpenGate] = []
    for inventory in await inventories.list_all(where) if side else ():
        for each in await inventories.capabilities(where, inventory.name):
            if each.name != capability:
                continue
            newest = await plans.newest(where, inventory.name)
            inputs = newest.inputs if newest else Inputs(starts=clock.today())
            if why := left_out(each, inputs):
                found.append(OpenGate(inventory.name, "plan", "open", f"It is left out. {why}"))
                continue
            said = await plans.gates(where, inventory.name)
            for gate in step_of(each, inputs, said).gates:
                if gate.side == side and (stands := await _open(where, inventory.name, each, gate)):
                    found.append(stands)
    return found


async def _open(
    where: Database | Transaction, plan: str, each: Capability, gate: Gate
) -> OpenGate | None:
    """A gate that is open; one that counts rows opens again when they agree no more."""
    if gate.state == "waived":
        return None
    if gate.state != "passed":
        return OpenGate(plan, gate.name, gate.state, gate.says)
    if gate.name == counting.BACKFILL:
        against = await counting.no_longer(where, plan, each.tables, gate.evidence)
        return OpenGate(plan, gate.name, "no longer passed", against) if against else None
    return None


async def ask_gates(
    tx: Transaction, capability: str, side: Side | None, why: tuple[str, str], override: str
) -> None:
    """Raises GatesOpen, unless somebody says why it goes on: that is kept with the gates' names."""
    gates = await open_gates(tx, capability, side)
    if not gates:
        return
    if not override.strip():
        raise GatesOpen(gates)
    value = {"gates": [f"{gate.plan}/{gate.name}" for gate in gates]}
    await decide(tx, why[0], "override", capability, value, override.strip()[:REASON_MAX])
