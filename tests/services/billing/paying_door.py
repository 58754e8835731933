"""What tests of payments share: a patient who owes, a card page, and the gateway's mail."""

import uuid
from typing import Any

import httpx
from billing_door import BILL, Door, patient
from cards_at_work import GOOD, Cards

from polyclinic.foundation import clock
from polyclinic.services.billing.actions import bookkeeping, refunding, settling
from polyclinic.services.billing.domain.ledger import (
    EARNED,
    About,
    Account,
    Entry,
    patient_account,
    transfer,
)
from polyclinic.services.billing.store import ledger

BACK = "http://clinic.test/bills"


async def owing(door: Door, amount: int) -> str:
    """A new patient who owes; answers the short id."""
    who = f"p{uuid.uuid4().hex[:12]}"
    about = About(patient=f"Patient/{who}")
    lines = transfer(patient_account(f"Patient/{who}"), EARNED, amount, about)
    entry = Entry("charge", f"charge/{uuid.uuid4()}", "test", tuple(lines))
    async with door.running.database.transaction() as tx:
        await bookkeeping.post(door.books, tx, [entry])
    return who


async def owed(door: Door, who: str) -> int:
    account = patient_account(f"Patient/{who}")
    return await ledger.balance(door.running.database, account, "USD")


async def till(door: Door, name: str) -> int:
    return await ledger.balance(door.running.database, Account(name, "asset"), "USD")


def card(amount: int, **more: Any) -> dict[str, Any]:
    return {"amount": amount, "method": "card", "return_url": BACK, **more}


async def start(door: Door, who: str, amount: int, **headers: str) -> dict[str, Any]:
    return await door.done(patient(who), "/billing/payments", card(amount), **headers)


async def settled(door: Door, who: str, payment: str) -> str:
    """The person is back on our page: what it says now."""
    return (await door.done(patient(who), f"/billing/payments/{payment}/settle", {}))["status"]


async def paid(door: Door, cards: Cards, who: str, amount: int, number: str = GOOD) -> str:
    """Pays by card to the end; answers the payment's id."""
    made = await start(door, who, amount)
    cards.pay(made["action_url"], number)
    assert await settled(door, who, made["payment"]) in ("succeeded", "processing")
    return made["payment"]


async def give_back(door: Door, payment: str, amount: int, **headers: str) -> httpx.Response:
    body = {"amount": amount, "reason": "overpaid"}
    return await door.ask(BILL, "POST", f"/billing/payments/{payment}/refunds", body, **headers)


async def clock_settles(door: Door) -> None:
    """The job, as if everything unsettled were old enough."""
    await settling.settle_open(door.books, clock.now())
    await refunding.settle_open(door.books, clock.now())


async def deliver(door: Door, event: dict[str, Any]) -> httpx.Response:
    """One webhook as the gateway sends it: no token, a signature."""
    headers = {"stripe-signature": event["signature"], "content-type": "application/json"}
    return await door.client.post(
        "/billing/webhooks/cards", content=event["payload"].encode(), headers=headers
    )


def mail(cards: Cards, payments: set[str]) -> list[dict[str, Any]]:
    """The gateway's events about these payments, in the order in which they came about."""
    charges = {
        each["id"]
        for each in cards.all("payment_intent")
        if each["metadata"].get("payment") in payments
    }
    return [e for e in cards.events() if payments & _named(e) or charges & _named(e)]


def _named(event: dict[str, Any]) -> set[str]:
    """The words of an event: ids are words."""
    return set(event["payload"].replace('"', " ").split())
