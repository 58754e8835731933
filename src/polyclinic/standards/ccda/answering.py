"""Converts documents for another process, which asks and is answered in JSON."""

from collections.abc import Callable

import msgspec

from polyclinic.standards.ccda.converting import Converted, convert
from polyclinic.standards.ccda.reading import NotCcda


class Refused(msgspec.Struct, frozen=True, tag=True):
    """It is no document: why, and where that shows."""

    text: str
    place: str


class Made(msgspec.Struct, frozen=True, tag=True):
    """What became of it."""

    converted: Converted


Answer = Made | Refused


def answering() -> Callable[[bytes], bytes]:
    return answer


def answer(raw: bytes) -> bytes:
    """An Answer as JSON."""
    try:
        return msgspec.json.encode(Made(convert(raw)))
    except NotCcda as refused:
        return msgspec.json.encode(Refused(refused.text, refused.place))
