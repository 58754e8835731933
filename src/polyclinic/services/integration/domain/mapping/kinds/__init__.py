"""The data types that rules name: what a value of a message is as a value of FHIR."""

from typing import Any

from polyclinic.services.integration.domain.mapping import primitives, tables
from polyclinic.services.integration.domain.mapping.kinds import (
    appointments,
    basic,
    charges,
    clinical,
    people,
    results,
)
from polyclinic.services.integration.domain.mapping.nodes import Node
from polyclinic.services.integration.domain.mapping.reading import Scope
from polyclinic.services.integration.domain.mapping.targets import Targets, copied

KINDS = {
    **basic.KINDS,
    **people.KINDS,
    **clinical.KINDS,
    **results.KINDS,
    **appointments.KINDS,
    **charges.KINDS,
}
_SAYS_NOTHING_ALONE = frozenset({"use", "type", "system", "period"})


def convert(kind: str, node: Node, name: str, scope: Scope) -> Any:
    """A value as a FHIR data type; none where nothing usable stands there.

    `name` is what the rule says in brackets: a concept map, a kind of identifier, a role.
    """
    if node.is_empty:
        return None
    if kind == "code" and name:
        return primitives.code_of_map(node, name, scope.reading)
    if plain := primitives.PLAIN.get(kind):
        return plain(node, scope.reading)
    if known := KINDS.get(kind):
        return known(node, name, scope)
    value = composed(kind, node, scope)
    if value is not None and name:
        value.setdefault("use", name)
    return value


def composed(kind: str, node: Node, scope: Scope) -> dict[str, Any] | None:
    """A data type that a table describes, such as HumanName; its source 0 is the whole value."""
    made = Targets()
    for rule in tables.tables()[kind].rules:
        if rule.if_absent and made.has(rule.target):
            continue
        if rule.when is not None and not rule.when.holds(node.get):
            continue
        if not rule.sources:
            made.set(rule.target, copied(rule.value))
            continue
        for source in rule.sources:
            part = node if source == "0" else node.node(source)
            value = convert(rule.kind, part, rule.map, scope)
            if value is not None:
                made.set(rule.target, value)
                break
    return made.resource if made.resource.keys() - _SAYS_NOTHING_ALONE else None
