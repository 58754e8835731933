"""Walks and rewrites the references of a resource."""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from polyclinic.standards.fhir.definitions import property_type

# (the trail above, the property, its index in an array)
Trail = tuple[Optional["Trail"], str, int | None]
# Expression, DetectedIssue and Immunization.education have a uri of that name.
_OF_REFERENCE = frozenset(
    {
        "id",
        "extension",
        "reference",
        "_reference",
        "type",
        "_type",
        "identifier",
        "display",
        "_display",
    }
)
_ADDRESSES = frozenset({"uri", "url", "canonical", "oid", "uuid"})


def references(resource: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, str, str]]:
    """Each `Reference.reference` as (holder, key, value, place).

    Contained resources are part of it. The holder may be changed while walking.
    """
    for holder, above in _objects(resource):
        value = holder.get("reference")
        if type(value) is str and holder.keys() <= _OF_REFERENCE:
            trail = (above, "reference", None)
            yield holder, "reference", value, _written(str(resource.get("resourceType")), trail)


def rewrite_references(resource: dict[str, Any], mapping: Mapping[str, str]) -> None:
    """Replaces, in place, each reference that the mapping names (`urn:uuid:…`, `Type?criteria`),
    and each uri, url, oid, uuid or canonical that equals a `urn:` of it.

    Texts that only look like one stay, such as an Identifier.value; narrative is not looked at.
    """
    for holder, above in _objects(resource):
        for key, value in holder.items():
            if type(value) is str:
                if value in mapping and _is_address(resource, (above, key, None), value):
                    holder[key] = mapping[value]
            elif type(value) is list:
                for index, one in enumerate(value):
                    named = type(one) is str and one in mapping
                    if named and _is_address(resource, (above, key, index), one):
                        value[index] = mapping[one]


def _objects(resource: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Trail | None]]:
    """Each JSON object with the way to it, without recursion: depth is free."""
    waiting: deque[tuple[dict[str, Any], Trail | None]] = deque([(resource, None)])
    while waiting:
        holder, above = waiting.popleft()
        yield holder, above
        for key, value in holder.items():
            if type(value) is dict:
                waiting.append((value, (above, key, None)))
            elif type(value) is list:
                waiting.extend(
                    [(o, (above, key, i)) for i, o in enumerate(value) if type(o) is dict]
                )


def _is_address(resource: dict[str, Any], trail: Trail, value: str) -> bool:
    """By the definition of the element, which is worked out only for a text that could be one."""
    if trail[1] == "reference" or not value.startswith("urn:"):
        return trail[1] == "reference"
    type_name: str | None = str(resource.get("resourceType"))
    holder: Any = resource
    for key, index in _steps(trail):
        type_name = property_type(type_name, key) if type_name else None
        holder = holder[key] if index is None else holder[key][index]
        if type_name == "Resource":
            type_name = str(holder.get("resourceType")) if type(holder) is dict else None
    return type_name in _ADDRESSES


def _steps(trail: Trail | None) -> list[tuple[str, int | None]]:
    steps: list[tuple[str, int | None]] = []
    while trail is not None:
        above, key, index = trail
        steps.append((key, index))
        trail = above
    return steps[::-1]


def _written(type_name: str, trail: Trail) -> str:
    names = [key if index is None else f"{key}[{index}]" for key, index in _steps(trail)]
    return ".".join([type_name, *names])
