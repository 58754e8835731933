"""Insurers as configured: how they are reached and what they insist on, as data."""

import re
from dataclasses import dataclass, field

from polyclinic.foundation.errors import Conflict, Invalid
from polyclinic.services.billing.domain.people import Address

ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)
_X12_ID = re.compile(r"[A-Z0-9]{2,15}", re.ASCII)
_PATTERN = re.compile(r"[A-Z0-9@#?-]{1,40}\*?", re.ASCII)
# What each sign of a member id pattern stands for; every other sign stands for itself.
_SIGNS = {"@": "[A-Z]", "#": "[0-9]", "?": "[A-Z0-9]"}


@dataclass(frozen=True, slots=True)
class Rules:
    """What a payer insists on; the check of a claim reads this and names what is missing."""

    prior_authorization: tuple[str, ...] = ()  # codes
    timely_filing_days: int | None = None
    member_id_pattern: str = ""  # @ a letter, # a digit, ? either, * anything at the end
    needs_referral: tuple[str, ...] = ()  # codes
    units_max: dict[str, int] = field(default_factory=dict[str, int])  # by code


@dataclass(frozen=True, slots=True)
class Payer:
    """An insurer. `electronic`: whether claims go as X12 files; else they are printed."""

    id: str
    name: str
    x12_id: str
    address: Address = field(default_factory=Address)
    electronic: bool = True
    rules: Rules = field(default_factory=Rules)


class SameNumber(Conflict):
    """Another payer has this X12 id."""


def check_payer(payer: Payer) -> None:
    if not ID.fullmatch(payer.id):
        raise Invalid("A payer's id has small letters, digits and hyphens.", place="id")
    if not payer.name.strip() or len(payer.name) > 60:
        raise Invalid("A payer has a name of 60 characters at most.", place="name")
    if not _X12_ID.fullmatch(payer.x12_id):
        raise Invalid("The X12 id has 2 to 15 capital letters and digits.", place="x12_id")
    rules = payer.rules
    if rules.member_id_pattern and not _PATTERN.fullmatch(rules.member_id_pattern):
        raise Invalid(
            "A pattern is made of @ (a letter), # (a digit), ? (either), capital letters, digits"
            " and hyphens; * at its end stands for the rest.",
            place="rules.member_id_pattern",
        )
    if rules.timely_filing_days is not None and not 1 <= rules.timely_filing_days <= 3650:
        raise Invalid("Filing takes 1 to 3650 days.", place="rules.timely_filing_days")
    if any(most < 1 for most in rules.units_max.values()):
        raise Invalid("At least one unit.", place="rules.units_max")


def fits(pattern: str, member_id: str) -> bool:
    """Whether a member id looks as its payer's ids do; no pattern fits everything."""
    if not pattern:
        return True
    is_open = pattern.endswith("*")
    signs = pattern.removesuffix("*")
    shape = "".join(_SIGNS.get(sign, re.escape(sign)) for sign in signs)
    return bool(re.fullmatch(shape + (".*" if is_open else ""), member_id))
