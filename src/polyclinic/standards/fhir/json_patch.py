"""JSON Patch (RFC 6902) on plain values: all operations are carried out, or none."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

OPERATIONS_MAX = 1000
VALUES_MAX = 100_000  # values that `copy` may add up to: it can double what is there each time
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*")


class BadPatch(ValueError):
    """The patch is not a JSON Patch; `place` names the operation."""

    def __init__(self, text: str, place: str) -> None:
        super().__init__(text)
        self.text, self.place = text, place


class NotApplied(BadPatch):
    """The patch is well formed but does not fit this document."""


class TestFailed(NotApplied):
    """A `test` operation found something else."""


def applied(document: Any, operations: list[Any]) -> Any:
    """The patched document; the given one stays as it is."""
    if len(operations) > OPERATIONS_MAX:
        raise BadPatch(f"A patch has at most {OPERATIONS_MAX} operations.", "patch")
    try:
        holder = _carried_out(document, operations)
    except RecursionError as deep:
        raise NotApplied("The patched document would be nested too deeply.", "patch") from deep
    if "" not in holder:
        raise NotApplied("Nothing is left of the document.", "patch")
    return holder[""]


def _carried_out(document: Any, operations: list[Any]) -> dict[str, Any]:
    room = _Room(VALUES_MAX)
    holder = {"": room.copied(document, "patch")}
    for number, operation in enumerate(operations):
        place = f"patch[{number}]"
        name = checked(operation, place)
        _DO[name](holder, operation, place, room)
    return holder


def checked(operation: Any, place: str) -> str:
    """The operation's name; BadPatch when a member is missing or has the wrong form."""
    if not isinstance(operation, dict):
        raise BadPatch("An operation is an object.", place)
    name = operation.get("op")
    if not isinstance(name, str) or name not in _DO:
        raise BadPatch(f"op is one of {', '.join(_DO)}.", f"{place}.op")
    for member in ("path", "from") if name in ("move", "copy") else ("path",):
        pointer = operation.get(member)
        if not isinstance(pointer, str) or not _POINTER.fullmatch(pointer):
            raise BadPatch(f"{member} is a JSON Pointer such as /name/0.", f"{place}.{member}")
    if name in ("add", "replace", "test") and "value" not in operation:
        raise BadPatch(f"{name} has a value.", f"{place}.value")
    return name


def pointers(operation: dict[str, Any]) -> list[list[str]]:
    """The addresses that an operation names, the one it takes from included."""
    named = [operation["path"]]
    if operation["op"] in ("move", "copy"):
        named.append(operation["from"])
    return [_steps(pointer)[1:] for pointer in named]


class _Room:
    """Counts values as they are copied, so that a small patch cannot make a huge document."""

    def __init__(self, most: int) -> None:
        self._left = most

    def copied(self, value: Any, place: str) -> Any:
        self._left -= 1
        if self._left < 0:
            raise NotApplied("The patched document would be too large.", place)
        if isinstance(value, dict):
            return {key: self.copied(one, place) for key, one in value.items()}
        if isinstance(value, list):
            return [self.copied(one, place) for one in value]
        return value


def _steps(pointer: str) -> list[str]:
    """The whole document stands under "" in a holder, so that it has a parent too."""
    return ["", *(p.replace("~1", "/").replace("~0", "~") for p in pointer.split("/")[1:])]


def _parent(holder: Any, pointer: str, place: str) -> tuple[Any, str]:
    steps = _steps(pointer)
    for step in steps[:-1]:
        holder = _get(holder, step, place)
    return holder, steps[-1]


def _get(parent: Any, key: str, place: str) -> Any:
    if isinstance(parent, dict) and key in parent:
        return parent[key]
    if isinstance(parent, list):
        return parent[_index(key, len(parent) - 1, place)]
    raise NotApplied("There is nothing at that address.", place)


def _index(key: str, last: int, place: str) -> int:
    if not _INDEX.fullmatch(key) or int(key) > last:
        raise NotApplied("The list has no such place.", place)
    return int(key)


def _put(holder: Any, pointer: str, value: Any, place: str) -> None:
    parent, key = _parent(holder, pointer, place)
    if isinstance(parent, dict):
        parent[key] = value
    elif isinstance(parent, list):
        at = len(parent) if key == "-" else _index(key, len(parent), place)
        parent.insert(at, value)
    else:
        raise NotApplied("Only objects and lists have members.", place)


def _take(holder: Any, pointer: str, place: str) -> Any:
    parent, key = _parent(holder, pointer, place)
    value = _get(parent, key, place)
    if isinstance(parent, list):
        del parent[int(key)]
    else:
        del parent[key]
    return value


def _add(holder: Any, operation: dict[str, Any], place: str, room: _Room) -> None:
    _put(holder, operation["path"], room.copied(operation["value"], place), place)


def _remove(holder: Any, operation: dict[str, Any], place: str, _: _Room) -> None:
    _take(holder, operation["path"], place)


def _replace(holder: Any, operation: dict[str, Any], place: str, room: _Room) -> None:
    parent, key = _parent(holder, operation["path"], place)
    _get(parent, key, place)
    parent[int(key) if isinstance(parent, list) else key] = room.copied(operation["value"], place)


def _move(holder: Any, operation: dict[str, Any], place: str, _: _Room) -> None:
    source, target = operation["from"], operation["path"]
    if target.startswith(source + "/"):
        raise NotApplied("Nothing can be moved into itself.", place)
    _put(holder, target, _take(holder, source, place), place)


def _copy(holder: Any, operation: dict[str, Any], place: str, room: _Room) -> None:
    parent, key = _parent(holder, operation["from"], place)
    _put(holder, operation["path"], room.copied(_get(parent, key, place), place), place)


def _test(holder: Any, operation: dict[str, Any], place: str, _: _Room) -> None:
    parent, key = _parent(holder, operation["path"], place)
    if not is_equal(_get(parent, key, place), operation["value"]):
        raise TestFailed("The value there is not the one that was tested for.", place)


def is_equal(one: Any, other: Any) -> bool:
    """RFC 6902, 4.6: numbers by their value, and no number is true or false."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_equal(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_equal, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | Decimal) and isinstance(other, int | Decimal):
        return one == other
    return type(one) is type(other) and one == other


_DO: dict[str, Callable[[Any, dict[str, Any], str, _Room], None]] = {
    "add": _add, "remove": _remove, "replace": _replace, "move": _move, "copy": _copy,
    "test": _test,
}  # fmt: skip
