"""Keys of documents: the sender's own numbers, so that every message means the same thing."""

from collections.abc import Iterable

from polyclinic.services.integration.domain.mapping import parties
from polyclinic.services.integration.domain.mapping.nodes import Node
from polyclinic.services.integration.domain.mapping.reading import Scope

VISIT = (("number:PV1-19",), ("number:PV1-50",))
ORDER = (
    ("entity:ORC-2",), ("entity:OBR-2",), ("entity:ORC-3",), ("entity:OBR-3",),
)  # fmt: skip
PLACER = (("entity:ORC-2",), ("entity:OBR-2",))
DIAGNOSIS = (("entity:DG1-20",), ("visit", "dg1", "digest:DG1-3", "text:DG1-6"),
             ("person", "dg1", "digest:DG1-3"), ("person", "dg1", "digest:DG1-4"))  # fmt: skip


def first(ways: Iterable[tuple[str, ...]], scope: Scope) -> str | None:
    """By the first way of which every part is there."""
    for way in ways:
        parts = [part(each, scope) for each in way]
        if all(parts):
            return "|".join(each for each in parts if each)
    return None


def part(said: str, scope: Scope) -> str | None:
    """`number:PV1-19`, `entity:OBR-3`, `text:OBX-4`, `digest:NK1-2`, a name, or a plain word."""
    how, colon, path = said.partition(":")
    if colon:
        return next(filter(None, (_READS[how](node, scope) for node in scope.nodes(path))), None)
    if how == "person":
        return person(scope)
    if how == "visit":
        return first(VISIT, scope)
    return how


def person(scope: Scope) -> str | None:
    """The key of the first number in PID-3, PID-2 or PID-4 that can tell persons apart."""
    for path in ("PID-3", "PID-2", "PID-4"):
        for node in scope.nodes(path):
            if parties.is_number(node.get("1")):
                found = parties.identifier(node, "MR" if path == "PID-3" else "PT", scope.reading)
                if found is not None:
                    return parties.key_of(found)
    return None


def _number(node: Node, scope: Scope) -> str | None:
    if not parties.is_number(node.get("1")):
        return None
    found = parties.identifier(node, "VN", scope.reading)
    return parties.key_of(found) if found else None


def _entity(node: Node, scope: Scope) -> str | None:
    found = parties.entity(node, "", scope.reading)
    return parties.key_of(found) if found else None


def _text(node: Node, _: Scope) -> str | None:
    return node.text


def _digest(node: Node, _: Scope) -> str | None:
    """Of all that stands there, in small letters: a name may not be read out of a key."""
    texts = [(leaf or "").strip().lower() for component in node.leaves for leaf in component]
    return parties.digest(*texts) if any(texts) else None


_READS = {"number": _number, "entity": _entity, "text": _text, "digest": _digest}
