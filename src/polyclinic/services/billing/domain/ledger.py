"""The ledger's words: accounts, lines and entries that balance. Debits are positive.

| account | kind | what it holds |
|---|---|---|
| `patient/<id>` | asset | what a patient owes; below nothing: their credit |
| `payer/<id>` | asset | what an insurer was asked for and has not decided |
| `bank`, `card`, `cash`, `check`, `other` | asset | what came in, and which way |
| `forwarded/<payer>` | asset | what an insurer keeps back or pays ahead (PLB) |
| `disputed` | asset | card payments under dispute |
| `income` | income | what was charged |
| `contractual` | expense | what contracts take off the charge |
| `adjusted` | expense | what an insurer takes off for other reasons |
| `written-off` | expense | what the clinic gives up |
"""

from dataclasses import dataclass
from uuid import UUID

ASSET, LIABILITY, INCOME, EXPENSE = "asset", "liability", "income", "expense"


@dataclass(frozen=True, slots=True)
class Account:
    """An account by its name; it comes to be with its first posting."""

    name: str
    kind: str


def patient_account(patient: str) -> Account:
    """`patient` is a reference such as `Patient/42`."""
    return Account(f"patient/{patient.partition('/')[2]}", ASSET)


def payer_account(payer: str) -> Account:
    return Account(f"payer/{payer}", ASSET)


def forwarded(payer: str) -> Account:
    return Account(f"forwarded/{payer}", ASSET)


BANK, CARD = Account("bank", ASSET), Account("card", ASSET)
DISPUTED = Account("disputed", ASSET)
EARNED = Account("income", INCOME)
CONTRACTUAL = Account("contractual", EXPENSE)
ADJUSTED = Account("adjusted", EXPENSE)
WRITTEN_OFF = Account("written-off", EXPENSE)
_TILLS = {name: Account(name, ASSET) for name in ("cash", "check", "other")} | {"card": CARD}


def till(method: str) -> Account:
    """Where a payment of this method lies."""
    return _TILLS[method]


@dataclass(frozen=True, slots=True)
class Line:
    """One posting: debit above nothing, credit below; `what` is a code such as `CO-45`."""

    account: Account
    amount: int
    patient: str | None = None
    claim: UUID | None = None
    charge: UUID | None = None
    what: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """All lines of one cause. `source` names it: the same cause is posted once, ever."""

    kind: str
    source: str
    author: str
    lines: tuple[Line, ...]
    reverses: UUID | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        if sum(line.amount for line in self.lines) != 0:
            raise ValueError(f"{self.kind} does not balance.")


@dataclass(frozen=True, slots=True)
class About:
    """Whose and what for: kept with each line, so that a balance can be told by each of them."""

    patient: str | None = None
    claim: UUID | None = None
    charge: UUID | None = None
    what: str = ""


def transfer(debit: Account, credit: Account, amount: int, about: About) -> list[Line]:
    """From one account to another; nothing for nothing, the other way round below nothing."""
    if not amount:
        return []
    rest = (about.patient, about.claim, about.charge, about.what)
    return [Line(debit, amount, *rest), Line(credit, -amount, *rest)]


def merged(lines: list[Line]) -> tuple[Line, ...]:
    """Lines of the same account and cause as one; what comes to nothing is left out."""
    sums: dict[tuple[object, ...], int] = {}
    kept: dict[tuple[object, ...], Line] = {}
    for line in lines:
        key = (line.account, line.patient, line.claim, line.charge, line.what)
        sums[key] = sums.get(key, 0) + line.amount
        kept.setdefault(key, line)
    return tuple(
        Line(each.account, sums[key], each.patient, each.claim, each.charge, each.what)
        for key, each in kept.items()
        if sums[key]
    )
