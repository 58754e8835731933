"""What is wrong with a message: the place, a code of table 0357, how bad, and a sentence."""

from dataclasses import dataclass

SEQUENCE, REQUIRED, DATA_TYPE, TABLE = "100", "101", "102", "103"
TYPE_UNKNOWN, EVENT_UNKNOWN, PROCESSING, VERSION = "200", "201", "202", "203"
KEY_UNKNOWN, KEY_DOUBLED, LOCKED, INTERNAL = "204", "205", "206", "207"

CODES = {
    "0": "Message accepted",
    SEQUENCE: "Segment sequence error",
    REQUIRED: "Required field missing",
    DATA_TYPE: "Data type error",
    TABLE: "Table value not found",
    TYPE_UNKNOWN: "Unsupported message type",
    EVENT_UNKNOWN: "Unsupported event code",
    PROCESSING: "Unsupported processing id",
    VERSION: "Unsupported version id",
    KEY_UNKNOWN: "Unknown key identifier",
    KEY_DOUBLED: "Duplicate key identifier",
    LOCKED: "Application record locked",
    INTERNAL: "Application internal error",
}  # table 0357


@dataclass(frozen=True, slots=True)
class Fault:
    """One remark on a message; `place` is a path such as `PID-3[2].1`, empty for the whole.

    `severity` is E where something cannot be read, W where it was read with a guess, I else.
    `text` never carries a value of the message: it may be shown, logged and answered.
    """

    place: str
    code: str
    severity: str
    text: str


@dataclass(unsafe_hash=True)
class Malformed(Exception):
    """What cannot be read, or must not be written: the place and a sentence without values."""

    place: str
    text: str
    code: str = DATA_TYPE

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.place else self.text

    def fault(self) -> Fault:
        return Fault(self.place, self.code, "E", self.text)
