"""Bytes are a message and back, without loss: `parse(x).write() == x`, whatever x is.

Reading is lazy: lines are split at once, fields when somebody asks, texts when they are read.
"""

import re
from collections.abc import Iterable, Iterator

from polyclinic.standards.hl7v2 import faults as say
from polyclinic.standards.hl7v2.charsets import chosen
from polyclinic.standards.hl7v2.delimiters import NEVER, delimiters_of
from polyclinic.standards.hl7v2.escapes import unknown_in
from polyclinic.standards.hl7v2.faults import Fault, Malformed
from polyclinic.standards.hl7v2.groups import Group, grouped, structure_of
from polyclinic.standards.hl7v2.paths import segment_and_spot
from polyclinic.standards.hl7v2.segment import Segment, Spelling

_NOISE = re.compile(r"(?:\xef\xbb\xbf|[\x0b\r\n\t ])*")  # BOM, VT and white space before MSH
HEAD_LENGTH_MAX = 8192  # of the part of MSH that says the marks and the character set
_SIXTEEN = (b"\xff\xfe", b"\xfe\xff", b"M\x00S\x00H", b"\x00M\x00S\x00H")
_NAME = re.compile(r"[A-Z][A-Z0-9]{2}").fullmatch
_ENDS = {"\r": re.compile(r"(\r\n?)"), "\n": re.compile(r"(\r\n?|\n)")}


def parse(raw: bytes, charset: str = "") -> "Message":
    """`charset` holds where MSH-18 is empty. Malformed only where there is no message at all."""
    if raw.startswith(_SIXTEEN):
        raise Malformed("MSH", "The message is in UTF-16, which no MSH-18 can announce.")
    plain = raw.decode("latin-1")
    found = _NOISE.match(plain)
    start = found.end() if found else 0
    if not plain.startswith("MSH", start):
        raise Malformed("MSH", "No MSH segment stands at the beginning.", say.SEQUENCE)
    spelling = spelling_at(plain[start : start + HEAD_LENGTH_MAX], charset)
    return Message(raw, spelling.charset.characters(raw), start, spelling)


def spelling_at(head: str, default: str) -> Spelling:
    """Of the text that begins with a head segment; only MSH names a character set."""
    marks = delimiters_of(head)
    fields = re.split(r"[\r\n]", head, maxsplit=1)[0].split(marks.field, 18)
    said = fields[17].split(marks.repetition) if len(fields) > 17 and head[0] == "M" else []
    return Spelling(marks, chosen(said, default))


class Message:
    """A message; made by `parse` or `new_message`."""

    def __init__(self, raw: bytes, characters: str, start: int, spelling: Spelling) -> None:
        self._raw = raw
        self._spelling = spelling
        self._added = False
        end = len(characters.rstrip("\x1c\r\n"))
        self._before, self._after = characters[:start], characters[max(end, start) :]
        lines, self._ends = _lines(characters[start:end])
        self._segments = self._named(lines)
        self._by_name: dict[str, tuple[Segment, ...]] | None = None

    @property
    def charset(self) -> str:
        return self._spelling.charset.name

    @property
    def spelling(self) -> Spelling:
        return self._spelling

    def write(self) -> bytes:
        """The very bytes that were parsed, with only those fields changed that were set."""
        if not self._added and not any(segment.changed for segment in self._segments):
            return self._raw
        pieces = [self._before]
        for segment, end in zip(self._segments, [*self._ends, ""], strict=True):
            pieces += (segment.line, end)
        return self._spelling.charset.raw("".join((*pieces, self._after)))

    def segments(self, name: str = "") -> tuple[Segment, ...]:
        """Those of that name, or all; lines that are no segments are left out."""
        if self._by_name is None:
            found: dict[str, list[Segment]] = {"": []}
            for segment in filter(lambda each: each.name, self._segments):
                found[""].append(segment)
                found.setdefault(segment.name, []).append(segment)
            self._by_name = {each: tuple(those) for each, those in found.items()}
        return self._by_name.get(name, ())

    def get(self, path: str) -> str | None:
        """What stands at `PID-3[2].4.2`, in the first such segment; None where it is empty."""
        name, number, _ = segment_and_spot(path)
        those = self.segments(name)
        if number > len(those) or not those:
            return None
        return those[number - 1 if number else 0].get(path.partition("-")[2])

    def all(self, path: str) -> list[str]:
        """What stands there in every repetition of every such segment where something does."""
        name, number, _ = segment_and_spot(path)
        those = self.segments(name)
        inner = path.partition("-")[2]
        if number:
            those = those[number - 1 : number]
        return [text for segment in those for text in segment.all(inner)]

    def set(self, path: str, text: str | None) -> None:
        """See Segment.set. A first segment of that name is added where there is none."""
        name, number, _ = segment_and_spot(path)
        those = self.segments(name)
        if number > len(those) and number != 1:
            raise ValueError(f"there is no {name}[{number}]")
        segment = those[number - 1 if number else 0] if those else self.add(name)
        segment.set(path.partition("-")[2], text)

    def add(self, name: str) -> Segment:
        """A new, empty segment at the end; fill it through `set` with its number."""
        if not _NAME(name) or name == "MSH":
            raise ValueError(f"{name!r} is no name of a segment to be added")
        number = len(self.segments(name)) + 1
        segment = Segment(name, name, len(self._segments) + 1, number, self._spelling)
        self._ends.append(self._ends[-1] if self._ends else self._after[-1:] or "\r")
        self._segments.append(segment)
        self._by_name, self._added = None, True
        return segment

    def faults(self) -> tuple[Fault, ...]:
        """All that cannot be read (E) or was read with a guess (W); none in a sound message."""
        return tuple(_faults(self, self._segments))

    def groups(self) -> Group:
        """The tree that the message structure describes; nothing is ever left out of it."""
        try:
            structure = self.structure
        except Malformed:
            structure = ""
        return grouped(structure, self.segments())

    @property
    def code(self) -> str:
        return self.get("MSH-9.1") or ""

    @property
    def event(self) -> str:
        return self.get("MSH-9.2") or self.get("EVN-1") or ""

    @property
    def structure(self) -> str:
        """MSH-9.3, or what the standard gives to the code and event."""
        return self.get("MSH-9.3") or structure_of(self.code, self.event)

    @property
    def at(self) -> str:
        return self.get("MSH-7") or ""

    @property
    def control_id(self) -> str:
        return self.get("MSH-10") or ""

    @property
    def processing(self) -> str:
        return self.get("MSH-11") or ""

    @property
    def version(self) -> str:
        return self.get("MSH-12") or ""

    @property
    def sender(self) -> tuple[str, str]:
        """Application and facility."""
        return self.get("MSH-3") or "", self.get("MSH-4") or ""

    @property
    def receiver(self) -> tuple[str, str]:
        """Application and facility."""
        return self.get("MSH-5") or "", self.get("MSH-6") or ""

    def _named(self, lines: Iterable[str]) -> list[Segment]:
        field, spelling = self._spelling.marks.field, self._spelling
        counts: dict[str, int] = {}
        segments: list[Segment] = []
        for index, line in enumerate(lines, 1):
            name = line[:3]
            if not _NAME(name) or line[3:4] not in (field, ""):
                name = ""
            number = counts[name] = counts.get(name, 0) + 1
            segments.append(Segment(name, line, index, number, spelling))
        return segments


