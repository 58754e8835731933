"""Search parameters of a type compiled into one tree, so that one walk serves them all."""

from dataclasses import dataclass, field
from typing import Any

from polyclinic.standards.fhir.definitions import (
    Element,
    SearchParameter,
    choice_key,
    is_structure,
    structure,
)
from polyclinic.standards.fhir.paths import (
    Child,
    OfType,
    Path,
    Step,
    Unsupported,
    WhereEqual,
    WhereTarget,
    parse,
)
from polyclinic.standards.fhir.search_values.readers import Read, points_at, reader
from polyclinic.standards.fhir.search_values.values import SearchValue


@dataclass(slots=True)
class Node:
    """What to read in an element, and which of its properties to walk on to."""

    reads: list[Read] = field(default_factory=list)
    edges: dict[str, "Node"] = field(default_factory=dict)
    # (property, its text, what to do with the same element when it has it)
    filters: dict[tuple[str, str], "Node"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """A node of the tree, with the static type of the elements that come there."""

    node: Node
    type: str
    binding: str | None = None


def walk(node: Node, value: Any, out: list[SearchValue]) -> None:
    for read in node.reads:
        read(value, out)
    for key, child in node.edges.items():
        inner = value.get(key)
        if type(inner) is list:
            for one in inner:
                if one is not None:  # a primitive that has only extensions
                    walk(child, one, out)
        elif inner is not None:
            walk(child, inner, out)
    if node.filters:
        _walk_filtered(node, value, out)


def _walk_filtered(node: Node, value: Any, out: list[SearchValue]) -> None:
    for (key, text), child in node.filters.items():
        if value.get(key) == text:
            walk(child, value, out)


def add_parameter(tree: Node, type_name: str, parameter: SearchParameter) -> tuple[str, ...]:
    """The types of element it leads to that such a parameter sees nothing in.

    Unsupported when its expression, or all that it leads to, cannot be read.
    """
    places = [
        place
        for path in parse(parameter.expression)
        for place in _add_path(tree, type_name, path[1:], parameter)
    ]
    unread = tuple(place.type for place, is_read in places if not is_read)
    if len(unread) == len(places):
        raise Unsupported(parameter.expression)
    return unread


def _add_path(
    tree: Node, type_name: str, path: Path, parameter: SearchParameter
) -> list[tuple[Place, bool]]:
    """Each place it leads to, and whether a parameter of that kind sees something there."""
    target: str | None = None
    for step in path:
        if isinstance(step, WhereTarget):
            target = step.type
    places = places_of(tree, type_name, path)
    return [(place, _add_reader(place, target, parameter)) for place in places]


def places_of(tree: Node, type_name: str, path: Path) -> list[Place]:
    """Where a path leads from elements of a type; the way there is added to the tree."""
    places = [Place(tree, type_name)]
    for index, step in enumerate(path):
        # A type is taken together with the child before it, a target with what is read in the end.
        if not isinstance(step, OfType | WhereTarget):
            narrowed = _next_type(path, index)
            places = [to for place in places for to in _step(place, step, narrowed)]
    return places


def add_read(place: Place, read: Read) -> None:
    place.node.reads.append(read)


def _add_reader(place: Place, target: str | None, parameter: SearchParameter) -> bool:
    read = reader(parameter.type, place.type, parameter.code, place.binding)
    if read is not None:
        add_read(place, points_at(target, read) if target else read)
    return read is not None


def _next_type(path: Path, index: int) -> str | None:
    following = path[index + 1] if index + 1 < len(path) else None
    return following.type if isinstance(following, OfType) else None


def _step(place: Place, step: Step, narrowed: str | None) -> list[Place]:
    if isinstance(step, WhereEqual):
        node = place.node.filters.setdefault((step.name, step.text), Node())
        return [Place(node, place.type)]
    assert isinstance(step, Child)
    if not is_structure(place.type):
        raise Unsupported(f"{step.name} of {place.type}")
    elements = structure(place.type)
    if step.name in elements:
        options = [(step.name, type_) for type_ in elements[step.name].types]
        element = elements[step.name]
    else:
        element = elements.get(f"{step.name}[x]", Element(()))
        options = [(choice_key(step.name, type_), type_) for type_ in element.types]
    places = [
        Place(place.node.edges.setdefault(key, Node()), type_, element.binding)
        for key, type_ in options
        if narrowed in (None, type_)
    ]
    if not places:
        raise Unsupported(f"{step.name} of {place.type}")
    return places
