"""Why a piece of X12 is not taken: the segment, its element, its place, a code and a sentence."""

from dataclasses import dataclass
from typing import NamedTuple


class Position(NamedTuple):
    """Where a segment stands: its number (the first is 1) and the offset of its first byte."""

    segment: int
    offset: int


NOWHERE = Position(0, 0)  # of a segment that was not read from a file


@dataclass(unsafe_hash=True)
class Refused(Exception):
    """One fault.

    `element` is the X12 number of the element, 0 when the segment as a whole is meant. `code`
    names the acknowledgment's element and its value, so that TA1 and 999 follow from it:
    `TA105-021`, `AK905-5`, `IK502-4`, `IK304-3`, `IK403-7`; `BAL-…` are sums that do not agree,
    `PAYEE` is a payment to somebody else, `CURRENCY` one in other money, `SIZE` a file too large
    to be looked at.
    `text` never carries a value of the file but counts and amounts: it may be shown and logged.
    """

    segment: str
    element: int
    position: Position
    code: str
    text: str
    claim_id: str = ""

    def __str__(self) -> str:
        place = f"{self.segment}{self.element:02d}" if self.element else self.segment
        if self.position == NOWHERE:
            return f"{place}: {self.text} ({self.code})"
        number, offset = self.position
        return f"Segment {number} at byte {offset}, {place}: {self.text} ({self.code})"
