"""What of a message nobody read: the valued fields that no rule asked for."""

from polyclinic.services.integration.domain.mapping import tables
from polyclinic.services.integration.domain.mapping.reading import Reading
from polyclinic.standards.hl7v2 import Segment

UNUSED_MAX = 500


def unused_of(reading: Reading) -> tuple[str, ...]:
    """Paths of fields, without what only holds a message together (`unread.yaml`)."""
    found: dict[str, None] = {}
    silent = tables.unread()
    for segment in reading.message.segments():
        for number in _valued(segment):
            name = f"{segment.name}-{number}"
            if (segment.index, number) in reading.used or name in silent:
                continue
            if segment.name in silent:
                continue
            found[_path(segment, number)] = None
            if len(found) >= UNUSED_MAX:
                return tuple(found)
    return tuple(found)


def _valued(segment: Segment) -> list[int]:
    return [number for number in range(1, len(segment) + 1) if segment.field(number)]


def _path(segment: Segment, number: int) -> str:
    return f"{segment.name}-{number}" if segment.number < 2 else (
        f"{segment.name}[{segment.number}]-{number}"
    )  # fmt: skip
