"""What is written down of a disclosure, and what an accounting says: 45 CFR 164.528.

Excluded by (a)(1): treatment, payment, operations, to the individual, incidental, authorised,
directory and those involved in care, national security, correctional, limited data set. (a)(2):
what an agency asked to keep back, for as long. (b)(3): several to one recipient for one purpose
are told as the first, how many, and the last. (b)(4): research names its protocol.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import msgspec

from polyclinic.foundation.errors import Invalid

EXCLUDED = frozenset(
    [
        "treatment", "payment", "operations", "individual", "incidental", "authorization",
        "directory", "national-security", "correctional", "limited-data-set",
    ]
)  # fmt: skip
ACCOUNTED = frozenset(
    [
        "required-by-law", "public-health", "abuse", "health-oversight", "judicial",
        "law-enforcement", "decedents", "organ-donation", "research", "serious-threat",
        "specialized-government", "workers-compensation", "hhs-investigation", "breach",
    ]
)  # fmt: skip
# Who may ask that a patient be not told for a time.
SUPPRESSING = frozenset({"health-oversight", "law-enforcement"})
ORAL_DAYS = 30
YEARS = 6


class Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is sealed: to whom, what, and why (or a copy of the request)."""

    recipient: str
    what: str
    purpose: str
    address: str = ""
    resources: tuple[str, ...] = ()


class NewDisclosure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The body of `POST /audit/disclosures`."""

    patient: str
    day: date
    basis: str
    told: Told
    made_by: str = "CE"
    series: uuid.UUID | None = None
    protocol: str | None = None


class NewSuppression(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /audit/disclosures/ID/suppress`."""

    until: date
    statement: str


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One as it was written down; `suppressed` is until when the patient may not be told."""

    id: uuid.UUID
    day: date
    basis: str
    made_by: str
    series: uuid.UUID | None
    protocol: str | None
    told: Told
    suppressed: date | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One disclosure, or the first of a series with its last day and number."""

    first: Disclosure
    last: date
    count: int


def check(new: NewDisclosure, today: date) -> None:
    """Raises Invalid that names the place."""
    if not new.patient.startswith("Patient/") or len(new.patient) < 9:
        raise Invalid("patient is Patient/id.", place="patient")
    if new.basis not in EXCLUDED | ACCOUNTED:
        offered = ", ".join(sorted(EXCLUDED | ACCOUNTED))
        raise Invalid(f"basis is one of {offered}.", place="basis")
    if new.made_by not in ("CE", "BA"):
        raise Invalid("made_by is CE or BA.", place="made_by")
    if new.day > today:
        raise Invalid("A disclosure is written down when it was made.", place="day")
    if not (new.told.recipient.strip() and new.told.what.strip() and new.told.purpose.strip()):
        raise Invalid("recipient, what and purpose are needed.", place="told")
    if new.basis == "research" and not new.protocol:
        raise Invalid("Research names its protocol.", place="protocol")


def check_suppression(new: NewSuppression, basis: str, today: date) -> None:
    """Only for agencies, and an oral request for 30 days at most."""
    if basis not in SUPPRESSING:
        raise Invalid("Only oversight and law enforcement may ask for this.", place="basis")
    if new.statement not in ("written", "oral"):
        raise Invalid("statement is written or oral.", place="statement")
    if new.until < today:
        raise Invalid("until lies in the past.", place="until")
    if new.statement == "oral" and new.until > today + timedelta(days=ORAL_DAYS):
        raise Invalid("An oral request counts for 30 days.", place="until")


def since_of(today: date) -> date:
    """The first day of the six years before a request."""
    try:
        return today.replace(year=today.year - YEARS)
    except ValueError:  # 29 February
        return today.replace(year=today.year - YEARS, day=28)


def is_told(each: Disclosure, today: date) -> bool:
    """Whether the law has it told to the patient today."""
    held_back = each.suppressed is not None and each.suppressed >= today
    return each.basis in ACCOUNTED and not held_back


def account(found: Sequence[Disclosure], today: date) -> list[Line]:
    """The accounting of what was written down, oldest first, a series in one line."""
    lines: dict[object, Line] = {}
    for each in sorted(found, key=lambda one: (one.day, str(one.id))):
        if not is_told(each, today):
            continue
        key = each.series or each.id
        known = lines.get(key)
        first = known.first if known else each
        lines[key] = Line(first, each.day, known.count + 1 if known else 1)
    return list(lines.values())
