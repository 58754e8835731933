"""Pay links: who holds the bill and knows the birth date may pay it, and sees nothing else.

No person's token stands behind these requests. What stands instead: 160 random-looking bits that
no table holds, the birth date, five attempts in all, an end, and a pace for everybody together.
"""

import time
from collections import deque
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

import msgspec

from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Overloaded
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.billing.actions import paying, settling, stating
from polyclinic.services.billing.actions.paying import Wanted
from polyclinic.services.billing.actions.people import person_of
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain import links as rules
from polyclinic.services.billing.domain import payments as payment_rules
from polyclinic.services.billing.domain.links import LinkEnded, NobodyKnows, WrongAnswer
from polyclinic.services.billing.domain.payments import CARD_METHOD
from polyclinic.services.billing.domain.people import Person
from polyclinic.services.billing.domain.statements import Statement
from polyclinic.services.billing.store import links, payments, statements

# Of everybody together in a process: guessing is slowed down before the database is asked.
ASKS_A_MINUTE = 600
_SCOPES = frozenset({"patient/PaymentNotice.cr"})


@dataclass(frozen=True, slots=True)
class Link:
    """The address on a bill and the day on which it ends."""

    url: str
    ends: date


class Opening(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The word on the bill and the answer to "when were you born"; a payment to look after."""

    token: str
    birth_date: date
    payment: UUID | None = None


class GuestPayment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The same, and how much is paid by card."""

    token: str
    birth_date: date
    amount: int
    return_url: str


class Pace:
    """So many in a minute and no more; each process counts its own."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._times: deque[float] = deque()

    def step(self) -> None:
        """Raises Overloaded."""
        now = time.monotonic()
        while self._times and now - self._times[0] > 60:
            self._times.popleft()
        if len(self._times) >= self._most:
            raise Overloaded("Too many bills are being opened; try again in a minute.")
        self._times.append(now)


_pace = Pace(ASKS_A_MINUTE)


async def link_of(books: Books, statement: Statement) -> Link | None:
    """The link of a bill: the same until it ends, then another one; none without an address."""
    public = books.settings.pay_url or books.running.platform.public_url
    ends = statement.day + timedelta(days=books.settings.pay_link_days)
    left = (ends - books.today()).days
    if public is None or left <= 0 or statement.status != "issued":
        return None
    database = books.running.database
    former = await links.generation(database, statement.id, rules.FAILURES_MAX)
    number = former.number if former.is_live else former.number + 1
    token = rules.token(books.running.vault.secret("pay link"), statement.id, number)
    if not former.is_live:
        hashed = rules.hashed(token)
        assert hashed is not None
        await links.add(database, hashed, statement.id, left)
    return Link(f"{public}{rules.PATH}{token}", ends)


async def open_link(books: Books, asked: Opening) -> dict[str, object]:
    """What is owed, to whoever holds the bill and knows the birth date: no name, no treatment."""
    statement, person = await _opened(books, asked.token, asked.birth_date)
    status = await _looked_after(books, statement, asked.payment)
    owed = (await stating.standing(books, statement.patient)).balance
    on_its_way = await payments.on_its_way(books.running.database, statement.patient)
    await books.log_read(_guest(books, statement, asked.token), "Invoice", {statement.patient: 1})
    return {
        "initials": _initials(person),
        "number": statement.number,
        "total": statement.total,
        "due": statement.due.isoformat(),
        "status": statement.status,
        "currency": statement.currency,
        "owed": owed,
        "on_its_way": on_its_way,
        "payable": max(owed - on_its_way, 0),
        "cards": books.cards is not None,
        "payment": status,
    }


async def pay_by_link(books: Books, asked: GuestPayment, key: Once) -> Stored:
    """Starts a card payment for the patient of the bill."""
    statement, _ = await _opened(books, asked.token, asked.birth_date)
    wanted = Wanted(asked.amount, CARD_METHOD, statement.patient, statement.id, asked.return_url)
    return await paying.pay(books, _guest(books, statement, asked.token), wanted, key)


def guest_caller(token: str, patient: str | None = None) -> Caller:
    """Somebody without an account: named by the link alone, so that keys are its own."""
    hashed = rules.hashed(token) or b""
    name = f"pay-link:{hashed.hex()[:32]}"
    return Caller(name, "pay-link", "patient", _SCOPES, patient, "-")


def _guest(books: Books, statement: Statement, token: str) -> Asker:
    return books.asker(guest_caller(token, statement.patient))


async def _opened(books: Books, token: str, born: date) -> tuple[Statement, Person]:
    """Every attempt counts as failed until the answer is right."""
    _pace.step()
    hashed, database = rules.hashed(token), books.running.database
    if hashed is None:
        raise LinkEnded
    name = await links.attempt(database, hashed, rules.FAILURES_MAX)
    kept = await statements.find(database, name) if name is not None else None
    if kept is None:
        raise LinkEnded
    statement = kept.statement
    person = await person_of(books, statement.patient)
    if person is None or person.birth_date is None:
        await links.right(database, hashed)  # nobody could have answered
        raise NobodyKnows
    if person.birth_date != born:
        await books.log_denied(_guest(books, statement, token), "Invoice", statement.patient)
        raise WrongAnswer(place="birth_date")
    await links.right(database, hashed)
    return statement, person


async def _looked_after(books: Books, statement: Statement, name: UUID | None) -> str | None:
    """How a payment of this bill stands, for whoever comes back from the card page."""
    payment = await payments.find(books.running.database, name) if name is not None else None
    if payment is None or payment.statement != statement.id:
        return None
    if payment.method == CARD_METHOD and payment.status not in payment_rules.ENDED:
        payment = await settling.refresh(books, books.own(), payment)
    return payment.status


def _initials(person: Person) -> str:
    return "".join(f"{part[0].upper()}." for part in (person.given, person.family) if part)
