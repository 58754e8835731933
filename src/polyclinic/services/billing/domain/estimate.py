"""What a visit will cost: good-faith estimates (45 CFR 149.610) and those of an insurance's terms.

An insurance's terms are applied to each line in the order of the lines: the copay (once a visit),
then what is left of the deductible, then coinsurance of the rest; never more than what is left of
the out-of-pocket maximum, and never more than the insurer allows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from polyclinic.services.billing.domain import money
from polyclinic.services.billing.domain.coverage import Terms

GOOD_FAITH, INSURED = "good-faith", "insured"

# What 45 CFR 149.610 (c)(1) wants said, in our own words.
DISCLAIMERS = {
    GOOD_FAITH: (
        "This is an estimate from what is known today; what is done may differ from it.",
        "Other clinics and laboratories may send bills of their own that are not part of it.",
        "If the bill is $400 or more above this estimate you may dispute it: ask us first, or"
        " start the federal patient-provider dispute resolution within 120 days of the bill.",
        "Starting a dispute changes nothing about the care that you get here.",
        "This is no contract: you need not have these services, nor have them here.",
    ),
    INSURED: (
        "This is an estimate; your insurer decides what it pays when it has the claim.",
        "It rests on the insurance terms that we have on file; ask your insurer about changes.",
    ),
}


@dataclass(frozen=True, slots=True)
class Expected:
    """A line before anybody's terms: the clinic's charge, and what the insurer allows of it."""

    code: str
    modifiers: tuple[str, ...]
    title: str
    units: int
    charge: int
    allowed: int
    is_listed: bool = True  # whether the insurer's own list says what it allows


@dataclass(frozen=True, slots=True)
class Share:
    """What of an allowed amount the patient pays, and why."""

    copay: int = 0
    deductible: int = 0
    coinsurance: int = 0
    spared: int = 0  # taken off, because the out-of-pocket maximum is reached

    @property
    def total(self) -> int:
        return self.copay + self.deductible + self.coinsurance - self.spared


@dataclass(frozen=True, slots=True)
class Content:
    """An estimate's lines and what else is sealed of it."""

    diagnoses: tuple[str, ...]
    lines: tuple[Expected, ...]
    shares: tuple[Share, ...]
    practitioner: str
    npi: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimate as it was given; `visit` and `billed` once it came true."""

    id: UUID
    patient: str
    kind: str
    coverage: UUID | None
    for_day: date
    total: int
    share: int
    currency: str
    author: str
    made: datetime
    content: Content
    visit: UUID | None = None
    billed: int | None = None
    flagged: bool = False

    @property
    def valid_until(self) -> date:
        """Twelve months: 45 CFR 149.610 (b)(1)(x)."""
        return valid_until(self.made.date())


def valid_until(made: date) -> date:
    is_leap_day = (made.month, made.day) == (2, 29)
    return made.replace(year=made.year + 1, day=28 if is_leap_day else made.day)


def shares(allowed: Sequence[int], terms: Terms) -> list[Share]:
    """The patient's part of each line, in the order of real plans."""
    copay_left, deductible_left = terms.copay, terms.deductible_left
    pocket_left = terms.out_of_pocket_left
    found: list[Share] = []
    for amount in allowed:
        copay = min(copay_left, amount)
        deductible = min(deductible_left, amount - copay)
        coinsurance = money.share(amount - copay - deductible, terms.coinsurance_bp)
        asked = copay + deductible + coinsurance
        spared = 0 if pocket_left is None else max(asked - pocket_left, 0)
        copay_left -= copay
        deductible_left -= deductible
        if pocket_left is not None:
            pocket_left -= asked - spared
        found.append(Share(copay, deductible, coinsurance, spared))
    return found


def in_full(allowed: Sequence[int]) -> list[Share]:
    """Who has no insurance pays all of it."""
    return shares(allowed, Terms(coinsurance_bp=10_000))


def is_excess(billed: int, expected: int, limit: int) -> bool:
    """More than so much above the estimate."""
    return billed - expected > limit
