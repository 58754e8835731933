"""Bills as the portal knows them: what is owed, how it came about, what was paid and is planned."""

from collections.abc import Sequence
from datetime import date, datetime

import msgspec

from polyclinic.foundation.errors import NotFound

CARD = "card"
PAID, FAILED, CANCELED, PROCESSING = "succeeded", "failed", "canceled", "processing"
OPEN_PAGE = ("starting", "requires_action")


class Why(msgspec.Struct, frozen=True):
    """An adjustment of a line as the insurance gave it: group, reason (CARC) and amount."""

    group: str
    reason: str
    amount: int


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One charge: charged = insurance + contract + forgiven + waiting + share.

    `paid` is what payments have covered of the share.
    """

    charge: str = ""
    day: date
    code: str = ""
    title: str = ""
    units: int = 1
    charged: int
    insurance: int = 0
    contract: int = 0
    forgiven: int = 0
    waiting: int = 0
    share: int
    paid: int = 0
    why: tuple[Why, ...] = ()

    @property
    def left(self) -> int:
        return self.share - self.paid


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """What is owed now, charge by charge; `other` belongs to no charge in particular."""

    currency: str
    owed: int
    payable: int
    on_its_way: int = 0
    credit: int = 0
    other: int = 0
    cards: bool = False
    lines: tuple[Line, ...] = ()

    @property
    def open_lines(self) -> tuple[Line, ...]:
        """What is not yet paid or decided; the rest is history."""
        return tuple(each for each in self.lines if each.left or each.waiting)

    @property
    def waiting(self) -> int:
        """What insurance has not decided yet: a part of it may come to be owed."""
        return sum(each.waiting for each in self.lines)


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """A bill that was sent, as it was then."""

    id: str
    number: int
    day: date
    due: date
    total: int
    currency: str
    status: str
    lines: tuple[Line, ...] = ()
    other: int = 0

    @property
    def is_paid(self) -> bool:
        return self.status == "balanced"

    @property
    def is_taken_back(self) -> bool:
        return self.status == "cancelled"

    @property
    def is_open(self) -> bool:
        return not self.is_paid and not self.is_taken_back


class Refund(msgspec.Struct, frozen=True):
    """Money that was given back, or is on its way."""

    id: str
    amount: int
    status: str
    reason: str
    made: datetime


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """Money from the patient, and how far it is."""

    id: str
    method: str
    amount: int
    currency: str
    status: str
    made: datetime
    changed: datetime
    refunded: int = 0
    disputed: bool = False
    statement: str | None = None
    failure: str | None = None
    refunds: tuple[Refund, ...] = ()
    action_url: str | None = None

    @property
    def is_open(self) -> bool:
        """A card page on which nobody has paid yet."""
        return self.status in OPEN_PAGE


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """What a patient owes now, what can be paid now, and every payment, the newest first."""

    currency: str
    owed: int
    payable: int
    on_its_way: int = 0
    cards: bool = False
    payments: tuple[Payment, ...] = ()

    @property
    def credit(self) -> int:
        return max(-self.owed, 0)


class Part(msgspec.Struct, frozen=True):
    """One part of a payment plan."""

    due: date
    amount: int
    paid: int = 0
    status: str = "due"

    @property
    def left(self) -> int:
        return self.amount - self.paid


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What was agreed to be paid, and when."""

    id: str = msgspec.field(name="plan")
    status: str
    total: int
    currency: str
    paid: int = 0
    parts: tuple[Part, ...] = ()

    @property
    def is_active(self) -> bool:
        return self.status == "active"

    @property
    def next(self) -> Part | None:
        return next((each for each in self.parts if each.left), None)


class Cost(msgspec.Struct, frozen=True):
    """An amount with its currency."""

    amount: int
    currency: str


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an estimate; `share` is what the patient would pay of it."""

    code: str
    title: str = ""
    units: int = 1
    charge: int
    allowed: int
    is_listed: bool = True
    copay: int = 0
    deductible: int = 0
    coinsurance: int = 0
    spared: int = 0
    share: int


class Provider(msgspec.Struct, frozen=True):
    """Who gives the care that an estimate is about."""

    clinic: str = ""
    practitioner: str | None = None
    npi: str = ""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a visit is expected to cost, said beforehand."""

    id: str
    kind: str
    for_day: date
    made: datetime
    valid_until: date
    provider: Provider = Provider()
    lines: tuple[Expected, ...] = ()
    total: Cost
    share: Cost
    billed: int | None = None
    flagged: bool = False
    disclaimers: tuple[str, ...] = ()

    @property
    def is_good_faith(self) -> bool:
        return self.kind == "good-faith"


def due(statements: Sequence[Statement]) -> date | None:
    """By when the oldest open bill is to be paid."""
    return min((each.due for each in statements if each.is_open), default=None)


def active(plans: Sequence[Plan]) -> Plan | None:
    return next((each for each in plans if each.is_active), None)


def of_id(payments: Sequence[Payment], name: str) -> Payment:
    found = next((each for each in payments if each.id == name), None)
    if found is None:
        raise NotFound("There is no such payment of yours.")
    return found


def last_by_card(money: Money) -> Payment | None:
    """Where somebody who comes back from the card page has just been."""
    return next((each for each in money.payments if each.method == CARD), None)


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody sees who holds a bill's link and knows the birth date; `payment` is a state."""

    number: int
    total: int
    due: date
    status: str
    currency: str
    owed: int
    payable: int
    on_its_way: int = 0
    cards: bool = False
    initials: str = ""
    payment: str | None = None
