"""What records knows of imports and care relations, as plain values."""

import re
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from polyclinic.foundation.errors import Invalid

_PRACTITIONER = re.compile(r"Practitioner/[A-Za-z0-9.-]{1,64}", re.ASCII)
_PATIENT = re.compile(r"Patient/[A-Za-z0-9.-]{1,64}", re.ASCII)
LINES_MAX = 500


@dataclass(frozen=True, slots=True)
class Unit:
    """The atom of an import: all that is good in it is kept together, or nothing is."""

    content: bytes
    hash: bytes
    is_lines: bool

    @classmethod
    def of(cls, content: bytes, stated: str, *, is_lines: bool) -> "Unit":
        """A unit whose content is what the sender hashed."""
        found = sha256(content)
        if stated.lower() != found.hexdigest():
            raise Invalid("The content's SHA-256 is not the stated one.", place="X-Content-Hash")
        return cls(content, found.digest(), is_lines)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was not taken, and why: a line of NDJSON or an entry of a Bundle."""

    text: str
    place: str | None = None
    line: int | None = None
    entry: int | None = None


@dataclass(frozen=True, slots=True)
class CareRelation:
    """A practitioner who cares for a patient, as some resource says."""

    practitioner: str
    patient: str
    source: str
    since: datetime | None
    until: datetime | None

    def __post_init__(self) -> None:
        if not _PRACTITIONER.fullmatch(self.practitioner):
            raise Invalid("A practitioner is written Practitioner/id.", place="practitioner")
        if not _PATIENT.fullmatch(self.patient):
            raise Invalid("A patient is written Patient/id.", place="patient")
