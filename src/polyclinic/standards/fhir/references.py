"""Walks and rewrites the references of a resource."""

from collections.abc import Iterator, Mapping
from typing import Any


def references(resource: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, str, str]]:
    """Each `Reference.reference` as (holder, key, value, place)."""
    yield from _below(resource, str(resource.get("resourceType", "")))


def rewrite_references(resource: dict[str, Any], mapping: Mapping[str, str]) -> None:
    """Replaces, in place, each reference, uri, url or canonical that the mapping names."""
    for holder, key, value, _ in list(references(resource)):
        if value in mapping:
            holder[key] = mapping[value]


def _below(value: Any, place: str) -> Iterator[tuple[dict[str, Any], str, str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "reference" and isinstance(inner, str):
                yield value, key, inner, f"{place}.{key}"
            else:
                yield from _below(inner, f"{place}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _below(inner, f"{place}[{index}]")