def _lines(text: str) -> tuple[list[str], list[str]]:
    """Lines and what ends them. Where the first ends with CR alone, LF is text and ends nothing."""
    if "\n" not in text:
        lines = text.split("\r")
        return lines, ["\r"] * (len(lines) - 1)
    first = re.search(r"\r(?!\n)|\n", text)
    pieces = _ENDS[first[0] if first else "\n"].split(text)
    return pieces[::2], pieces[1::2]


def _faults(message: Message, lines: list[Segment]) -> Iterator[Fault]:
    spelling = message.spelling
    if spelling.marks.doubled:
        yield Fault("MSH-2", say.DATA_TYPE, "W", "An encoding character is named twice.")
    if not spelling.charset.codec:
        yield Fault("MSH-18", say.TABLE, "E", "The character set is not one that we read.")
    for segment in lines:
        if not segment.name:
            if segment.line:
                text = "The line is no segment; a line end may stand in the text before it."
                yield Fault(f"line {segment.index}", say.SEQUENCE, "E", text)
        elif segment.name == "MSH" and segment.number == 2:
            yield Fault("MSH[2]", say.SEQUENCE, "E", "A second message begins in this one.")
        yield from _faults_of(segment, spelling)


def _faults_of(segment: Segment, spelling: Spelling) -> Iterator[Fault]:
    escape = spelling.marks.escape
    line = segment.line
    if not segment.name or (line.isascii() and escape not in line and line.isprintable()):
        return
    for number in range(3 if segment.name == "MSH" else 1, len(segment) + 1):
        field = segment.field(number)
        if field.isascii() and escape not in field and field.isprintable():
            continue
        for each in segment.repetitions(number):
            yield from _faults_at(each.place, each.characters, spelling)
            try:
                each.components()
            except Malformed as malformed:
                yield malformed.fault()


def _faults_at(place: str, characters: str, spelling: Spelling) -> Iterator[Fault]:
    marks, charset = spelling.marks, spelling.charset
    if marks.escape != NEVER and marks.escape in characters:
        leaves = re.split(f"[{re.escape(marks.component + marks.subcomponent)}]", characters)
        if any(unknown_in(leaf, marks) for leaf in leaves if marks.escape in leaf):
            text = "An escape sequence is unknown or not closed; it stays in the text."
            yield Fault(place, say.DATA_TYPE, "W", text)
    if "\0" in characters:
        yield Fault(place, say.DATA_TYPE, "W", "The text holds a zero byte.")
    if charset.name.startswith("8859/") and not characters.isascii() and _is_utf_8(characters):
        text = f"The bytes look like UTF-8; they are read as {charset.name}, as MSH-18 says."
        yield Fault(place, say.DATA_TYPE, "W", text)


def _is_utf_8(characters: str) -> bool:
    try:
        characters.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
