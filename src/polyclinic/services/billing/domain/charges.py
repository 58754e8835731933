"""Visits and what was done in them: codes, modifiers, units, and which diagnosis each is for."""

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import msgspec

from polyclinic.foundation.errors import Invalid, Issue
from polyclinic.services.billing.domain.icd import dotted

CODE = re.compile(r"[0-9A-Z]{5}", re.ASCII)
MODIFIER = re.compile(r"[0-9A-Z]{2}", re.ASCII)
# 005010X222A1: twelve diagnoses and fifty lines a claim, four pointers and modifiers a line.
DIAGNOSES_MAX, LINES_MAX, POINTERS_MAX, MODIFIERS_MAX = 12, 50, 4, 4
UNITS_MAX = 9999
TO_CODE, CODED, NOT_BILLABLE = "to code", "coded", "not billable"
BILLABLE, BILLED, ABORTED = "billable", "billed", "aborted"


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit that may become charges; `diagnoses` are ICD-10-CM codes in order."""

    id: UUID
    source: str
    patient: str
    practitioner: str
    day: date
    status: str = TO_CODE
    coverage: UUID | None = None
    diagnoses: tuple[str, ...] = ()
    encounter: str | None = None


@dataclass(frozen=True, slots=True)
class Detail:
    """What a charge is for: sealed. Pointers count the visit's diagnoses from one."""

    code: str
    modifiers: tuple[str, ...] = ()
    pointers: tuple[int, ...] = ()
    title: str = ""


@dataclass(frozen=True, slots=True)
class Charge:
    """One line of a visit; `amount` is for all its units together."""

    id: UUID
    visit: UUID
    line: int
    patient: str
    day: date
    amount: int
    units: int
    currency: str
    status: str
    detail: Detail


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line as somebody codes it; without an amount the fee schedule says it."""

    code: str
    modifiers: tuple[str, ...] = ()
    units: int = 1
    pointers: tuple[int, ...] = (1,)
    amount: int | None = None


def check_diagnoses(codes: Sequence[str], known: Container[str]) -> tuple[str, ...]:
    """ICD-10-CM codes as they are kept (`E11.9`); raises Invalid, naming each that is wrong."""
    if not 1 <= len(codes) <= DIAGNOSES_MAX:
        raise Invalid(f"A visit has 1 to {DIAGNOSES_MAX} diagnoses.", place="diagnoses")
    bare = [code.strip().upper().replace(".", "", 1) for code in codes]
    issues: list[Issue] = []
    for n, code in enumerate(bare):
        if code not in known:
            text = "This is no ICD-10-CM code that can be billed; use one without codes below it."
            issues.append(Issue(text, f"diagnoses[{n}]"))
        elif code in bare[:n]:
            issues.append(Issue("This diagnosis is there already.", f"diagnoses[{n}]"))
    if issues:
        raise Invalid(issues[0].text, place=issues[0].place, issues=tuple(issues))
    return tuple(dotted(code) for code in bare)


def check_lines(lines: Sequence[Asked], diagnoses: int) -> None:
    """Everything that is wrong with the lines at once, each with its place."""
    if not 1 <= len(lines) <= LINES_MAX:
        raise Invalid(f"A visit has 1 to {LINES_MAX} lines.", place="lines")
    issues = [issue for n, line in enumerate(lines) for issue in _wrong(line, n, diagnoses)]
    if issues:
        raise Invalid(issues[0].text, place=issues[0].place, issues=tuple(issues))


def _wrong(line: Asked, n: int, diagnoses: int) -> list[Issue]:
    rules = (
        ("code", CODE.fullmatch(line.code), "A code has five capital letters and digits."),
        (
            "modifiers",
            len(line.modifiers) <= MODIFIERS_MAX and all(map(MODIFIER.fullmatch, line.modifiers)),
            f"At most {MODIFIERS_MAX} modifiers of two capital letters and digits.",
        ),
        ("units", 1 <= line.units <= UNITS_MAX, f"A line has 1 to {UNITS_MAX} units."),
        (
            "pointers",
            1 <= len(line.pointers) <= POINTERS_MAX
            and len(set(line.pointers)) == len(line.pointers)
            and all(1 <= pointer <= diagnoses for pointer in line.pointers),
            f"A line points to 1 to {POINTERS_MAX} of the visit's {diagnoses} diagnoses.",
        ),
        ("amount", line.amount is None or line.amount >= 0, "An amount is nothing or more."),
    )
    return [Issue(text, f"lines[{n}].{name}") for name, is_right, text in rules if not is_right]
