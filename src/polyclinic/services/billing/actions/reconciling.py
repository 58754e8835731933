"""Compares the gateway's own lists with the ledger; every difference waits for a person."""

from collections.abc import Awaitable, Mapping, Set
from datetime import datetime, timedelta
from uuid import UUID

from polyclinic.foundation import clock, telemetry
from polyclinic.foundation.database import Row
from polyclinic.foundation.errors import Problem
from polyclinic.services.billing.actions import refunding, settling
from polyclinic.services.billing.actions.state import Books
from polyclinic.services.billing.domain import cards
from polyclinic.services.billing.domain.cards import GivenBack, Paid
from polyclinic.services.billing.domain.work import Item
from polyclinic.services.billing.store import payments, work

# Compared are the last days; the gateway is asked further back, for a bank debit takes days from
# its beginning to its end. What is younger than an hour may still be on its way to us.
DAYS, DAYS_BEFORE = 4, 14
YOUNG = timedelta(hours=1)


async def reconcile(books: Books, now: datetime | None = None) -> int:
    """Answers how many differences were found; 0 where no cards are taken."""
    if books.cards is None:
        return 0
    until = (now or clock.now()) - YOUNG
    since = until - timedelta(days=DAYS)
    began = since - timedelta(days=DAYS_BEFORE)
    paid = [each async for each in books.cards.paid_since(began)]
    back = [each async for each in books.cards.refunds_since(began)]
    await _catch_up(books, paid, back)
    posted = await payments.posted_since(books.running.database, began)
    ledger = {row["source"]: row for row in posted}
    found = [*_unposted(paid, back, ledger.keys())]
    found += _unknown(paid, back, {k: r for k, r in ledger.items() if since <= r["at"] < until})
    async with books.running.database.transaction() as tx:
        await work.open_item(tx, *found)
    if found:
        telemetry.log("cards differ", count=len(found))
    return len(found)


async def _catch_up(books: Books, paid: list[Paid], back: list[GivenBack]) -> None:
    """News that never came: webhooks are lost now and then."""
    database = books.running.database
    for each in paid:
        payment = await payments.find(database, _uuid(each.payment)) if each.payment else None
        if payment is not None and each.state == cards.SUCCEEDED != payment.status:
            await _tried(settling.refresh(books, books.own(), payment))
    for each in back:
        refund = await payments.find_refund(database, _uuid(each.refund)) if each.refund else None
        if refund is not None and each.state != refund.status:
            await _tried(refunding.refresh(books, refund))


async def _tried(refresh: Awaitable[object]) -> None:
    try:
        await refresh
    except Problem as problem:
        telemetry.log("payment not settled", kind="card", error=type(problem).__name__)


def _unposted(paid: list[Paid], back: list[GivenBack], ledger: Set[str]) -> list[Item]:
    """The gateway has it, the ledger does not."""
    items = [
        Item("gateway", f"GatewayPayment/{each.charge}", amount=each.amount, code="not in ledger")
        for each in paid
        if each.state == cards.SUCCEEDED and f"payment/{each.payment}" not in ledger
    ]
    return items + [
        Item("gateway", f"GatewayRefund/{each.id}", amount=each.amount, code="not in ledger")
        for each in back
        if each.state == cards.SUCCEEDED and f"refund/{each.refund}" not in ledger
    ]


def _unknown(paid: list[Paid], back: list[GivenBack], ledger: Mapping[str, Row]) -> list[Item]:
    """The ledger has it, the gateway does not, or with another amount."""
    theirs = {f"payment/{p.payment}": p.amount for p in paid if p.state == cards.SUCCEEDED}
    for each in back:
        theirs[f"refund/{each.refund}"] = -each.amount
        theirs[f"refund/{each.refund}/failed"] = each.amount
    return [
        Item("gateway", _subject(source), amount=abs(row["amount"]), code="not at gateway")
        for source, row in ledger.items()
        if theirs.get(source) != row["amount"]
    ]


def _subject(source: str) -> str:
    """`payment/<id>` → `Payment/<id>`."""
    kind, _, name = source.partition("/")
    return f"{kind.title()}/{name}"


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)  # somebody else's mark: no payment of ours
