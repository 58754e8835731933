"""What billing tells its staff: queues, visits, claims, files, fees, days and payments."""

from datetime import date, datetime
from typing import Any

import msgspec


class Item(msgspec.Struct, frozen=True):
    """Something that waits for a person."""

    id: str
    queue: str
    subject: str
    patient: str | None
    payer: str | None
    amount: int
    code: str
    owner: str | None
    age_days: int

    @property
    def subject_id(self) -> str:
        return self.subject.partition("/")[2]

    @property
    def kind(self) -> str:
        return self.subject.partition("/")[0]


class Total(msgspec.Struct, frozen=True):
    """How much waits in one queue, and since when the oldest does."""

    items: int = 0
    amount: int = 0
    oldest_days: int = 0


class Queues(msgspec.Struct, frozen=True):
    """A page of work, and what waits in each queue."""

    items: list[Item]
    counts: dict[str, int]
    following: str | None = msgspec.field(default=None, name="next")
    totals: dict[str, Total] = {}
    currency: str = "USD"

    def total(self, queue: str) -> Total:
        return self.totals.get(queue) or Total(self.counts.get(queue, 0))


class Payer(msgspec.Struct, frozen=True):
    """An insurer."""

    id: str
    name: str
    electronic: bool = True


class Coverage(msgspec.Struct, frozen=True):
    """An insurance of a patient."""

    id: str
    payer: str
    rank: int
    from_day: date
    until_day: date | None
    member_id: str
    ended: bool = False

    def is_valid_on(self, day: date) -> bool:
        is_begun = self.from_day <= day
        return is_begun and not self.ended and (self.until_day is None or day <= self.until_day)


class ChargeLine(msgspec.Struct, frozen=True):
    """What was done, and what is asked for it; `amount` is for all units together."""

    line: int
    code: str
    title: str
    modifiers: list[str]
    pointers: list[int]
    units: int
    amount: int
    id: str = ""
    charge: str = ""
    status: str = ""


class Visit(msgspec.Struct, frozen=True):
    """A visit that is to be coded or was."""

    id: str
    source: str
    patient: str
    practitioner: str
    day: date
    status: str
    coverage: str | None
    diagnoses: list[str]
    charges: list[ChargeLine]

    @property
    def patient_id(self) -> str:
        return self.patient.partition("/")[2]


class Fee(msgspec.Struct, frozen=True):
    """The price of one unit."""

    code: str
    modifier: str
    title: str
    amount: int


class Schedule(msgspec.Struct, frozen=True):
    """A price list: the clinic's own, or what a payer allows."""

    id: str
    name: str
    payer: str | None
    from_day: date
    until_day: date | None
    currency: str
    fees: list[Fee] = []

    def is_valid_on(self, day: date) -> bool:
        return self.from_day <= day and (self.until_day is None or day <= self.until_day)


class ClaimRow(msgspec.Struct, frozen=True, kw_only=True):
    """A claim in a list."""

    id: str
    number: str
    visit: str
    patient: str
    payer: str
    status: str
    frequency: int
    total: int
    paid: int
    currency: str
    payer_number: str | None
    made: datetime
    changed: datetime

    @property
    def patient_id(self) -> str:
        return self.patient.partition("/")[2]


class Claims(msgspec.Struct, frozen=True):
    """A page of claims, the newest first."""

    claims: list[ClaimRow]
    more: str | None = None


class Finding(msgspec.Struct, frozen=True):
    """What one rule of the check says: passed, failed or not-applicable."""

    rule: str
    outcome: str
    text: str = ""
    place: str = ""


class Adjustment(msgspec.Struct, frozen=True):
    """What a payer took off, and why."""

    code: str
    text: str
    amount: int


class Decision(msgspec.Struct, frozen=True):
    """What a payer decided about one line, or about the claim as a whole."""

    remittance: str
    day: date
    charge: str | None
    charged: int
    paid: int
    patient_share: int
    adjustments: list[Adjustment]


class Told(msgspec.Struct, frozen=True):
    """One line of a claim's history."""

    at: datetime
    status: str
    kind: str
    author: str
    file: str | None
    note: str


class File(msgspec.Struct, frozen=True):
    """An X12 file that went out or came in."""

    id: str
    direction: str
    kind: str
    payer: str | None
    control: str | None
    status: str
    problem: str | None
    made: datetime


class Claim(ClaimRow, frozen=True, kw_only=True):
    """Everything about one claim."""

    day: date
    practitioner: str
    diagnoses: list[str]
    payer_name: str
    member_id: str
    lines: list[ChargeLine]
    findings: list[Finding]
    decisions: list[Decision]
    history: list[Told]
    files: list[File]
    open: int


class Day(msgspec.Struct, frozen=True):
    """A day of the ledger that was closed."""

    day: date
    author: str
    entries: int
    debits: int
    digest: str


class Proof(msgspec.Struct, frozen=True):
    """Whether the ledger adds up, and what of it does not."""

    holds: bool
    wrong_balances: int
    unbalanced: int
    broken_days: list[date]


class Refund(msgspec.Struct, frozen=True):
    """What was given back of a payment."""

    id: str
    amount: int
    status: str
    reason: str
    made: datetime


class Payment(msgspec.Struct, frozen=True):
    """Money from a patient, and what of it was given back."""

    id: str
    patient: str
    method: str
    amount: int
    refunded: int
    currency: str
    status: str
    disputed: bool
    made: datetime
    refunds: list[Refund]

    @property
    def left(self) -> int:
        return self.amount - self.refunded if self.status == "succeeded" else 0

    @property
    def patient_id(self) -> str:
        return self.patient.partition("/")[2]


class Account(msgspec.Struct, frozen=True):
    """What a patient owes and has paid; below nothing it is a credit."""

    patient: str
    currency: str
    owed: int
    on_its_way: int
    payments: list[Payment]


class FileTaken(msgspec.Struct, frozen=True):
    """What became of a payer's file."""

    file: str
    kind: str
    status: str
    problem: str | None = None
    again: bool = False


# What a form becomes on its way to billing.
Body = dict[str, Any]
