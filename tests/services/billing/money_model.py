"""The slow and obvious model of a clinic's money: plain sums, nothing of how billing does it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

PAYER = "payer/nhp"
KINDS = ("payment_intent", "refund", "dispute")
Json = dict[str, Any]


@dataclass
class Charge:
    id: str
    visit: str
    patient: str
    amount: int
    owed_by: str
    claim: str | None
    is_aborted: bool = False
    is_reversed: bool = False


@dataclass
class Claim:
    id: str
    number: str
    patient: str
    lines: list[tuple[int, str, int]]  # line, charge, amount
    left: int = 0  # what the payer still owes of it
    was_sent: bool = False


@dataclass
class Advice:
    """An 835 that the payer wrote: what it will move when it arrives for the first time."""

    content: bytes
    moves: list[tuple[str, str, int, str | None]]
    has_arrived: bool = False


@dataclass
class Model:
    """One random clinic; `sums` are all accounts but what card payments do to them."""

    sums: Counter[str] = field(default_factory=Counter)
    patients: list[str] = field(default_factory=list)
    visits: dict[str, tuple[str, str | None]] = field(default_factory=dict)  # patient, coverage
    to_code: list[str] = field(default_factory=list)
    charges: dict[str, Charge] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    post: list[Advice] = field(default_factory=list)
    cash: dict[str, tuple[str, int]] = field(default_factory=dict)  # payment → patient, left

    def move(self, debit: str, credit: str, amount: int, claim: str | None = None) -> None:
        self.sums[debit] += amount
        self.sums[credit] -= amount
        if claim in self.claims:
            for account, moved in ((debit, amount), (credit, -amount)):
                self.claims[claim].left += moved if account == PAYER else 0

    def charged(self, charge: Charge) -> None:
        self.charges[charge.id] = charge
        self.move(charge.owed_by, "income", charge.amount, charge.claim)

    def takes_back(self, charge: Charge) -> None:
        """By an abort, or by a reversal of its entry: one of them moves money, not both."""
        if not (charge.is_aborted or charge.is_reversed):
            self.move("income", charge.owed_by, charge.amount, charge.claim)

    def arrives(self, advice: Advice) -> None:
        if not advice.has_arrived:
            for each in advice.moves:
                self.move(*each)
        advice.has_arrived = True


def account_of(patient: str) -> str:
    return f"patient/{patient}"


@dataclass
class Held:
    """What the card gateway holds of some patients' payments, by its own word."""

    paid: list[tuple[str, int]]  # patient, amount
    given_back: list[tuple[str, int]]
    failed_back: list[tuple[str, int]]  # given back, and then it came back
    disputes: list[tuple[str, int, str]]

    @classmethod
    def read(cls, everything: dict[str, list[Json]], whose: dict[str, str]) -> "Held":
        """`whose`: our payment → patient."""
        intents = {
            each["id"]: whose[each["metadata"]["payment"]]
            for each in everything["payment_intent"]
            if each["metadata"].get("payment") in whose
        }
        done = [
            each
            for each in everything["payment_intent"]
            if each["id"] in intents and each["status"] == "succeeded"
        ]
        payments = [each["metadata"]["payment"] for each in done]
        assert len(payments) == len(set(payments)), "a payment was charged twice"
        back = [each for each in everything["refund"] if each["payment_intent"] in intents]
        said = [each for each in everything["dispute"] if each["payment_intent"] in intents]

        def of(each: Json) -> str:
            return intents[each["payment_intent"]]

        return cls(
            [(intents[each["id"]], each["amount"]) for each in done],
            [(of(each), each["amount"]) for each in back if each["status"] == "succeeded"],
            [(of(each), each["amount"]) for each in back if each["status"] == "failed"],
            [(of(each), each["amount"], each["status"]) for each in said],
        )

    def owed_less(self, patient: str) -> int:
        """How much less a patient owes for it, once we know all of it."""
        lost = [(who, amount) for who, amount, status in self.disputes if status == "lost"]
        return _sum(self.paid, patient) - _sum(self.given_back, patient) - _sum(lost, patient)

    def may_owe_less(self, patient: str) -> set[int]:
        """Every sum that is true of some part of it: we may not have heard of all yet."""
        parts = [amount for who, amount in self.paid if who == patient]
        parts += [-amount for who, amount in self.given_back if who == patient]
        parts += [-amount for who, amount in self.failed_back if who == patient]
        parts += [-a for who, a, status in self.disputes if who == patient and status == "lost"]
        found = {0}
        for part in parts:
            found |= {each + part for each in found}
        return found

    @property
    def disputed(self) -> int:
        return sum(amount for _, amount, status in self.disputes if status not in ("won", "lost"))

    @property
    def in_card(self) -> int:
        at_odds = sum(amount for _, amount, status in self.disputes if status != "won")
        return _sum(self.paid) - _sum(self.given_back) - at_odds


def _sum(pairs: Iterable[tuple[str, int]], who: str | None = None) -> int:
    return sum(amount for whose, amount in pairs if who in (None, whose))


def parts(amount: int, percents: Iterable[int]) -> Iterator[int]:
    """Whole cents, in these hundredths; the last part is what is left."""
    left = amount
    for percent in percents:
        part = min(left, amount * percent // 100)
        left -= part
        yield part
    yield left
