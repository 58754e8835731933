"""The marks of one message: said by MSH-1 and MSH-2, never assumed."""

import re
from dataclasses import dataclass

from polyclinic.standards.hl7v2.faults import Malformed

HEADS = ("MSH", "FHS", "BHS")  # the segments whose first two fields are the marks themselves
NEVER = "\uffff"  # no text holds it: a mark that the message does not have splits nothing
ENCODING_LENGTH_MAX = 10  # five marks, and each doubled by a sender who escaped them

# A mark is printable ASCII that no name, number or date is made of, and not the quote of NULL.
_MARK = re.compile(r"[!#-/:-@\[-`{-~]").fullmatch
_ENDS = re.compile(r"[\r\n]")


@dataclass(frozen=True, slots=True)
class Delimiters:
    """What splits fields, repetitions, components and subcomponents, and what escapes them."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = NEVER
    doubled: bool = False  # MSH-2 names a mark twice; the second was left out

    @property
    def encoding(self) -> str:
        """MSH-2 as we write it."""
        marks = (
            self.component, self.repetition, self.escape, self.subcomponent, self.truncation,
        )  # fmt: skip
        return "".join(mark for mark in marks if mark != NEVER)


STANDARD = Delimiters()


def delimiters_of(head: str) -> Delimiters:
    """Of the text that begins with a head segment. Malformed where no marks can be told."""
    name, field = head[:3], head[3:4]
    if not _MARK(field):
        raise Malformed(f"{name}-1", "The field separator cannot be one.")
    end = head.find(field, 4)
    line = _ENDS.search(head, 4)
    stop = min(at for at in (end, line.start() if line else -1, len(head)) if at >= 0)
    encoding = head[4 : min(stop, 5 + ENCODING_LENGTH_MAX)]
    marks = "".join(dict.fromkeys(encoding))
    readable = 1 <= len(marks) <= 5 and len(encoding) <= ENCODING_LENGTH_MAX
    if not readable or not all(map(_MARK, marks)):
        raise Malformed(f"{name}-2", "The encoding characters are not one to five marks.")
    return Delimiters(field, *(marks + NEVER * 5)[:5], doubled=len(marks) < len(encoding))
