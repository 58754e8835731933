"""Gives back what was paid: reserved first, never above it, by the way it came."""

from datetime import datetime
from uuid import UUID

import msgspec

from polyclinic.contracts.billing import PaymentRefunded
from polyclinic.foundation import clock, telemetry
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Problem
from polyclinic.foundation.once import KeyReused, Once, Stored
from polyclinic.foundation.outbox import announce
from polyclinic.services.billing.actions import bookkeeping, settling, stating
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain import access, cards, money
from polyclinic.services.billing.domain import payments as rules
from polyclinic.services.billing.domain.cards import AskedBack, CardsRefused, GivenBack
from polyclinic.services.billing.domain.payments import (
    CARD_METHOD,
    CannotGiveBack,
    Payment,
    Refund,
)
from polyclinic.services.billing.domain.problems import MoreThanPaid, NotYours
from polyclinic.services.billing.domain.work import Item
from polyclinic.services.billing.store import payments, work


class Back(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much is given back, and why: one of `REFUND_REASONS`."""

    amount: int
    reason: str


async def give_back(books: Books, asker: Asker, asked: tuple[UUID, Back], key: Once) -> Stored:
    """Reserves, then asks the gateway with the refund's id as its key, then books.

    Raises MoreThanPaid, CannotGiveBack; Unavailable when the gateway does not say: it is then
    asked again with the same id until it does.
    """
    access.check_biller(asker.caller, "PaymentNotice", "u")
    name, back = asked
    money.positive(back.amount, "amount")
    rules.check_reason(back.reason)
    async with books.running.database.transaction() as tx:
        payment, refund = await _reserved(books, tx, asker, (name, back, key))
    told = await _asked_gateway(books, payment, refund)
    await stating.warm(books, payment.patient)

    async def act(tx: Transaction) -> tuple[int, object]:
        return 201, shown(await settle(books, tx, refund.id, told))

    return await books.carried(key, act)


async def _reserved(
    books: Books, tx: Transaction, asker: Asker, asked: tuple[UUID, Back, Once]
) -> tuple[Payment, Refund]:
    name, back, key = asked
    payment = await payments.lock(tx, name)
    if payment is None:
        raise NotYours
    known = await payments.find_refund(tx, rules.name_of(key.name))
    if known is not None:
        if known.asked != key.body:
            raise KeyReused(place="Idempotency-Key")
        return payment, known
    if payment.status != cards.SUCCEEDED or payment.disputed:
        raise CannotGiveBack
    if payment.method == CARD_METHOD:
        settling.gateway(books)  # without one nothing must be set aside
    if not await payments.reserve(tx, name, back.amount):
        raise MoreThanPaid(place="amount")
    refund = Refund(
        rules.name_of(key.name), name, back.amount, cards.STARTING, back.reason, asker.name,
        clock.now(), key.body,
    )  # fmt: skip
    await payments.add_refund(tx, refund)
    return payment, refund


async def _asked_gateway(books: Books, payment: Payment, refund: Refund) -> GivenBack:
    """What the gateway says; cash and checks are given back by hand, at once."""
    charge = payment.charge or ""
    done = GivenBack("", str(refund.id), charge, cards.SUCCEEDED, refund.amount)
    if payment.method != CARD_METHOD:
        return done
    at_gateway = settling.gateway(books)
    if refund.gateway is not None:
        return await at_gateway.read_refund(refund.gateway)
    if clock.now() - refund.made > rules.KEY_LIVES:
        # The gateway may have forgotten the key: asked again it might give back twice.
        found = await at_gateway.find_refund(str(refund.id), charge)
        return found or GivenBack("", str(refund.id), charge, cards.FAILED, refund.amount)
    try:
        return await at_gateway.refund(AskedBack(str(refund.id), charge, refund.amount))
    except CardsRefused:
        return GivenBack("", str(refund.id), charge, cards.FAILED, refund.amount)


async def settle(books: Books, tx: Transaction, name: UUID, told: GivenBack) -> Refund:
    """Moves a refund to what the gateway says; a failure gives the reserved amount free."""
    found = await payments.find_refund(tx, name)
    payment = await payments.lock(tx, found.payment) if found is not None else None
    refund = await payments.lock_refund(tx, name)
    if payment is None or refund is None:
        raise NotYours
    status = rules.next_refund(refund.status, told.state)
    if status == refund.status and (not told.id or told.id == refund.gateway):
        return refund
    await payments.save_refund(tx, name, status, told.id or None)
    if status != refund.status:
        await _book(books, tx, payment, (refund, status))
    moved = await payments.find_refund(tx, name)
    assert moved is not None
    return moved


async def _book(
    books: Books, tx: Transaction, payment: Payment, change: tuple[Refund, str]
) -> None:
    refund, status = change
    if status == cards.SUCCEEDED:
        await bookkeeping.post(books, tx, [rules.given_back(payment, refund)])
        await announce(tx, (f"PaymentNotice/{payment.id}", _said(payment, refund)))
    if status == cards.FAILED:
        await payments.release(tx, payment.id, refund.amount)
        if refund.status == cards.SUCCEEDED:
            await bookkeeping.post(books, tx, [rules.came_back(payment, refund)])
        item = Item("gateway", f"Refund/{refund.id}", payment.patient, amount=refund.amount,
                    code="refund failed")  # fmt: skip
        await work.open_item(tx, item)


def _said(payment: Payment, refund: Refund) -> PaymentRefunded:
    return PaymentRefunded(
        payment=str(payment.id),
        refund=str(refund.id),
        patient=payment.patient.partition("/")[2],
        amount=refund.amount,
        currency=payment.currency,
    )


async def refresh(books: Books, refund: Refund) -> Refund:
    """Asks the gateway how a refund stands, and moves it there. Raises Unavailable."""
    payment = await payments.find(books.running.database, refund.payment)
    assert payment is not None
    told = await _asked_gateway(books, payment, refund)
    await stating.warm(books, payment.patient)
    async with books.running.database.transaction() as tx:
        return await settle(books, tx, refund.id, told)


async def settle_open(books: Books, before: datetime | None = None) -> int:
    """What the clock does: every refund that has no end is asked for; answers how many."""
    if books.cards is None:
        return 0
    limit = before or clock.now() - rules.UNSETTLED_AFTER
    database = books.running.database
    names = await payments.unsettled_refunds(database, limit, settling.BATCH)
    for name in names:
        found = await payments.find_refund(database, name)
        assert found is not None
        try:
            await refresh(books, found)
        except Problem as problem:
            telemetry.log("refund not settled", kind="card", error=type(problem).__name__)
            await payments.touch_refund(database, name)
    return len(names)


def shown(refund: Refund) -> dict[str, object]:
    return {
        "refund": str(refund.id),
        "payment": str(refund.payment),
        "amount": refund.amount,
        "status": refund.status,
        "reason": refund.reason,
    }
