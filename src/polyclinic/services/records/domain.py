"""What records knows of imports, care relations and merged patients, as plain values."""

import re
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from polyclinic.foundation.errors import Conflict, Invalid

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


class Unfit(Conflict):
    """These two records cannot be merged as they are."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Ids of two Patients: `loser` is given up, `winner` goes on."""

    loser: str
    winner: str

    def __post_init__(self) -> None:
        for name, place in ((self.loser, "source-patient"), (self.winner, "target-patient")):
            if not _PATIENT.fullmatch(f"Patient/{name}"):
                raise Invalid("A patient is written Patient/id.", place=place)
        if self.loser == self.winner:
            raise Invalid("A record is not merged with itself.", place="source-patient")


def need_fit(pair: Pair, loser: dict[str, Any], winner: dict[str, Any]) -> None:
    """Refuses a record that was given up already, on either side: so no loop can begin."""
    for place, resource in (("source-patient", loser), ("target-patient", winner)):
        if successor := _successor(resource):
            where = "the other one" if successor in (pair.loser, pair.winner) else "another one"
            raise Unfit(f"This record was given up for {where}; part them first.", place=place)


def linked(
    pair: Pair, loser: dict[str, Any], winner: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Loser and winner with their links (Patient.link), the loser no longer active."""
    given_up, goes_on = deepcopy(loser), deepcopy(winner)
    given_up["active"] = False
    given_up["link"] = [*given_up.get("link", ()), _link(pair.winner, "replaced-by")]
    goes_on["link"] = [*goes_on.get("link", ()), _link(pair.loser, "replaces")]
    return given_up, goes_on


def unlinked(
    pair: Pair, loser: dict[str, Any], winner: dict[str, Any], *, active: bool | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same without these links; `active` is what the loser was before the merge."""
    taken_back = _without(loser, _link(pair.winner, "replaced-by"))
    taken_back.pop("active", None)
    if active is not None:
        taken_back["active"] = active
    return taken_back, _without(winner, _link(pair.loser, "replaces"))


def _link(other: str, kind: str) -> dict[str, Any]:
    return {"other": {"reference": f"Patient/{other}"}, "type": kind}


def _without(resource: dict[str, Any], link: dict[str, Any]) -> dict[str, Any]:
    found = deepcopy(resource)
    links = [each for each in found.pop("link", ()) if each != link]
    return {**found, "link": links} if links else found


def _successor(resource: dict[str, Any]) -> str | None:
    for link in resource.get("link", ()):
        if link.get("type") == "replaced-by":
            return link.get("other", {}).get("reference", "").rpartition("/")[2]
    return None
