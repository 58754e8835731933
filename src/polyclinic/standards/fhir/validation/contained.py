"""Contained resources: dom-2 to dom-5 and ref-1 of R4, read within one container."""

from collections.abc import Iterator
from typing import Any

from polyclinic.standards.fhir.validation.findings import Findings, Where

Inward = list[tuple[str, Where]]


def check_contained(
    resource: dict[str, Any], inward: Inward, where: Where, found: Findings
) -> None:
    """`inward` are the references "#id" met in the resource and in what it contains."""
    stated = resource.get("contained")
    contained = stated if type(stated) is list else []
    ids: set[str] = set()
    for index, one in enumerate(contained):
        if type(one) is dict:
            _check_one(one, ids, (where, "contained", index), found)
    for name, place in inward:
        if name and name not in ids:
            found.add("invariant", place, "ref-1: No contained resource has that id.")
    if ids:
        _check_all_referenced(resource, contained, where, found)


def _check_one(one: dict[str, Any], ids: set[str], where: Where, found: Findings) -> None:
    name = one.get("id")
    if type(name) is not str:
        found.add("required", (where, "id", None), "A contained resource has an id.")
    elif name in ids:
        found.add("invariant", (where, "id", None), "Another contained resource has that id.")
    else:
        ids.add(name)
    if "contained" in one:
        text = "dom-2: A contained resource contains no others."
        found.add("invariant", (where, "contained", None), text)
    meta = one.get("meta")
    if type(meta) is dict:
        for key, rule in (("versionId", "dom-4"), ("lastUpdated", "dom-4"), ("security", "dom-5")):
            if key in meta:
                text = f"{rule}: A contained resource has no {key}."
                found.add("invariant", ((where, "meta", None), key, None), text)


def _check_all_referenced(
    resource: dict[str, Any], contained: list[Any], where: Where, found: Findings
) -> None:
    used = set(_inward_texts(resource))
    for index, one in enumerate(contained):
        name = one.get("id") if type(one) is dict else None
        # One that points at its container belongs to it without being pointed at.
        if type(name) is str and f"#{name}" not in used and "#" not in set(_inward_texts(one)):
            text = "dom-3: A contained resource is referenced from its container."
            found.add("invariant", (where, "contained", index), text)


def _inward_texts(value: Any) -> Iterator[str]:
    """Also of uris and canonicals, which may point inwards as references do."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if type(one) is str:
            if one.startswith("#"):
                yield one
        elif type(one) is dict:
            waiting.extend(one.values())
        elif type(one) is list:
            waiting.extend(one)
