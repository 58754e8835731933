"""Hears what the card gateway tells: each event once, and only as a reason to read the state."""

import re
from collections.abc import Awaitable, Callable
from uuid import UUID

from polyclinic.foundation import clock
from polyclinic.foundation.database import Transaction
from polyclinic.services.billing.actions import bookkeeping, refunding, settling, stating
from polyclinic.services.billing.actions.state import Books
from polyclinic.services.billing.domain import payments as rules
from polyclinic.services.billing.domain.cards import Dispute, GatewayEvent, Intent
from polyclinic.services.billing.domain.work import Item
from polyclinic.services.billing.store import payments, work

Effect = Callable[[Transaction], Awaitable[object]]
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


async def hear(books: Books, payload: bytes, signature: str) -> bool:
    """Carries an event's effect out; False when it was heard before. Raises BadSignature.

    Unavailable leaves the event unheard: the gateway sends it again.
    """
    at_gateway = settling.gateway(books)
    event = at_gateway.hear(payload, signature, clock.now())
    if await payments.is_heard(books.running.database, event.id):
        return False
    effect = await _read(books, event)
    async with books.running.database.transaction() as tx:
        if not await payments.hear(tx, event.id):
            return False
        if effect is not None:
            await effect(tx)
    return True


async def _read(books: Books, event: GatewayEvent) -> Effect | None:
    """What the gateway says now, whatever the event says it was."""
    at_gateway = settling.gateway(books)
    if event.about == "intent":
        return await _of_intent(books, await at_gateway.read(event.subject))
    if event.about == "charge":
        return await _of_payment(books, (await at_gateway.read_charge(event.subject)).payment)
    if event.about == "refund":
        return await _of_refund(books, event.subject)
    if event.about == "dispute":
        return await _of_dispute(books, await at_gateway.read_dispute(event.subject))
    return None


async def _of_intent(books: Books, intent: Intent) -> Effect | None:
    name = await _ours(books, intent.payment)
    if name is None:
        return None
    return lambda tx: settling.settle(books, tx, books.own(), name, intent)


async def _of_payment(books: Books, payment: str) -> Effect | None:
    name = await _ours(books, payment)
    found = await payments.find(books.running.database, name) if name is not None else None
    if found is None:
        return None
    intent = await settling.asked(books, found)
    if intent is None:
        return None
    return lambda tx: settling.settle(books, tx, books.own(), found.id, intent)


async def _of_refund(books: Books, refund: str) -> Effect | None:
    told = await settling.gateway(books).read_refund(refund)
    name = UUID(told.refund) if _UUID.fullmatch(told.refund) else None
    known = await payments.find_refund(books.running.database, name) if name else None
    if known is not None:
        await _ours(books, str(known.payment))
        return lambda tx: refunding.settle(books, tx, known.id, told)
    item = Item("gateway", f"GatewayRefund/{told.id}", amount=told.amount, code="refund not ours")
    return lambda tx: work.open_item(tx, item)


async def _of_dispute(books: Books, dispute: Dispute) -> Effect | None:
    if dispute.state == "inquiry" or not dispute.charge:
        return None
    charge = await settling.gateway(books).read_charge(dispute.charge)
    name = await _ours(books, charge.payment)
    if name is None:
        return None
    # The payment itself first: a dispute may be heard before it.
    settled = await _of_payment(books, charge.payment)

    async def effect(tx: Transaction) -> None:
        if settled is not None:
            await settled(tx)
        await _dispute(books, tx, name, dispute)

    return effect


async def _dispute(books: Books, tx: Transaction, name: UUID, dispute: Dispute) -> None:
    payment = await payments.lock(tx, name)
    assert payment is not None
    former = await payments.dispute_status(tx, dispute.id)
    status = rules.next_dispute(former, dispute.state)
    if status == former:
        return
    await payments.save_dispute(tx, name, dispute, status)
    await bookkeeping.post(books, tx, rules.disputed(payment, dispute, status))
    item = Item("gateway", f"Dispute/{dispute.id}", payment.patient, amount=dispute.amount,
                code=f"dispute {status}")  # fmt: skip
    await work.open_item(tx, item)


async def _ours(books: Books, payment: str) -> UUID | None:
    """Our payment of this id; others may use the same account at the gateway."""
    if not _UUID.fullmatch(payment):
        return None
    found = await payments.find(books.running.database, UUID(payment))
    if found is None:
        return None
    await stating.warm(books, found.patient)
    return found.id
