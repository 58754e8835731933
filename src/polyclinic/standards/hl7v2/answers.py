"""Acknowledgments, and messages of our own: times and ids are given by the caller."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from polyclinic.standards.hl7v2.charsets import named
from polyclinic.standards.hl7v2.delimiters import STANDARD
from polyclinic.standards.hl7v2.faults import CODES, Fault, Malformed
from polyclinic.standards.hl7v2.message import Message, parse
from polyclinic.standards.hl7v2.segment import Segment, Spelling

CODES_OF_MSA = ("AA", "AE", "AR", "CA", "CE", "CR")


@dataclass(frozen=True, slots=True)
class Header:
    """What MSH says of a message to be made; parties are application and facility."""

    sender: tuple[str, str]
    receiver: tuple[str, str]
    control_id: str
    at: str
    version: str = "2.5.1"
    processing: str = "P"
    charset: str = "UNICODE UTF-8"


def new_message(code: str, event: str, structure: str, header: Header) -> Message:
    """A message of its MSH alone; the rest comes by `add` and `set`."""
    charset = named(header.charset)
    if not charset.codec:
        raise Malformed("MSH-18", "The character set is not one that we write.")
    spelling = Spelling(STANDARD, charset)
    texts = (
        *header.sender, *header.receiver, header.at, "", "", header.control_id,
        header.processing, header.version,
    )  # fmt: skip
    fields = [spelling.spell(text, f"MSH-{place}") for place, text in enumerate(texts, 3)]
    fields[6] = "^".join(part for part in (code, event, structure) if part)
    head = f"MSH|{STANDARD.encoding}|{'|'.join(fields)}||||||{charset.name}\r"
    return parse(charset.raw(head))


def acknowledge(
    message: Message, code: str, errors: Sequence[Fault] = (), *, control_id: str, at: str
) -> Message:
    """The answer to a message in its own marks, version and character set.

    The header's fields go back as the bytes that they came as, so that nothing in them is read
    anew. MSA-2 is the message's MSH-10; each error is an ERR segment from version 2.5 on, and
    before it a repetition of ERR-1.
    """
    if code not in CODES_OF_MSA:
        raise ValueError(f"{code!r} is no acknowledgment code")
    marks = message.spelling.marks
    head = message.segments("MSH")[0]
    names = [head.field(number) for number in (5, 6, 3, 4)]
    kind = marks.component.join(part for part in ("ACK", _event(head), "ACK") if part)
    spelled = [message.spelling.spell(text, "MSH") for text in (at, control_id)]
    fields = [
        f"MSH{marks.field}{marks.encoding}", *names, spelled[0], "", kind, spelled[1],
        head.field(11), head.field(12), "", "", "", "", "", head.field(18),
    ]  # fmt: skip
    line = marks.field.join(fields).rstrip(marks.field)
    asked = marks.field.join(("MSA", code, head.field(10)))
    answer = parse(message.spelling.charset.raw(f"{line}\r{asked}\r"), message.charset)
    _explain(answer, errors)
    return answer


def refuse(text: str, *, control_id: str, at: str) -> Message:
    """The answer (AR) to bytes in which there is no message to be answered."""
    nobody = ("", "")
    header = Header(nobody, nobody, control_id, at, charset="ASCII")
    answer = new_message("ACK", "", "", header)
    answer.set("MSA-1", "AR")
    answer.set("MSA-3", text)
    return answer


def _event(head: Segment) -> str:
    """An event is three letters and digits; what is none is not repeated."""
    try:
        text = head.get("9.2") or ""
    except Malformed:
        return ""
    return text if text.isascii() and text.isalnum() and len(text) <= 4 else ""


def _explain(answer: Message, errors: Sequence[Fault]) -> None:
    if not errors:
        return
    if "2" < answer.segments("MSH")[0].field(12) < "2.5":
        _explain_briefly(answer, errors)
        return
    for error in errors:
        segment = answer.add("ERR")
        for number, part in enumerate(_location(error.place), 1):
            segment.set(f"2.{number}", part)
        segment.set("3.1", error.code)
        segment.set("3.2", CODES.get(error.code, ""))
        segment.set("3.3", "HL70357")
        segment.set("4", error.severity)
        _tell(segment, "8", error.text)


def _explain_briefly(answer: Message, errors: Sequence[Fault]) -> None:
    _tell(answer.segments("MSA")[0], "3", errors[0].text)
    segment = answer.add("ERR")
    for count, error in enumerate(errors, 1):
        for number, part in enumerate(_location(error.place)[:3], 1):
            segment.set(f"1[{count}].{number}", part)
        segment.set(f"1[{count}].4.1", error.code)
        segment.set(f"1[{count}].4.2", CODES.get(error.code, ""))


def _tell(segment: Segment, path: str, text: str) -> None:
    """A message without an escape character, or of a small set, is told in plain letters."""
    try:
        segment.set(path, text)
    except Malformed:
        segment.set(path, re.sub(r"[^A-Za-z0-9 ]", " ", text))


def _location(place: str) -> list[str]:
    """`OBX[3]-5[2].1` as the components of ERL; a segment without a number is the first."""
    head, _, rest = place.partition("-")
    name, _, number = head.partition("[")
    if not (name.isalnum() and name.isupper() and len(name) == 3):
        return []
    field, *parts = rest.split(".")
    field, _, repetition = field.partition("[")
    found = [name, number.rstrip("]") or "1", field, repetition.rstrip("]"), *parts]
    if parts and not found[3]:
        found[3] = "1"
    while not found[-1]:
        found.pop()
    return found
