"""Billing kept in memory: one patient's bills, a card page that obeys, a pay link."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TypeVar

import msgspec

from polyclinic.foundation import clock, ids
from polyclinic.foundation.errors import Gone, NotFound, Unavailable
from polyclinic.services.portal.domain.bill_plans import parts
from polyclinic.services.portal.domain.bills import (
    Cost,
    Estimate,
    Expected,
    Line,
    Money,
    Opened,
    Owed,
    Payment,
    Plan,
    Provider,
    Statement,
    Why,
)
from polyclinic.services.portal.gateways.billing import (
    Agreed,
    CardsSilent,
    NotAccepted,
    Proof,
    Refused,
    Started,
    TooOften,
    Wanted,
)

T = TypeVar("T", Statement, Payment, Plan, Estimate)
BORN = date(1968, 3, 14)
TOKEN = "a" * 27
PAGE = "https://cards.test/pay/cs_1"
DAY = date(2026, 11, 5)
LINES = (
    Line(
        charge="c1",
        day=DAY,
        code="Z1001",
        title="Visit of a known patient",
        charged=16_500,
        insurance=9_600,
        contract=4_500,
        share=2_400,
        why=(Why("CO", "45", 4_500), Why("PR", "3", 2_400)),
    ),
    Line(
        charge="c2",
        day=DAY,
        code="Z1002",
        title="Blood drawn",
        charged=4_800,
        insurance=1_200,
        contract=1_800,
        share=1_800,
        why=(Why("CO", "45", 1_800), Why("PR", "1", 1_800)),
    ),
)


def statement(number: int = 1042, total: int = 4_200, **changes: object) -> Statement:
    values: dict[str, object] = {
        "id": str(ids.new_uuid()),
        "number": number,
        "day": DAY + timedelta(days=3),
        "due": DAY + timedelta(days=33),
        "total": total,
        "currency": "USD",
        "status": "issued",
        "lines": LINES,
    }
    return Statement(**{**values, **changes})  # pyright: ignore


def payment(amount: int = 4_200, status: str = "succeeded", **changes: object) -> Payment:
    now = clock.now()
    values: dict[str, object] = {
        "id": str(ids.new_uuid()),
        "method": "card",
        "amount": amount,
        "currency": "USD",
        "status": status,
        "made": now,
        "changed": now,
    }
    return Payment(**{**values, **changes})  # pyright: ignore


def estimate(**changes: object) -> Estimate:
    line = Expected(
        code="Z1001", title="Visit of a known patient", charge=16_500, allowed=16_500, share=16_500
    )
    today = clock.now()
    values: dict[str, object] = {
        "id": str(ids.new_uuid()),
        "kind": "good-faith",
        "for_day": date(2026, 12, 10),
        "made": today,
        "valid_until": today.date() + timedelta(days=365),
        "provider": Provider("Northside", None, "1234567893"),
        "lines": (line,),
        "total": Cost(16_500, "USD"),
        "share": Cost(16_500, "USD"),
        "disclaimers": ("This is an estimate from what is known today.",),
    }
    return Estimate(**{**values, **changes})  # pyright: ignore


@dataclass
class BillingInMemory:
    """What billing knows of Maria; `card` is what becomes of the next card payment."""

    lines: Sequence[Line] = LINES
    found: list[Statement] = field(default_factory=lambda: [statement()])
    payments: list[Payment] = field(default_factory=list)
    agreed: list[Plan] = field(default_factory=list)
    expected: list[Estimate] = field(default_factory=list)
    credit: int = 0
    has_cards: bool = True
    card: str = "succeeded"
    failure: str | None = None
    down: bool = False
    hurried: bool = False
    no_cards: bool = False
    ended_link: bool = False
    tries: list[Proof] = field(default_factory=list)
    returns: list[str] = field(default_factory=list)
    _by_key: dict[str, Started] = field(default_factory=dict)

    @property
    def balance(self) -> int:
        paid = sum(p.amount - p.refunded for p in self.payments if p.status == "succeeded")
        return sum(each.share for each in self.lines) - paid - self.credit

    async def money(self, token: str) -> Money:
        owed = await self.owed(token)
        return Money(
            currency="USD",
            owed=owed.owed,
            payable=owed.payable,
            on_its_way=owed.on_its_way,
            cards=owed.cards,
            payments=tuple(reversed(self.payments)),
        )

    async def owed(self, token: str) -> Owed:
        self._listen()
        coming = sum(p.amount for p in self.payments if p.status == "processing")
        return Owed(
            currency="USD",
            owed=self.balance,
            payable=max(self.balance - coming, 0),
            on_its_way=coming,
            credit=self.credit,
            cards=self.has_cards,
            lines=tuple(self.lines),
        )

    async def statements(self, token: str) -> tuple[Statement, ...]:
        self._listen()
        return tuple(self.found)

    async def statement(self, token: str, statement: str) -> Statement:
        self._listen()
        return _one(self.found, statement)

    async def pay(self, token: str, key: str, wanted: Wanted) -> Started:
        self._listen()
        return self._start(key, wanted.amount, wanted.return_url, wanted.statement)

    async def payment(self, token: str, payment: str) -> Payment:
        self._listen()
        found = _one(self.payments, payment)
        self._ask_cards(asks=found.is_open)
        return msgspec.structs.replace(found, action_url=PAGE if found.is_open else None)

    async def settle(self, token: str, key: str, payment: str) -> str:
        self._listen()
        found = _one(self.payments, payment)
        self._ask_cards(asks=found.status in ("requires_action", "processing"))
        if found.status in ("requires_action", "processing"):
            moved = msgspec.structs.replace(found, status=self.card, failure=self.failure)
            self.payments[self.payments.index(found)] = moved
            return self.card
        return found.status

    async def plans(self, token: str) -> tuple[Plan, ...]:
        self._listen()
        return tuple(reversed(self.agreed))

    async def agree(self, token: str, key: str, agreed: Agreed) -> Plan:
        self._listen()
        if agreed.total != self.balance:
            raise NotAccepted("A plan is for all that is owed.", kind="NotWhatIsOwed")
        if any(each.is_active for each in self.agreed):
            raise Refused("There is a plan already.", kind="PlanExists")
        made = parts(agreed.total, agreed.parts, agreed.first_day)
        plan = Plan(
            id=str(ids.new_uuid()), status="active", total=agreed.total, currency="USD", parts=made
        )
        self.agreed.append(plan)
        return plan

    async def end_plan(self, token: str, key: str, plan: str) -> None:
        found = _one(self.agreed, plan)
        ended = msgspec.structs.replace(found, status="cancelled")
        self.agreed[self.agreed.index(found)] = ended

    async def estimates(self, token: str, patient: str) -> tuple[Estimate, ...]:
        self._listen()
        assert patient == "Patient/maria"
        return tuple(self.expected)

    async def estimate(self, token: str, estimate: str) -> Estimate:
        self._listen()
        return _one(self.expected, estimate)

    async def statement_pdf(self, token: str, statement: str) -> bytes:
        _one(self.found, statement)
        return b"%PDF-1.7 bill"

    async def receipt_pdf(self, token: str, payment: str) -> bytes:
        _one(self.payments, payment)
        return b"%PDF-1.7 receipt"

    async def open_link(self, proof: Proof, payment: str | None = None) -> Opened:
        self._listen()
        self.tries.append(proof)
        if self.hurried:
            raise TooOften
        if self.ended_link or proof.token != TOKEN:
            raise Gone
        if proof.birth_date != BORN:
            raise NotAccepted("Wrong.", kind="WrongAnswer")
        state = await self.settle("", "k", payment) if payment else None
        bill, owed = self.found[0], await self.owed("")
        return Opened(
            number=bill.number,
            total=bill.total,
            due=bill.due,
            status=bill.status,
            currency="USD",
            owed=owed.owed,
            payable=owed.payable,
            on_its_way=owed.on_its_way,
            cards=self.has_cards,
            initials="M.K.",
            payment=state,
        )

    async def pay_link(self, key: str, proof: Proof, amount: int, back: str) -> Started:
        await self.open_link(proof)
        return self._start(key, amount, back, self.found[0].id)

    def _start(self, key: str, amount: int, back: str, about: str | None) -> Started:
        self.returns.append(back)
        self._ask_cards(asks=True)
        if key in self._by_key:
            return self._by_key[key]
        if amount > self.balance:
            raise NotAccepted("This is more than what is owed.", kind="MoreThanOwed")
        made = payment(amount, "requires_action", statement=about)
        self.payments.append(made)
        self._by_key[key] = Started(made.id, made.status, amount, "USD", PAGE)
        return self._by_key[key]

    def _ask_cards(self, *, asks: bool) -> None:
        if asks and self.no_cards:
            raise CardsSilent(place="cards")

    def _listen(self) -> None:
        if self.down:
            raise Unavailable("The billing service does not answer.", place="billing")


def _one(found: Sequence[T], name: str) -> T:
    for each in found:
        if each.id == name:
            return each
    raise NotFound("There is no such thing of yours.", place="billing")
