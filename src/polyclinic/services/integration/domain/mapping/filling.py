"""Fills a resource by a table: rule after rule, each leaving a step in the trace."""

from dataclasses import dataclass, field
from typing import Any

from polyclinic.services.integration.domain.mapping import keys
from polyclinic.services.integration.domain.mapping.kinds import convert
from polyclinic.services.integration.domain.mapping.reading import Scope
from polyclinic.services.integration.domain.mapping.tables import Rule, Table
from polyclinic.services.integration.domain.mapping.targets import Targets, copied

_VISIT = {"reference": "#Encounter"}  # `@Encounter` in a table


@dataclass(slots=True)
class Filled:
    """A resource being made, what only a new one gets, and what the sender deleted."""

    targets: Targets = field(default_factory=Targets)
    defaults: Targets = field(default_factory=Targets)
    clears: dict[str, None] = field(default_factory=dict[str, None])

    @property
    def resource(self) -> dict[str, Any]:
        return self.targets.resource


def fill(filled: Filled, table: Table, scope: Scope, kind: str) -> None:
    """Applies a table to the scope's segment."""
    for rule in table.rules:
        into = filled.defaults if rule.if_new else filled.targets
        if rule.if_absent and into.has(rule.target):
            continue
        if rule.when is not None and not rule.when.holds(scope.text):
            continue
        if rule.sources:
            _read(filled, table, rule, scope, kind)
        elif (value := _constant(rule.value, scope)) is not None:
            into.set(rule.target, value)


def _constant(value: Any, scope: Scope) -> Any:
    """As the table says it; the visit is the one that the message names, or none."""
    if value != _VISIT:
        return copied(value)
    key = keys.first(keys.VISIT, scope)
    return {"reference": f"#Encounter/{key}"} if key else None


def _read(filled: Filled, table: Table, rule: Rule, scope: Scope, kind: str) -> None:
    nodes = scope.all_nodes(rule.sources)
    into = filled.defaults if rule.if_new else filled.targets
    reading = scope.reading
    if nodes and all(node.is_null for node in nodes):
        if rule.target and not rule.if_new:
            filled.clears[_cleared(rule, table)] = None
        reading.step(f"{table.name}: {rule.text}", nodes[0].place, f"{kind}.{rule.path} deleted")
        return
    if len(nodes) > 1 and not rule.repeats:
        reading.note(nodes[1].place, "Only the first repetition is kept here.", "information")
        nodes = nodes[:1]
    for node in nodes:
        value = convert(rule.kind, node, rule.map, scope)
        if value is None or value == {}:
            continue
        if rule.target:
            into.set(rule.target, value)
        else:
            into.resource.update(value)
        reading.step(f"{table.name}: {rule.text}", node.place, f"{kind}.{rule.path}")


def _cleared(rule: Rule, table: Table) -> str:
    """An element, or of the extensions the one that the rule fills: `extension(url)`."""
    first = rule.target[0]
    if first.element != "extension":
        return first.element
    for each in table.rules:
        is_url = len(each.target) == 2 and each.target[1].element == "url"
        if is_url and each.target[0] == first:
            return f"extension({each.value})"
    return first.element
