"""Bytes are segments and back, without loss: the separators come from the ISA segment itself."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from polyclinic.standards.x12.refused import NOWHERE, Position, Refused

ISA_LENGTH = 106  # the only segment of fixed length: byte 3, 104 and 105 say the separators
FILE_BYTES_MAX = 32 << 20  # the limit of a body at our HTTP doors
ELEMENT_LENGTH_MAX = 4096  # the longest that we read is an MSG01 of 264; repetitions multiply it
ELEMENTS_MAX = 40  # the longest segment of 5010 (the CAS, the HI, the MIA) has at most 24

_ELEMENT_ENDS = (3, 6, 17, 20, 31, 34, 50, 53, 69, 76, 81, 83, 89, 99, 101, 103)
_TAG = re.compile(r"[A-Z][A-Z0-9]{1,2}").fullmatch
_GAP = re.compile(r"[\r\n\t ]*")
# A separator may be any ASCII mark that no number, word or date is made of.
_NEVER_A_SEPARATOR = re.compile(r"[A-Za-z0-9 .\-\x00\x7f-\xff]").fullmatch
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Separators:
    """The marks of one interchange; `repetition` is empty where ISA11 is the old `U`."""

    element: str = "*"
    repetition: str = "^"
    component: str = ":"
    terminator: str = "~"


STANDARD = Separators()  # what we write; none of the four is ever carried in a text of ours


@dataclass(frozen=True, slots=True)
class Segment:
    """A tag and its elements as they stand in the file, in Latin-1: one character is one byte.

    `line_end` is the white space behind the terminator.
    """

    tag: str
    elements: tuple[str, ...]
    position: Position = field(default=NOWHERE, compare=False)
    line_end: str = ""

    def __getitem__(self, number: int) -> str:
        """The element of that X12 number (1 is the first); empty when the segment ends before."""
        return self.elements[number - 1] if 0 < number <= len(self.elements) else ""

    def refused(self, element: int, code: str, text: str, claim_id: str = "") -> Refused:
        return Refused(self.tag, element, self.position, code, text, claim_id)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The segments of one interchange, and what is wrong with single ones of them."""

    separators: Separators
    segments: tuple[Segment, ...]
    faults: tuple[Refused, ...] = ()


def tokenize(data: bytes) -> tuple[Tokens, ...]:
    """One for each ISA segment. Refused when there is none or it cannot be read."""
    if len(data) > FILE_BYTES_MAX:
        text = f"The file is longer than {FILE_BYTES_MAX >> 20} MB."
        raise Refused("ISA", 0, Position(1, 0), "SIZE", text)
    text, offset, number = data.decode("latin-1"), 0, 1
    found: list[Tokens] = []
    while not found or offset < len(text):
        separators = _separators(text, Position(number, offset))
        tokens, offset = _interchange(text, Position(number, offset), separators)
        number += len(tokens.segments)
        found.append(tokens)
    return tuple(found)


def render(segments: Iterable[Segment], separators: Separators) -> bytes:
    """The bytes of the segments. Refused when an element holds what would end it."""
    return "".join(_rendered(segments, separators)).encode("latin-1")


def _rendered(segments: Iterable[Segment], separators: Separators) -> Iterator[str]:
    for segment in segments:
        body = separators.element.join((segment.tag, *segment.elements))
        if (
            separators.terminator in body
            or body.count(separators.element) != len(segment.elements)
            or not body.isascii()
        ):
            _check_each(segment, separators)
        yield f"{body}{separators.terminator}{segment.line_end}"


def _check_each(segment: Segment, separators: Separators) -> None:
    for number, value in enumerate(segment.elements, 1):
        if separators.element in value or separators.terminator in value:
            raise segment.refused(number, "IK403-6", "A value holds a separator.")
        if not value.isascii() and any(ord(mark) > 0xFF for mark in value):
            raise segment.refused(number, "IK403-6", "A value holds a character beyond Latin-1.")


def _separators(text: str, start: Position) -> Separators:
    isa = text[start.offset : start.offset + ISA_LENGTH]
    if not isa.startswith("ISA"):
        raise Refused("ISA", 0, start, "TA105-022", "No ISA segment stands here.")
    if len(isa) < ISA_LENGTH:
        raise Refused("ISA", 0, start, "TA105-023", "The file ends inside the ISA segment.")
    mark, repetition, component, terminator = isa[3], isa[82], isa[104], isa[105]
    ends = tuple(place for place in range(ISA_LENGTH - 1) if isa[place] == mark)
    if _NEVER_A_SEPARATOR(mark) or mark in "\r\n" or ends != _ELEMENT_ENDS:
        text = "The element separator does not stand where the ISA segment has it."
        raise Refused("ISA", 0, start, "TA105-026", text)
    if _NEVER_A_SEPARATOR(component) or component in f"\r\n{mark}":
        text = "The component separator cannot be one."
        raise Refused("ISA", 16, start, "TA105-027", text)
    if _NEVER_A_SEPARATOR(terminator) or terminator in isa[: ISA_LENGTH - 1]:
        raise Refused("ISA", 16, start, "TA105-004", "The segment terminator cannot be one.")
    if repetition == "U":
        return Separators(mark, "", component, terminator)
    if _NEVER_A_SEPARATOR(repetition) or repetition in f"\r\n{mark}{component}{terminator}":
        text = "The repetition separator cannot be one."
        raise Refused("ISA", 11, start, "TA105-024", text)
    return Separators(mark, repetition, component, terminator)


def _interchange(text: str, start: Position, separators: Separators) -> tuple[Tokens, int]:
    """The segments up to IEA, to the next ISA, or to the end; and where they end."""
    number, offset = start
    segments: list[Segment] = []
    faults: list[Refused] = []
    allowed = frozenset((separators.repetition, separators.component))
    while offset < len(text):
        if segments and text.startswith("ISA" + separators.element, offset):
            break
        end = text.find(separators.terminator, offset)
        position = Position(number + len(segments), offset)
        if end < 0:
            fault = "The file ends inside a segment."
            faults.append(Refused(_tag_of(text, offset), 0, position, "TA105-023", fault))
            return Tokens(separators, tuple(segments), tuple(faults)), len(text)
        gap = _GAP.match(text, end + 1)
        after = gap.end() if gap else end + 1
        tag, *elements = text[offset:end].split(separators.element)
        segment = Segment(tag, tuple(elements), position, text[end + 1 : after])
        segments.append(segment)
        faults.extend(_faults(segment, allowed))
        offset = after
        if tag == "IEA":
            break
    return Tokens(separators, tuple(segments), tuple(faults)), offset


def _tag_of(text: str, offset: int) -> str:
    tag = text[offset : offset + 3].strip("*~:|^\r\n")
    return tag if _TAG(tag) else "?"


def _faults(segment: Segment, allowed: frozenset[str]) -> Iterator[Refused]:
    if not _TAG(segment.tag):
        text = "A segment begins with a tag of two or three capitals and digits."
        yield Refused("?", 0, segment.position, "IK304-1", text)
    if len(segment.elements) > ELEMENTS_MAX:
        yield segment.refused(ELEMENTS_MAX + 1, "IK403-3", "The segment has too many elements.")
    for number, value in enumerate(segment.elements, 1):
        if len(value) > ELEMENT_LENGTH_MAX:
            yield segment.refused(number, "IK403-5", "The element is absurdly long.")
        elif not value.isprintable() and _has_control(value, allowed):
            yield segment.refused(number, "IK403-6", "The element holds a control character.")


def _has_control(value: str, allowed: frozenset[str]) -> bool:
    return any(mark not in allowed for mark in _CONTROL.findall(value))
