"""Brings payments to their end: what the gateway says moves the row, the ledger and the bills."""

from datetime import datetime
from uuid import UUID

from polyclinic.contracts.billing import PaymentReceived
from polyclinic.foundation import clock, telemetry
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Problem
from polyclinic.foundation.outbox import announce
from polyclinic.services.billing.actions import bookkeeping, stating
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain import cards
from polyclinic.services.billing.domain import payments as rules
from polyclinic.services.billing.domain.cards import Intent, NoCards
from polyclinic.services.billing.domain.notices import payment_notice
from polyclinic.services.billing.domain.payments import Payment
from polyclinic.services.billing.domain.problems import NotYours
from polyclinic.services.billing.domain.work import Item
from polyclinic.services.billing.gateways.cards import PaymentGateway
from polyclinic.services.billing.store import payments, work

BATCH = 100


def gateway(books: Books) -> PaymentGateway:
    """Raises NoCards where none is set up."""
    if books.cards is None:
        raise NoCards
    return books.cards


async def settle(
    books: Books, tx: Transaction, asker: Asker, name: UUID, intent: Intent | None
) -> Payment:
    """Moves a payment to what the gateway says of it; None: the gateway never heard of it.

    Late, repeated and outdated news change nothing: the row is locked, and ends are ends.
    """
    payment = await payments.lock(tx, name)
    if payment is None:
        raise NotYours
    if intent is None:
        return await _given_up(tx, payment)
    if (intent.amount, intent.currency) != (payment.amount, payment.currency):
        await _differs(tx, payment, "amount")
        return payment
    status = rules.next_status(payment.status, intent.state)
    if status == payment.status and payment.intent == intent.id and payment.charge == intent.charge:
        return payment
    await payments.save(tx, name, status, intent)
    moved = await payments.find(tx, name)
    assert moved is not None
    if status == cards.SUCCEEDED and payment.status != cards.SUCCEEDED:
        await receive(books, tx, asker, moved)
    return moved


async def receive(books: Books, tx: Transaction, asker: Asker, payment: Payment) -> None:
    """Money is here: ledger, notice and event, together or not at all."""
    await bookkeeping.post(books, tx, [rules.paid(payment)])
    await books.put(tx, asker, [payment_notice(payment, books.settings.clinic_name)])
    said = PaymentReceived(
        payment=str(payment.id),
        patient=payment.patient.partition("/")[2],
        amount=payment.amount,
        currency=payment.currency,
    )
    await announce(tx, (f"PaymentNotice/{payment.id}", said))


async def _given_up(tx: Transaction, payment: Payment) -> Payment:
    """Nobody has a page to pay it on, so nothing can arrive: a new payment may begin."""
    if payment.status == cards.STARTING:
        await payments.fail(tx, payment.id, cards.CANCELED, "never_started")
    moved = await payments.find(tx, payment.id)
    assert moved is not None
    return moved


async def _differs(tx: Transaction, payment: Payment, code: str) -> None:
    item = Item("gateway", f"Payment/{payment.id}", payment.patient, amount=payment.amount,
                code=code)  # fmt: skip
    await work.open_item(tx, item)


async def refresh(books: Books, asker: Asker, payment: Payment) -> Payment:
    """Asks the gateway how a card payment stands, and moves it there. Raises Unavailable."""
    intent = await asked(books, payment)
    if intent is None and clock.now() - payment.made < rules.UNSETTLED_AFTER:
        return payment  # whoever asks the gateway for it may still be at it
    await stating.warm(books, payment.patient)
    async with books.running.database.transaction() as tx:
        return await settle(books, tx, asker, payment.id, intent)


async def asked(books: Books, payment: Payment) -> Intent | None:
    """By the gateway's id, else by ours: the answer that held its id may have been lost."""
    at_gateway = gateway(books)
    if payment.intent is not None:
        return await at_gateway.read(payment.intent)
    return await at_gateway.find(str(payment.id), payment.made)


async def settle_open(books: Books, before: datetime | None = None) -> int:
    """What the clock does: every card payment that has no end is asked for; answers how many."""
    if books.cards is None:
        return 0
    limit = before or clock.now() - rules.UNSETTLED_AFTER
    names = await payments.unsettled(books.running.database, limit, BATCH)
    for name in names:
        found = await payments.find(books.running.database, name)
        assert found is not None
        try:
            await refresh(books, books.own(), found)
        except Problem as problem:
            # The next ones are not made to wait for it; it is asked for again at the next turn.
            telemetry.log("payment not settled", kind="card", error=type(problem).__name__)
            await payments.touch(books.running.database, name)
    return len(names)
