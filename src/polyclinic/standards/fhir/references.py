"""Walks and rewrites the references of a resource."""

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
    for holder, key, value, trail in _texts(resource):
        if key == "reference" and holder.keys() <= _OF_REFERENCE:
            yield holder, key, value, _written(str(resource.get("resourceType")), trail)


def rewrite_references(resource: dict[str, Any], mapping: Mapping[str, str]) -> None:
    """Replaces, in place, each reference that the mapping names (`urn:uuid:…`, `Type?criteria`),
    and each uri, url, oid, uuid or canonical that equals a `urn:` of it.

    Texts that only look like one stay, such as an Identifier.value; narrative is not looked at.
    """
    for holder, key, value, trail in _texts(resource):
        if value in mapping and (key == "reference" or _is_address(resource, trail, value)):
            if trail[2] is not None:
                holder[key][trail[2]] = mapping[value]
            else:
                holder[key] = mapping[value]


def _texts(resource: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, str, Trail]]:
    """Each text with the object and property that hold it, without recursion: depth is free."""
    waiting: list[tuple[dict[str, Any], Trail | None]] = [(resource, None)]
    while waiting:
        holder, above = waiting.pop()
        below: list[tuple[dict[str, Any], Trail | None]] = []
        for key, value in holder.items():
            for one, trail in _entries(value, key, above):
                if type(one) is str:
                    yield holder, key, one, trail
                elif type(one) is dict:
                    below.append((one, trail))
        waiting.extend(reversed(below))


def _entries(value: Any, key: str, above: Trail | None) -> list[tuple[Any, Trail]]:
    if type(value) is list:
        return [(one, (above, key, index)) for index, one in enumerate(value)]
    return [(value, (above, key, None))]


def _is_address(resource: dict[str, Any], trail: Trail, value: str) -> bool:
    """By the definition of the element, which is worked out only for a text that could be one."""
    if not value.startswith("urn:"):
        return False
    type_name: str | None = str(resource.get("resourceType"))
    holder: Any = resource
    for key, index in _steps(trail):
        type_name = property_type(type_name, key) if type_name else None
        holder = holder[key] if index is None else holder[key][index]
        if type_name == "Resource":
            type_name = holder.get("resourceType")
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
