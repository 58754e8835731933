"""Composite parameters: their parts, taken from the same element.

https://hl7.org/fhir/R4/search.html#composite
"""

from typing import Any, NamedTuple

from polyclinic.standards.fhir.definitions import Component, SearchParameter
from polyclinic.standards.fhir.paths import Path, Unsupported, parse
from polyclinic.standards.fhir.search_values.plans import (
    Node,
    add_read,
    places_of,
    walk,
)
from polyclinic.standards.fhir.search_values.readers import Read, reader
from polyclinic.standards.fhir.search_values.values import CompositeValue, SearchValue

_ROOT = "%resource."
# R4 prints these two expressions in each other's place: relatesto is the document, not the code.
_CORRECTED = {
    ("DocumentReference", "relationship"): {"relatesto": "target", "relation": "code"},
}


class _Part(NamedTuple):
    """How one component is read: from the element, or from the whole resource."""

    tree: Node
    from_root: bool


def add_composite(tree: Node, type_name: str, parameter: SearchParameter) -> None:
    """Reads a composite wherever its expression leads; Unsupported when a part cannot be read."""
    for path in parse(parameter.expression):
        for place in places_of(Node(), type_name, path[1:]):
            parts = tuple(_part(type_name, place.type, parameter, c) for c in parameter.components)
            tree.reads.append(_read(parameter.code, type_name, path, parts))


def _part(type_name: str, element: str, parameter: SearchParameter, part: Component) -> _Part:
    corrected = _CORRECTED.get((type_name, parameter.code), {})
    expression = corrected.get(part.code, part.expression)
    tree, is_read = Node(), False
    from_root = expression.startswith(_ROOT)
    start = type_name if from_root else element
    # The definitions write the type dateTime with a capital here.
    for path in parse(expression.removeprefix(_ROOT).replace("(DateTime)", "(dateTime)")):
        for place in places_of(tree, start, path):
            read = reader(part.type, place.type, part.code, place.binding)
            if read is not None:
                place.node.reads.append(read)
                is_read = True
    if not is_read:
        raise Unsupported(expression)
    return _Part(tree, from_root)


def _read(code: str, type_name: str, path: Path, parts: tuple[_Part, ...]) -> Read:
    elements = Node()
    for place in places_of(elements, type_name, path[1:]):
        add_read(place, _collect)

    def read(resource: dict[str, Any], out: list[SearchValue]) -> None:
        collected: list[Any] = []
        walk(elements, resource, collected)
        for element in collected:
            found = tuple(_values(part, resource, element) for part in parts)
            if all(found):
                out.append(CompositeValue(code, found))

    return read


def _collect(element: Any, out: list[Any]) -> None:
    out.append(element)


def _values(part: _Part, resource: dict[str, Any], element: Any) -> tuple[SearchValue, ...]:
    found: list[SearchValue] = []
    walk(part.tree, resource if part.from_root else element, found)
    return tuple(found)
