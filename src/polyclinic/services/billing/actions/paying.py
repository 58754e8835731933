"""Patients pay: at the desk at once, by card on the gateway's own page."""

import asyncio
from uuid import UUID

import msgspec

from polyclinic.foundation import clock, ids
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.once import KeyReused, Once, StillRunning, Stored
from polyclinic.services.billing.actions import settling, stating
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain import access, cards, money
from polyclinic.services.billing.domain import payments as rules
from polyclinic.services.billing.domain.cards import Asked, CardsRefused, Intent
from polyclinic.services.billing.domain.ledger import patient_account
from polyclinic.services.billing.domain.payments import (
    CARD_METHOD,
    MoreThanOwed,
    Payment,
)
from polyclinic.services.billing.domain.people import is_patient
from polyclinic.services.billing.domain.problems import NotYours
from polyclinic.services.billing.store import ledger, payments
from polyclinic.services.billing.store.payments import New

LOOKS, LOOK_SECONDS = 50, 0.1
ROUNDS = 3  # others may start and end payments of the same patient meanwhile


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A payment to be made; patients need not say who they are."""

    amount: int
    method: str
    patient: str | None = None
    statement: UUID | None = None
    return_url: str | None = None


class OnItsWay(StillRunning):
    """An earlier payment is still on its way; wait until it has arrived or failed."""


class _Another(Exception):
    """The patient has another card page open."""

    def __init__(self, payment: Payment) -> None:
        self.payment = payment
        super().__init__()


async def pay(books: Books, asker: Asker, wanted: Wanted, key: Once) -> Stored:
    """Starts a card payment, or books what the desk was given."""
    patient = access.patient_for(asker.caller, wanted.patient, "PaymentNotice", "c")
    if not is_patient(patient):
        raise Invalid("Say for which patient.", place="patient")
    money.positive(wanted.amount, "amount")
    if rules.check_method(wanted.method) == CARD_METHOD:
        wanted = msgspec.structs.replace(wanted, patient=patient)
        return await pay_by_card(books, asker, wanted, key)
    access.check_desk(asker.caller, "PaymentNotice", "c")
    return await _at_desk(books, asker, msgspec.structs.replace(wanted, patient=patient), key)


async def _at_desk(books: Books, asker: Asker, wanted: Wanted, key: Once) -> Stored:
    """The desk may take more than is owed: it is the patient's credit then."""
    assert wanted.patient is not None
    await stating.warm(books, wanted.patient)

    async def act(tx: Transaction) -> tuple[int, object]:
        new = _new(books, asker, wanted, ids.new_uuid())
        await _check_statement(tx, new)
        await payments.add(tx, new)
        payment = await payments.find(tx, new.id)
        assert payment is not None
        await settling.receive(books, tx, asker, payment)
        return 201, shown(payment)

    return await books.carried(key, act)


async def pay_by_card(books: Books, asker: Asker, wanted: Wanted, key: Once) -> Stored:
    """The row is kept first, then the gateway is asked with the row's id as its key.

    Whatever dies in between, a repeat with the same key goes on with the same payment.
    """
    at_gateway = settling.gateway(books)
    back = rules.check_return(wanted.return_url, books.running.platform.public_url)
    payment = await _started(books, asker, wanted, key)
    is_first = payment.id == rules.name_of(key.name)
    intent = None
    if not is_first:
        payment = await _opened(books, payment)
    elif payment.status == cards.STARTING:
        expires = payment.made + rules.PAGE_OPEN
        sent = Asked(str(payment.id), payment.amount, payment.currency, back, expires)
        try:
            intent = await at_gateway.create(sent)
        except CardsRefused as refused:
            intent = _refused(payment, refused)

    await stating.warm(books, payment.patient)

    async def act(tx: Transaction) -> tuple[int, object]:
        now = await payments.find(tx, payment.id)
        if intent is not None:
            now = await _kept(books, tx, asker, payment, intent)
        assert now is not None
        return 201, shown(now, is_first=is_first)

    return await books.carried(key, act)


async def _opened(books: Books, payment: Payment) -> Payment:
    """The second press waits a moment for the page that the first one is asking for."""
    for _ in range(LOOKS):
        found = await payments.find(books.running.database, payment.id)
        if found is not None and found.status != cards.STARTING:
            return found
        await asyncio.sleep(LOOK_SECONDS)
    raise OnItsWay


def _refused(payment: Payment, refused: CardsRefused) -> Intent:
    return Intent("", str(payment.id), cards.FAILED, payment.amount, payment.currency,
                  failure=refused.reason)  # fmt: skip


async def _kept(
    books: Books, tx: Transaction, asker: Asker, payment: Payment, intent: Intent
) -> Payment:
    if intent.id:
        return await settling.settle(books, tx, asker, payment.id, intent)
    locked = await payments.lock(tx, payment.id)
    if locked is not None and locked.status == cards.STARTING:
        await payments.fail(tx, payment.id, cards.FAILED, intent.failure or "refused")
    found = await payments.find(tx, payment.id)
    assert found is not None
    return found


