"""The one builder of composed SQL: literal pieces and numbered values, never text from a caller."""

from collections.abc import Sequence
from typing import LiteralString

from polyclinic.foundation.errors import TooCostly

_NUMBERS: tuple[LiteralString, ...] = (
    "$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8", "$9", "$10", "$11", "$12", "$13", "$14", "$15",
    "$16", "$17", "$18", "$19", "$20", "$21", "$22", "$23", "$24", "$25", "$26", "$27", "$28",
    "$29", "$30", "$31", "$32", "$33", "$34", "$35", "$36", "$37", "$38", "$39", "$40", "$41",
    "$42", "$43", "$44", "$45", "$46", "$47", "$48", "$49", "$50", "$51", "$52", "$53", "$54",
    "$55", "$56", "$57", "$58", "$59", "$60", "$61", "$62", "$63", "$64",
)  # fmt: skip


class Statement:
    """Collects values; `bind` answers the place of a value in the text."""

    def __init__(self, values: tuple[object, ...] = ()) -> None:
        self.values: list[object] = list(values)

    def bind(self, value: object) -> LiteralString:
        if len(self.values) == len(_NUMBERS):
            raise TooCostly("The search has too many conditions.")
        self.values.append(value)
        return _NUMBERS[len(self.values) - 1]


def both(conditions: Sequence[LiteralString]) -> LiteralString:
    return " AND ".join(conditions) if conditions else "true"


def either(conditions: Sequence[LiteralString]) -> LiteralString:
    return "(" + " OR ".join(conditions) + ")"
