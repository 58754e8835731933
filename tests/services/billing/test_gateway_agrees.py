"""Whatever order the gateway's news come in, the ledger ends where the gateway is."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from billing_door import Door, open_door
from cards_at_work import (
    DEBIT,
    DEBIT_FAILS,
    DECLINED,
    FAILING_REFUND,
    GOOD,
    SECOND_STEP,
    SLOW_REFUND,
    Cards,
    cards_at_work,
)
from paying_door import clock_settles, deliver, give_back, mail, owed, owing, paid, start

from polyclinic.foundation import clock
from polyclinic.services.billing.actions import reconciling

NUMBERS = (GOOD, SECOND_STEP, DECLINED, DEBIT, DEBIT_FAILS, SLOW_REFUND, FAILING_REFUND)


@pytest.fixture(scope="module")
def cards() -> Iterator[Cards]:
    with cards_at_work() as at_work:
        yield at_work


@pytest.fixture(scope="module")
async def door(postgres_url: str, key_file: Path, cards: Cards) -> AsyncIterator[Door]:
    async with open_door(postgres_url, key_file, **cards.settings) as opened:
        yield opened


async def world(door: Door, cards: Cards, chance: random.Random) -> tuple[str, set[str]]:
    """A patient, some payments, refunds and disputes; nothing of it was told to us yet."""
    who, made = await owing(door, 100_000), set[str]()
    for _ in range(chance.randint(1, 3)):
        started = await start(door, who, chance.randint(100, 9_000))
        made.add(started["payment"])
        cards.pay(started["action_url"], chance.choice(NUMBERS), agree=chance.random() < 0.8)
        if chance.random() < 0.5:
            await clock_settles(door)
            await give_back(door, started["payment"], chance.randint(1, 5_000))
    for charge in _charges(cards, made):
        if charge["status"] == "succeeded" and chance.random() < 0.3:
            dispute = cards.control(
                "disputes", payment_intent=charge["id"], amount=charge["amount"] // 2 or 1
            )
            if chance.random() < 0.7:
                end = chance.choice(["won", "lost", "under_review"])
                cards.control("disputes", dispute=dispute["id"], status=end)
    return who, made


def _charges(cards: Cards, made: set[str]) -> list[dict[str, Any]]:
    return [c for c in cards.all("payment_intent") if c["metadata"].get("payment") in made]


def left_at_gateway(cards: Cards, made: set[str]) -> int:
    """What the gateway has of these payments, after refunds and disputes."""
    charges = {c["id"]: c["amount_received"] for c in _charges(cards, made)}
    for refund in cards.all("refund"):
        if refund["payment_intent"] in charges and refund["status"] == "succeeded":
            charges[refund["payment_intent"]] -= refund["amount"]
    for dispute in cards.all("dispute"):
        if dispute["payment_intent"] in charges and dispute["status"] == "lost":
            charges[dispute["payment_intent"]] -= dispute["amount"]
    return sum(charges.values())


async def told_in_any_order(door: Door, cards: Cards, seed: int, orders: int) -> int:
    """Answers how many permutations were delivered."""
    chance = random.Random(seed)
    who, made = await world(door, cards, chance)
    cards.control("clock", seconds=25)
    news = mail(cards, made)
    for _ in range(orders):
        # Twice, late, out of order, some never and some at once.
        order = [e for e in news * 2 if chance.random() < 0.9]
        chance.shuffle(order)
        for at in range(0, len(order), 3):
            answers = await asyncio.gather(*(deliver(door, e) for e in order[at : at + 3]))
            assert {a.status_code for a in answers} == {200}
        await door.sql("DELETE FROM billing.gateway_event")  # each order is heard anew
    for event in news:
        assert (await deliver(door, event)).status_code == 200
    assert 100_000 - await owed(door, who) == left_at_gateway(cards, made), seed
    return orders


@pytest.mark.parametrize("seed", range(12))
async def test_news_in_any_order_end_in_the_same_ledger(door: Door, cards: Cards, seed: int):
    await told_in_any_order(door, cards, seed, 2)
    assert (await door.proof())["holds"]


@pytest.mark.long
@pytest.mark.timeout(7200)
async def test_ten_thousand_orders_of_news_end_in_the_same_ledger(door, cards, record_property):
    delivered, seed = 0, 1_000
    while delivered < 10_000:
        delivered += await told_in_any_order(door, cards, seed, 100)
        seed += 1
    record_property("orders", delivered)
    record_property("worlds", seed - 1_000)
    assert (await door.proof())["holds"]


async def test_the_nightly_comparison_finds_what_was_never_told_and_what_differs(door, cards):
    later = clock.now() + timedelta(hours=2)
    await clock_settles(door)
    assert await reconciling.reconcile(door.books, later) == 0
    who = await owing(door, 9_000)
    untold = await start(door, who, 4_000)
    cards.pay(untold["action_url"])
    assert await reconciling.reconcile(door.books, later) == 0
    assert await owed(door, who) == 5_000  # caught up with
    payment = await paid(door, cards, who, 5_000)
    (charge,) = _charges(cards, {payment})
    theirs = cards.control("refunds", payment_intent=charge["id"], amount=700)
    assert await reconciling.reconcile(door.books, later) == 1
    (item,) = await door.sql(
        "SELECT queue, amount, code FROM billing.work_item WHERE subject = $1",
        f"GatewayRefund/{theirs['id']}",
    )
    assert tuple(item) == ("gateway", 700, "not in ledger")
    assert await reconciling.reconcile(door.books, later) == 1
    items = await door.sql("SELECT id FROM billing.work_item WHERE code = 'not in ledger'")
    assert len(items) == 1
    assert (await door.proof())["holds"]


async def test_a_payment_that_the_gateway_does_not_have_is_found(door, cards, monkeypatch):
    who = await owing(door, 9_000)
    payment = await paid(door, cards, who, 9_000)
    hidden = door.books.cards.paid_since

    async def without(since):
        async for each in hidden(since):
            if each.payment != payment:
                yield each

    monkeypatch.setattr(door.books.cards, "paid_since", without)
    await reconciling.reconcile(door.books, clock.now() + timedelta(hours=2))
    (item,) = await door.sql(
        "SELECT code FROM billing.work_item WHERE subject = $1", f"Payment/{payment}"
    )
    assert item["code"] == "not at gateway"
