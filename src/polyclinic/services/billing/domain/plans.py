"""Payment plans: equal parts by the month, and how far they are, told by what was paid since."""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from polyclinic.foundation.errors import Conflict, Invalid, NotProcessable
from polyclinic.services.billing.domain.money import split

PARTS_MIN, PARTS_MAX = 2, 12
ACTIVE, DONE, CANCELLED = "active", "done", "cancelled"


class PlanExists(Conflict):
    """This patient has a payment plan already; cancel it first."""


class NotWhatIsOwed(NotProcessable):
    """A plan is for all that is owed, no more and no less."""


@dataclass(frozen=True, slots=True)
class Instalment:
    """One part: `paid` is how much of it what was paid since the plan began covers."""

    line: int
    due: date
    amount: int
    paid: int = 0

    def status(self, today: date) -> str:
        if self.paid == self.amount:
            return "paid"
        return "late" if self.due < today else "due"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a patient has agreed to pay, and when. `author` began it."""

    id: UUID
    patient: str
    total: int
    currency: str
    status: str
    author: str
    made: datetime
    seq: int
    parts: tuple[Instalment, ...] = ()


def parts(total: int, count: int, first: date, today: date) -> tuple[Instalment, ...]:
    """Parts that differ by a cent at most, on the same day of each month (or its last)."""
    if not PARTS_MIN <= count <= PARTS_MAX:
        raise Invalid(f"A plan has {PARTS_MIN} to {PARTS_MAX} parts.", place="parts")
    if not today <= first <= add_months(today, 2):
        raise Invalid("A plan begins within two months.", place="first_day")
    if total < count:
        raise Invalid("That is too little to be split.", place="parts")
    return tuple(
        Instalment(n + 1, add_months(first, n), amount)
        for n, amount in enumerate(split(total, count))
    )


def add_months(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def told(instalments: Sequence[Instalment], paid: int) -> tuple[Instalment, ...]:
    """What was paid covers the first parts first."""
    left, shown = max(paid, 0), list[Instalment]()
    for each in instalments:
        covered = min(each.amount, left)
        left -= covered
        shown.append(Instalment(each.line, each.due, each.amount, covered))
    return tuple(shown)
