"""From one system's shape to the other's: what a shape does not say is not there.

A shape is JSON. A text that begins with `$.` stands for what is found at that path of the document
(`$.name.0.family`), `$path.patient` for a variable of the route's address; other values stand for
themselves. An object with `$of` reads a path and may say

    {"$of": "$.entry", "$each": {…}}            the shape for every item; inside, `$.` is the item
    {"$of": "$.gender", "$map": {"F": "female"}, "$else": "unknown"}
    {"$of": "$.id", "$after": "Patient/"}       without what it begins with
    {"$of": "$.patient", "$before": "Patient/"} with something before it
    {"$of": "$.identifier", "$where": {"system": "urn:old"}, "$take": "value"}
                                                the first item that is so, and a path in it

What is not there is left out, with the objects and lists that are empty for it.
"""

from collections.abc import Mapping
from typing import Any


def shaped(shape: Any, document: Any, names: Mapping[str, str]) -> Any:
    """The document in the other shape."""
    if isinstance(shape, str):
        return _text(shape, document, names)
    if isinstance(shape, list):
        return _kept([shaped(inner, document, names) for inner in shape])
    if isinstance(shape, dict):
        if "$of" in shape:
            return _step(shape, document, names)
        pairs = {key: shaped(inner, document, names) for key, inner in shape.items()}
        return {key: value for key, value in pairs.items() if value is not None} or None
    return shape


def _text(shape: str, document: Any, names: Mapping[str, str]) -> Any:
    if shape.startswith("$path."):
        return names.get(shape.removeprefix("$path."))
    return at(document, shape[2:]) if shape.startswith("$.") else shape


def at(value: Any, path: str) -> Any:
    """What is found along a path of names and numbers; None where it leads nowhere."""
    for name in filter(None, path.split(".")):
        if isinstance(value, list):
            value = value[int(name)] if name.isdecimal() and int(name) < len(value) else None
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return value


def _step(shape: dict[str, Any], document: Any, names: Mapping[str, str]) -> Any:
    value = shaped(shape["$of"], document, names)
    if "$where" in shape:
        value = next((each for each in _list(value) if _is_so(each, shape["$where"])), None)
    if "$take" in shape:
        value = at(value, shape["$take"])
    if "$each" in shape:
        return _kept([shaped(shape["$each"], each, names) for each in _list(value)])
    if "$map" in shape:
        value = shape["$map"].get(str(value), shape.get("$else"))
    if value is None:
        return shape.get("$else")
    return _trimmed(shape, value)


def _trimmed(shape: dict[str, Any], value: Any) -> Any:
    if "$after" in shape:
        value = str(value).removeprefix(shape["$after"])
    return f"{shape['$before']}{value}" if "$before" in shape else value


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _is_so(item: Any, wanted: Mapping[str, Any]) -> bool:
    return all(at(item, path) == value for path, value in wanted.items())


def _kept(values: list[Any]) -> list[Any]:
    return [value for value in values if value is not None]
