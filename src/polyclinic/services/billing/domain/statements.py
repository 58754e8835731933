"""A patient's bill: what each charge left to pay, what was paid, what is owed; sums are exact."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from polyclinic.foundation.errors import NotProcessable
from polyclinic.services.billing.domain.charges import Charge

ISSUED, BALANCED, CANCELLED = "issued", "balanced", "cancelled"


class NothingOwed(NotProcessable):
    """Nothing is owed, so there is nothing to bill."""


@dataclass(frozen=True, slots=True)
class Came:
    """What the ledger says became of one charge."""

    share: int = 0
    waiting: int = 0
    insurance: int = 0
    contract: int = 0
    forgiven: int = 0


@dataclass(frozen=True, slots=True)
class BillLine:
    """How one line came about: charged = insurance + contract + forgiven + waiting + share.

    `paid` is what payments have covered of the share, the oldest charge first.
    """

    charge: UUID
    day: date
    code: str
    title: str
    units: int
    charged: int
    insurance: int
    contract: int
    forgiven: int
    waiting: int
    share: int
    paid: int

    @property
    def left(self) -> int:
        return self.share - self.paid


@dataclass(frozen=True, slots=True)
class Bill:
    """All that a patient owes. `other` is owed for no charge in particular (a lost dispute)."""

    lines: tuple[BillLine, ...]
    other: int
    credit: int
    total: int

    @property
    def open_lines(self) -> tuple[BillLine, ...]:
        return tuple(line for line in self.lines if line.left)


def bill(charges: Sequence[Charge], came: Mapping[UUID, Came], balance: int) -> Bill:
    """Payments cover the oldest charges first; what remains adds up to the balance exactly."""
    ordered = sorted(charges, key=lambda each: (each.day, str(each.visit), each.line))
    known = [each for each in ordered if each.id in came]
    shares = sum(max(came[each.id].share, 0) for each in known)
    # Debts that belong to no charge come last: what was paid covers the charges before them.
    paid = max(shares - balance, 0)
    lines = list[BillLine]()
    for each in known:
        part = came[each.id]
        covered = min(paid, max(part.share, 0))
        paid -= covered
        lines.append(_line(each, part, covered))
    other = max(balance - shares, 0)
    return Bill(tuple(lines), other, paid, sum(line.left for line in lines) + other)


def _line(charge: Charge, part: Came, covered: int) -> BillLine:
    return BillLine(
        charge.id,
        charge.day,
        charge.detail.code,
        charge.detail.title,
        charge.units,
        charge.amount,
        part.insurance,
        part.contract,
        part.forgiven,
        part.waiting,
        max(part.share, 0),
        covered,
    )


def still_open(balance: int, newer: int) -> int:
    """What is left of a bill: the balance less what became owed after it."""
    return max(balance - newer, 0)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a statement keeps sealed: whom it was sent to and its lines, as they were."""

    name: str
    address: tuple[str, ...]
    lines: tuple[BillLine, ...]
    other: int


@dataclass(frozen=True, slots=True)
class Statement:
    """A bill that was sent."""

    id: UUID
    number: int
    patient: str
    day: date
    due: date
    total: int
    currency: str
    status: str
    seq: int
