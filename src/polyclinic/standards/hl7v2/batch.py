"""Batches: FHS, BHS, messages, BTS, FTS — and their counts; also messages that only follow."""

import re
from dataclasses import dataclass, field

from polyclinic.standards.hl7v2 import faults as say
from polyclinic.standards.hl7v2.faults import Fault, Malformed
from polyclinic.standards.hl7v2.message import Message, parse, spelling_at
from polyclinic.standards.hl7v2.segment import Segment

_START = rb"(?:FHS|BHS|MSH)[!#-/:-@\[-`{-~]|(?:BTS|FTS)(?=[!#-/:-@\[-`{-~\r\n]|\Z)"
_AFTER_ANY = re.compile(rb"(?:\A[\x0b\s]*|\A\xef\xbb\xbf|[\r\n])(?=" + _START + rb")")
_AFTER_CR = re.compile(rb"(?:\A[\x0b\s]*|\A\xef\xbb\xbf|\r\n?)(?=" + _START + rb")")
_FIRST_END = re.compile(rb"\r(?!\n)|\n")


@dataclass(frozen=True, slots=True)
class Unread:
    """A message of a batch in which there is no message to be read."""

    raw: bytes
    why: Malformed


@dataclass(slots=True)
class Batch:
    """What a file holds: the messages in order, its first header and last trailer."""

    messages: list[Message | Unread] = field(default_factory=list[Message | Unread])
    header: Segment | None = None
    trailer: Segment | None = None
    faults: list[Fault] = field(default_factory=list[Fault])


def is_batch(raw: bytes) -> bool:
    """Whether there is an envelope, or more than one message."""
    begins = [raw[at : at + 3] for at in _boundaries(raw)]
    return begins[:1] in ([b"FHS"], [b"BHS"]) or begins.count(b"MSH") > 1


def read(raw: bytes, charset: str = "") -> Batch:
    """Malformed where not even one header stands; else each message is read by itself."""
    starts = _boundaries(raw)
    if not starts:
        raise Malformed("FHS", "Neither a batch nor a message begins here.", say.SEQUENCE)
    pieces = [raw[a:b] for a, b in zip(starts, [*starts[1:], len(raw)], strict=True)]
    count = _Count(Batch(), charset)
    if raw[: starts[0]].strip(b"\x0b\xef\xbb\xbf\r\n\t "):
        count.fault("", "Something stands before the first header.")
    for piece in pieces:
        count.take(piece)
    count.end()
    return count.batch


def _boundaries(raw: bytes) -> list[int]:
    first = _FIRST_END.search(raw)
    pattern = _AFTER_CR if first and first[0] == b"\r" else _AFTER_ANY
    return [found.end() for found in pattern.finditer(raw)]


class _Count:
    """Takes the pieces of a file in order and says where its counts do not agree."""

    def __init__(self, batch: Batch, charset: str) -> None:
        self.batch = batch
        self._charset = charset
        self._file: bool | None = None  # inside FHS … FTS; None before and without
        self._open = False  # inside BHS … BTS
        self._messages = self._batches = 0
        self._spelling = None

    def fault(self, place: str, text: str) -> None:
        self.batch.faults.append(Fault(place, say.SEQUENCE, "E", text))

    def take(self, piece: bytes) -> None:
        name = piece[:3].decode()
        if name == "MSH":
            self._message(piece)
        elif name in ("FHS", "BHS"):
            self._header(name, piece)
        else:
            self._trailer(name, piece)

    def end(self) -> None:
        if self._open:
            self.fault("BTS", "The batch is not closed.")
        if self._file:
            self.fault("FTS", "The file is not closed.")

    def _message(self, piece: bytes) -> None:
        self._messages += 1
        try:
            self.batch.messages.append(parse(piece, self._charset))
        except Malformed as why:
            self.batch.messages.append(Unread(piece, why))
            self.batch.faults.append(why.fault())

    def _header(self, name: str, piece: bytes) -> None:
        try:
            self._spelling = spelling_at(piece.decode("latin-1"), self._charset)
        except Malformed as why:
            self.batch.faults.append(why.fault())
            return
        segment = self._segment(name, piece)
        self.batch.header = self.batch.header or segment
        if name == "FHS":
            self._file, self._batches = True, 0
            return
        if self._open:
            self.fault("BTS", "A batch begins before the last one is closed.")
        self._open, self._messages = True, 0
        self._batches += 1

    def _trailer(self, name: str, piece: bytes) -> None:
        if self._spelling is None:
            self.fault(name, "A trailer stands here without a header.")
            return
        segment = self._segment(name, piece)
        self.batch.trailer = segment
        if name == "BTS":
            if not self._open:
                self.fault("BTS", "A batch ends that did not begin.")
            self._check(segment, self._messages, "messages in the batch")
            self._open = False
        else:
            if not self._file:
                self.fault("FTS", "A file ends that did not begin.")
            self._check(segment, self._batches, "batches in the file")
            self._file = False

    def _check(self, trailer: Segment, counted: int, what: str) -> None:
        said = trailer.get("1")
        if said is not None and not (said.isascii() and said.isdigit() and int(said) == counted):
            self.fault(f"{trailer.name}-1", f"The count of {what} is {counted}, not as said.")

    def _segment(self, name: str, piece: bytes) -> Segment:
        assert self._spelling is not None
        line = re.split(rb"[\r\n]", piece, maxsplit=1)[0]
        return Segment(name, self._spelling.charset.characters(line), 1, 1, self._spelling)
