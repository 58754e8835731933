"""Many at once do not wait for themselves: what is sealed in a transaction needs a key, too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from billing_door import BILL, Door, open_door
from claims_world import SETTINGS, checked, coded, open_clinic, submitted

from polyclinic.foundation import clock
from polyclinic.services.billing.store import closing


@pytest.fixture(scope="module")
async def door(postgres_url: str, key_file: Path) -> AsyncIterator[Door]:
    async with open_door(postgres_url, key_file, **SETTINGS) as opened:
        await open_clinic(opened)
        yield opened


async def test_twenty_requests_at_once_that_seal_find_their_keys(
    door: Door, postgres_url: str, key_file: Path
):
    several = [await coded(door, ("Z1001", 15_000)) for _ in range(20)]
    # A replica that has just started: no key is in its memory yet.
    async with open_door(postgres_url, key_file, beside=door, **SETTINGS) as fresh:
        asked = [
            fresh.ask(BILL, "POST", f"/billing/claims/{each.claim}/authorization", {"number": "A"})
            for each in several
        ]
        answers = await asyncio.wait_for(asyncio.gather(*asked), 60)
    assert [each.status_code for each in answers] == [200] * 20


async def test_with_one_connection_left_all_that_moves_money_still_finds_what_it_needs(
    door: Door, postgres_url: str, key_file: Path
):
    """A transaction held a lock and waited for a connection that all who wanted the lock had."""
    csv = "code,modifier,title,amount\nZ1001,,Visit,90.00\n"
    prices = {"name": "List", "from_day": "2025-01-01", "csv": csv, "currency": "USD"}
    await door.done(BILL, "/billing/fee-schedules", prices)
    insured = await coded(door, ("Z1001", 15_000))
    who = {"patient": insured.patient, "practitioner": "Practitioner/ana"}
    visit = {**who, "day": door.books.today().isoformat()}
    coding = {
        "diagnoses": ["E11.9"], "lines": [{"code": "Z1001", "amount": 9_000}], "self_pay": True,
    }  # fmt: skip
    cash = {"patient": insured.patient, "amount": 4_000, "method": "cash"}
    async with (
        open_door(postgres_url, key_file, beside=door, **SETTINGS) as fresh,
        AsyncExitStack() as others,
    ):
        for _ in range(4):
            await others.enter_async_context(fresh.running.database.connection())
        made = await fresh.done(BILL, "/billing/visits", visit)
        await fresh.done(BILL, f"/billing/visits/{made['visit']}/code", coding)
        bill = await fresh.done(BILL, "/billing/statements", {"patient": insured.patient})
        assert bill["total"] == 9_000
        paid = await fresh.done(BILL, "/billing/payments", cash)
        back = {"amount": 1_000, "reason": "overpaid"}
        await fresh.done(BILL, f"/billing/payments/{paid['payment']}/refunds", back)
        await submitted(fresh, insured)
    assert (await door.proof())["holds"]


async def test_of_two_submissions_of_one_claim_one_goes_out(door: Door):
    several = [await coded(door, ("Z1001", 15_000)) for _ in range(4)]
    for each in several:
        await checked(door, each)
    names = [str(each.claim) for each in several]
    asked = [names[:3], names[1:], names[::-1], [names[0], names[3]]]
    answers = await asyncio.gather(
        *[door.ask(BILL, "POST", "/billing/submissions", {"claims": each}) for each in asked]
    )
    sent = [n for each, a in zip(asked, answers, strict=True) if a.status_code == 201 for n in each]
    assert len(sent) == len(set(sent))
    assert {each.status_code for each in answers} == {201, 409}
    rows = await door.sql(
        "SELECT claim, count(*) AS n FROM billing.x12_file_claim"
        " WHERE claim = ANY ($1) GROUP BY claim",
        [each.claim for each in several],
    )
    assert {row["n"] for row in rows} == {1}
    assert len(rows) == len(sent)


async def test_a_day_that_is_closed_while_money_moves_holds(
    door: Door, monkeypatch: pytest.MonkeyPatch
):
    several = [await coded(door, ("Z1001", 10_000)) for _ in range(12)]
    tomorrow = clock.now() + timedelta(days=1)
    monkeypatch.setattr(clock, "now", lambda: tomorrow)
    today = (tomorrow - timedelta(days=1)).date()
    asked = [
        door.ask(BILL, "POST", f"/billing/claims/{each.claim}/write-off", {"reason": "courtesy"})
        for each in several
    ]
    closed = door.ask(BILL, "POST", "/billing/days", {"day": today.isoformat()})
    answers = await asyncio.gather(*asked[:6], closed, *asked[6:])
    assert [each.status_code for each in answers] == [200] * 6 + [201] + [200] * 6
    assert (await door.proof())["holds"]


async def test_a_day_of_any_length_is_read_page_by_page(
    door: Door, monkeypatch: pytest.MonkeyPatch
):
    for _ in range(3):
        await coded(door, ("Z1001", 10_000), ("Z1002", 5_000))
    day, former = door.books.today() + timedelta(days=3), bytes(32)
    whole = await closing.digest(door.running.database, day, former)
    assert whole.entries >= 6
    monkeypatch.setattr(closing, "PAGE", 1)
    assert await closing.digest(door.running.database, day, former) == whole
