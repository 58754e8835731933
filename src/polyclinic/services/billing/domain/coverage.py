"""What a patient's insurance pays, and who is insured."""

import re
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from polyclinic.foundation.errors import Invalid
from polyclinic.services.billing.domain.people import Person, check_person

# HL7 subscriber-relationship, as far as a claim tells them apart.
RELATIONSHIPS = ("self", "spouse", "child", "other")
_MEMBER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9 -]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Terms:
    """What the patient pays, in minor units; no `out_of_pocket_left` means there is no limit."""

    copay: int = 0
    deductible_left: int = 0
    coinsurance_bp: int = 0  # basis points: 2000 is 20 %
    out_of_pocket_left: int | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """What the insurer knows the patient by: sealed. No `subscriber`: the patient is it."""

    member_id: str
    group_number: str = ""
    relationship: str = "self"
    subscriber: Person | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """An insurance of a patient; `rank` 1 pays first."""

    id: UUID
    patient: str
    payer: str
    rank: int
    from_day: date
    until_day: date | None
    member: Member
    terms: Terms = field(default_factory=Terms)
    ended: bool = False

    @property
    def member_id(self) -> str:
        return self.member.member_id

    @property
    def group_number(self) -> str:
        return self.member.group_number

    @property
    def relationship(self) -> str:
        return self.member.relationship

    @property
    def subscriber(self) -> Person | None:
        return self.member.subscriber

    def is_valid_on(self, day: date) -> bool:
        return self.from_day <= day and (self.until_day is None or day <= self.until_day)


def check_member(member: Member, today: date) -> None:
    if not _MEMBER_ID.fullmatch(member.member_id):
        raise Invalid("A member id has letters, digits, hyphens, blanks.", place="member_id")
    if len(member.group_number) > 30:
        raise Invalid("A group number has 30 characters at most.", place="group_number")
    if member.relationship not in RELATIONSHIPS:
        text = f"A relationship is one of {', '.join(RELATIONSHIPS)}."
        raise Invalid(text, place="relationship")
    if (member.relationship == "self") != (member.subscriber is None):
        text = "Say who the subscriber is, unless it is the patient."
        raise Invalid(text, place="subscriber")
    if member.subscriber is not None:
        check_person(member.subscriber, "subscriber", today)


def check_terms(terms: Terms) -> None:
    amounts = {
        "copay": terms.copay,
        "deductible_left": terms.deductible_left,
        "out_of_pocket_left": terms.out_of_pocket_left or 0,
    }
    for name, amount in amounts.items():
        if not 0 <= amount <= 10**11:
            raise Invalid("An amount of nothing or more, in minor units.", place=name)
    if not 0 <= terms.coinsurance_bp <= 10_000:
        raise Invalid("Coinsurance is 0 to 10000 basis points.", place="coinsurance_bp")
