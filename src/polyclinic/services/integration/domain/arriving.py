"""What a message says of itself before anything is mapped, and how it is to be acknowledged."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from polyclinic.foundation.errors import Problem
from polyclinic.services.integration.domain import documents, sheets
from polyclinic.services.integration.domain.channels import Channel, kind_of
from polyclinic.standards.ccda import NotCcda, heading
from polyclinic.standards.hl7v2 import NULL, Fault, Malformed, Message, parse

# What a person can be asked to look for; each is kept as a keyed hash.
CONTROL, PERSON, VISIT, ORDER = "control", "person", "visit", "order"
_ORDERS = ("ORC-2.1", "ORC-3.1", "OBR-2.1", "OBR-3.1", "SCH-1.1", "SCH-2.1")
# Table 0104 in its spelling; where none stands, the sender means what it sends.
_VERSION = re.compile(r"2(\.\d{1,2}){0,2}D?", re.ASCII).fullmatch
_UNREAD = "100"  # table 0357: a segment sequence error, as where no MSH stands at the beginning
ERRORS = {
    "100": ("MSH", "The message, or a line of it, cannot be read."),
    "102": ("", "The message holds characters that cannot be read."),
    "103": ("MSH-3", "This channel does not know the sender."),
    "200": ("MSH-9", "Messages of this type are not taken on this channel."),
    "202": ("MSH-11", "This processing id is not taken on this channel."),
    "203": ("MSH-12", "This version of HL7 is not taken."),
    "205": ("MSH-10", "This control id was used for another message."),
    "207": ("", "The channel is closed."),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """AA, AE or AR, with a code of table 0357 where there is something to say."""

    code: str
    error: str = ""

    def __str__(self) -> str:
        return f"{self.code} {self.error}".strip()

    @classmethod
    def of(cls, text: str) -> "Answer":
        code, _, error = text.partition(" ")
        return cls(code, error)

    def faults(self) -> tuple[Fault, ...]:
        if not self.error:
            return ()
        place, text = ERRORS[self.error]
        return (Fault(place, self.error, "W" if self.code == "AA" else "E", text),)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message at the door. `state` none: it is refused, and nothing of it is kept.

    `people` are the identifiers that order it; `finds` what it can be looked for by.
    """

    message: Message | None
    kind: str
    control: str
    sender: tuple[str, str]
    people: tuple[str, ...]
    finds: tuple[tuple[str, str], ...]
    answer: Answer
    state: str | None
    reason: str = ""


def arrive(channel: Channel, raw: bytes) -> Arrived:
    """Reads what must be known to keep a message; nothing of it is too broken to be kept."""
    if channel.format == "ccda":
        return _document(raw)
    if channel.format == "rows":
        return _row(channel, raw)
    try:
        message = parse(raw, channel.charset)
        return _sound(channel, message)
    except Malformed as malformed:
        answer = Answer("AE", _UNREAD if malformed.code == _UNREAD else "102")
        return Arrived(None, "", "", ("", ""), (), (), answer, "parked", "unreadable")


def _document(raw: bytes) -> Arrived:
    """A C-CDA document by its own id; nobody waits for an acknowledgement in HL7 v2."""
    try:
        found = heading(raw)
    except NotCcda:
        return Arrived(None, documents.KIND, "", ("", ""), (), (), Answer("AE", "102"), "parked",
                       "unreadable")  # fmt: skip
    finds = [(PERSON, number.partition("|")[2]) for number in found.patients]
    return Arrived(
        None, documents.KIND, found.id, ("", ""), found.patients[:1],
        tuple(dict.fromkeys(([(CONTROL, found.id)] if found.id else []) + finds)), Answer("AA"),
        "received",
    )  # fmt: skip


def _row(channel: Channel, raw: bytes) -> Arrived:
    """A row by what stands in it: the same row again is the same message."""
    try:
        made = sheets.translation(msgspec.json.decode(raw, type=dict[str, str]), channel)
    except (msgspec.DecodeError, Problem):
        return Arrived(None, sheets.KIND, "", ("", ""), (), (), Answer("AE", "102"), "parked",
                       "unreadable")  # fmt: skip
    numbers = made.person.identifiers if made.person is not None else ()
    finds = tuple((PERSON, each.value) for each in numbers)
    return Arrived(
        None, sheets.KIND, "", ("", ""), made.order_key_parts[:1], finds, Answer("AA"), "received"
    )


