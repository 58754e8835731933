"""What others answer: JSON that is read or named unreadable, refusals as the few kinds we have."""

from typing import Any, TypeVar

import msgspec

from polyclinic.foundation.errors import (
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Problem,
    Unauthenticated,
    Unavailable,
)

T = TypeVar("T")
_KINDS: dict[int, type[Problem]] = {
    400: Invalid,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    410: Gone,
    422: Invalid,
}


def decoded(content: bytes, name: str) -> dict[str, Any]:
    return decoded_as(content, dict[str, Any], name)


def decoded_as(content: bytes, kind: type[T], name: str) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        raise Unavailable(f"The {name} service gave an unreadable answer.", place=name) from broken


def refusal(status: int, name: str) -> Problem:
    kind = _KINDS.get(status)
    if kind is None:
        return Unavailable(f"The {name} service does not answer.", place=name)
    return kind(place=name)