async def _started(books: Books, asker: Asker, wanted: Wanted, key: Once) -> Payment:
    """The row of this key; or the open payment that a second press means."""
    for _ in range(ROUNDS):
        try:
            async with books.running.database.transaction() as tx:
                return await _start(books, tx, asker, (wanted, key))
        except _Another as another:
            await _give_way(books, asker, another.payment)
    raise OnItsWay


async def _start(
    books: Books, tx: Transaction, asker: Asker, asked: tuple[Wanted, Once]
) -> Payment:
    wanted, key = asked
    assert wanted.patient is not None
    await payments.hold_patient(tx, wanted.patient)
    known = await payments.find(tx, rules.name_of(key.name))
    if known is not None:
        if known.asked != key.body:
            raise KeyReused(place="Idempotency-Key")
        return known
    former = await payments.find_open(tx, wanted.patient)
    if former is not None:
        if rules.is_same(former, wanted.amount, wanted.statement, clock.now()):
            return former
        raise _Another(former)
    await _check_owed(books, tx, wanted)
    new = _new(books, asker, wanted, rules.name_of(key.name), key.body)
    await _check_statement(tx, new)
    await payments.add(tx, new)
    made = await payments.find(tx, new.id)
    assert made is not None
    return made


async def _give_way(books: Books, asker: Asker, former: Payment) -> None:
    """Closes the page that was open before, so that nobody pays twice in two windows."""
    if former.intent is None:
        ended = await settling.refresh(books, asker, former)
    else:
        intent = await settling.gateway(books).cancel(former.intent)
        await stating.warm(books, former.patient)
        async with books.running.database.transaction() as tx:
            ended = await settling.settle(books, tx, asker, former.id, intent)
    # What turns out to be paid, or under way, is no longer owed: the next look says so.
    if ended.status in rules.OPEN_PAGE:
        raise OnItsWay


async def _check_owed(books: Books, tx: Transaction, wanted: Wanted) -> None:
    assert wanted.patient is not None
    if wanted.amount > await payable(books, tx, wanted.patient):
        raise MoreThanOwed(place="amount")


async def payable(books: Books, tx: Transaction, patient: str) -> int:
    """What is owed less what was paid and is on its way."""
    owed = await ledger.balance(tx, patient_account(patient), books.settings.currency)
    return max(owed - await payments.on_its_way(tx, patient), 0)


async def _check_statement(tx: Transaction, new: New) -> None:
    """A payment names a bill of the same patient, or none."""
    if new.statement is None:
        return
    if await payments.patient_of_statement(tx, new.statement) != new.patient:
        raise NotYours(place="statement")


def _new(books: Books, asker: Asker, wanted: Wanted, name: UUID, asked: bytes | None = None) -> New:
    assert wanted.patient is not None
    is_card = wanted.method == CARD_METHOD
    return New(
        name,
        wanted.patient,
        wanted.method,
        wanted.amount,
        books.settings.currency,
        cards.STARTING if is_card else cards.SUCCEEDED,
        asker.name,
        wanted.statement,
        asked,
        clock.now(),
    )


def shown(payment: Payment, *, is_first: bool = True) -> dict[str, object]:
    """Ids, states and amounts: answers of POSTs are kept in the clear."""
    value: dict[str, object] = {
        "payment": str(payment.id),
        "status": payment.status,
        "method": payment.method,
        "amount": payment.amount,
        "currency": payment.currency,
        "failure": payment.failure,
    }
    if not is_first:
        value["already"] = "The same payment was started less than two minutes ago; go on with it."
    return value


async def find(books: Books, asker: Asker, name: UUID, interaction: str) -> Payment:
    """A payment that the caller may see; somebody else's looks like none."""
    payment = await payments.find(books.running.database, name)
    if payment is None:
        raise NotYours
    try:
        access.check_own(asker.caller, payment.patient, "PaymentNotice", interaction)
    except NotYours:
        await books.log_denied(asker, "PaymentNotice", payment.patient)
        raise
    return payment


async def look_again(books: Books, asker: Asker, name: UUID, key: Once) -> Stored:
    """The person is back from the card page: the gateway says how it went."""
    payment = await find(books, asker, name, "c")
    if payment.method == CARD_METHOD and payment.status not in rules.ENDED:
        payment = await settling.refresh(books, asker, payment)

    async def act(_: Transaction) -> tuple[int, object]:
        return 200, shown(payment)

    return await books.carried(key, act)


async def page_of(books: Books, payment: Payment) -> str | None:
    """Where the person pays; asked of the gateway each time and kept nowhere."""
    if payment.status != cards.ACTION or payment.intent is None:
        return None
    return (await settling.gateway(books).read(payment.intent)).action_url