def _sound(channel: Channel, message: Message) -> Arrived:
    answer, state, reason = _verdict(channel, message)
    return Arrived(
        message,
        kind_of(message.code, message.event),
        message.control_id,
        message.sender,
        tuple(dict.fromkeys(_people(message))) or _others(message),
        tuple(dict.fromkeys(_finds(message))),
        answer,
        state,
        reason,
    )


def _verdict(channel: Channel, message: Message) -> tuple[Answer, str | None, str]:
    if not channel.knows(*message.sender):
        return Answer("AR", "103"), None, "sender"
    if message.processing.partition("^")[0] not in channel.processing:
        return Answer("AR", "202"), None, "processing"
    if message.version and not _VERSION(message.version.partition("^")[0]):
        return Answer("AR", "203"), None, "version"
    if not channel.takes(message.code, message.event):
        if channel.unsupported == "AR":
            return Answer("AR", "200"), None, "unsupported"
        return Answer("AA", "200"), "ignored", "unsupported"
    if wrong := [each.code for each in message.faults() if each.severity == "E"]:
        # What stands in a line that is no segment would be lost if the rest were mapped.
        code = _UNREAD if _UNREAD in wrong else "102"
        return Answer("AE", code), "parked", "unreadable"
    return Answer("AA"), "received", ""


def _people(message: Message) -> Iterator[str]:
    """One identifier a patient: the medical record number, else the first that there is."""
    for name, field in (("PID", 3), ("MRG", 1)):
        for segment in message.segments(name):
            found = [
                (each.get("5") or "", each.get("4.1") or "", value)
                for each in segment.repetitions(field)
                if (value := each.get("1")) and value is not NULL
            ]
            if found:
                _, authority, value = min(found, key=lambda each: each[0] != "MR")
                yield f"{authority}|{value}"


def _others(message: Message) -> tuple[str, ...]:
    """Of what is about no patient, master files keep their order; the rest has none."""
    return ("|master files",) if message.code in ("MFN", "MFK") else ()


def _finds(message: Message) -> Iterator[tuple[str, str]]:
    if message.control_id:
        yield CONTROL, message.control_id
    for path in ("PID-3.1", "MRG-1.1"):
        yield from ((PERSON, value) for value in message.all(path) if value is not NULL)
    yield from ((VISIT, value) for value in message.all("PV1-19.1") if value is not NULL)
    for path in _ORDERS:
        yield from ((ORDER, value) for value in message.all(path) if value is not NULL)


def unstamped(raw: bytes) -> bytes:
    """A message without MSH-7: whoever sends it again may stamp it anew."""
    head = raw.splitlines()[0]
    fields = head.split(head[3:4])
    fields[6:7] = [b""]
    return head[3:4].join(fields) + raw[len(head) :]


def immediate(message: Message | None, answer: Answer) -> str:
    """The code that goes back at once, or an empty text where the sender wants none.

    Original mode: the application's own word. Enhanced mode: the accept level, if MSH-15 wants it;
    where it wants none, a sender that waits for an application acknowledgement gets that.
    """
    accept, application = _modes(message)
    if accept == application == "":
        return answer.code
    if _wants(accept, answer):
        return "C" + answer.code[1]
    return answer.code if _wants(application, answer) else ""


def second_wanted(message: Message | None, answer: Answer) -> str:
    """MSH-16 where a second acknowledgement is owed once the message was worked on, else empty.

    Who was told CE or CR has its answer: what was not accepted is not worked on.
    """
    accept, application = _modes(message)
    is_accepted = answer.code == "AA" and _wants(accept, answer)
    return application if is_accepted and application in ("AL", "ER", "SU") else ""


def _modes(message: Message | None) -> tuple[str, str]:
    if message is None:
        return "", ""
    return message.get("MSH-15") or "", message.get("MSH-16") or ""


def _wants(mode: str, answer: Answer) -> bool:
    return mode == "AL" or (mode == "SU" if answer.code == "AA" else mode == "ER")
