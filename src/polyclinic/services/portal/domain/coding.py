"""Coding a visit: what was typed, what it costs, and to which field a refusal belongs."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from polyclinic.foundation.errors import Issue
from polyclinic.services.portal.domain.billing_work import Body, Fee, Visit

DIAGNOSES, LINES = 12, 12
SHOWN_DIAGNOSES, SHOWN_LINES = 4, 4
SELF_PAY, AS_REGISTERED = "self-pay", ""
_SEPARATORS = re.compile(r"[\s,;]+")
_PLACE = re.compile(r"(diagnoses|lines)\[(\d+)\](?:\.(\w+))?")
_FIELDS = {"code": "code", "modifiers": "mods", "units": "units", "pointers": "for"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it stands in the form; nothing in it is checked yet."""

    code: str = ""
    units: str = "1"
    modifiers: str = ""
    pointers: str = ""

    @property
    def listed_modifiers(self) -> tuple[str, ...]:
        return tuple(filter(None, _SEPARATORS.split(self.modifiers.upper())))


@dataclass(frozen=True, slots=True)
class Typed:
    """The form of a visit's coding; what is empty at the end is left out."""

    diagnoses: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    pays: str = AS_REGISTERED

    def diagnosis(self, n: int) -> str:
        return self.diagnoses[n] if n < len(self.diagnoses) else ""

    def line(self, n: int) -> Line:
        return self.lines[n] if n < len(self.lines) else Line()


@dataclass(frozen=True, slots=True)
class Priced:
    """A line with what the list of the day asks for it; None where it is not on the list."""

    line: Line
    title: str
    units: int
    pointers: tuple[int, ...]
    amount: int | None


def read_typed(given: Mapping[str, str]) -> Typed:
    diagnoses = [given.get(f"dx{n}", "").strip().upper()[:10] for n in range(1, DIAGNOSES + 1)]
    lines = [
        Line(
            given.get(f"code{n}", "")[:5],
            given.get(f"units{n}", "").strip()[:5] or "1",
            given.get(f"mods{n}", "").strip()[:20],
            given.get(f"for{n}", "").strip()[:20],
        )
        for n in range(1, LINES + 1)
    ]
    return Typed(
        tuple(filter(None, diagnoses)), tuple(x for x in lines if x.code), given.get("pays", "")
    )


def wrong_in(typed: Typed, visit: Visit) -> list[tuple[str, str]]:
    """(field, sentence) of what can be said before billing is asked."""
    wrong: list[tuple[str, str]] = []
    if visit.status != "to code":
        wrong.append(("", "This visit has been coded meanwhile; nothing was changed."))
    if not typed.diagnoses:
        wrong.append(("dx1", "Enter at least one diagnosis, such as E11.9."))
    if not typed.lines:
        wrong.append(("code1", "Choose at least one service."))
    for n, line in enumerate(typed.lines, 1):
        if not (line.units.isascii() and line.units.isdecimal() and int(line.units) > 0):
            wrong.append((f"units{n}", f"Line {n}: enter the units as a number, 1 or more."))
        if not _pointers(line):
            wrong.append((f"for{n}", f"Line {n}: name its diagnoses by number, such as 1 or 1, 2."))
    return wrong


def body_of(typed: Typed) -> Body:
    """What billing is asked to keep."""
    body: Body = {
        "diagnoses": list(typed.diagnoses),
        "lines": [
            {
                "code": line.code,
                "units": int(line.units),
                "modifiers": list(line.listed_modifiers),
                "pointers": list(_pointers(line)),
            }
            for line in typed.lines
        ],
    }
    if typed.pays == SELF_PAY:
        body["self_pay"] = True
    elif typed.pays:
        body["coverage"] = typed.pays
    return body


def priced(typed: Typed, fees: Sequence[Fee]) -> list[Priced]:
    """As billing will price it: the first modifier with a price of its own, else the code's."""
    known = {(fee.code, fee.modifier): fee for fee in fees}
    found: list[Priced] = []
    for line in typed.lines:
        keys = [*((line.code, each) for each in line.listed_modifiers), (line.code, "")]
        fee = next((known[key] for key in keys if key in known), None)
        units = int(line.units)
        amount = fee.amount * units if fee else None
        found.append(Priced(line, fee.title if fee else "", units, _pointers(line), amount))
    return found


def places(issues: Iterable[Issue]) -> list[tuple[str, str]]:
    """Billing's places as fields of the form: `lines[2].code` is `code3`."""
    found: list[tuple[str, str]] = []
    for issue in issues:
        shape = _PLACE.fullmatch(issue.place or "")
        if shape is None:
            found.append(("pays" if issue.place == "coverage" else "", issue.text))
            continue
        number = int(shape[2]) + 1
        if shape[1] == "diagnoses":
            found.append((f"dx{number}", f"Diagnosis {number}: {issue.text}"))
        else:
            name = _FIELDS.get(shape[3] or "", "code")
            found.append((f"{name}{number}", f"Line {number}: {issue.text}"))
    return found


def _pointers(line: Line) -> tuple[int, ...]:
    """The first diagnosis, where nothing is said; nothing, where no numbers are."""
    parts = list(filter(None, _SEPARATORS.split(line.pointers or "1")))
    if not all(part.isascii() and part.isdecimal() and len(part) < 3 for part in parts):
        return ()
    return tuple(int(part) for part in parts)
