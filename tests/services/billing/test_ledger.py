"""The ledger balances, keeps everything, says every cause once, and its closed days stay closed."""

import uuid
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest
from billing_door import BILL, SYSTEM, Door, patient

from polyclinic.services.billing.actions import bookkeeping
from polyclinic.services.billing.domain.ledger import (
    EARNED,
    About,
    Entry,
    patient_account,
    till,
    transfer,
)
from polyclinic.services.billing.store import ledger


async def post(door: Door, *entries: Entry, day: date | None = None) -> set[str]:
    async with door.running.database.transaction() as tx:
        if day is None:
            return await bookkeeping.post(door.books, tx, list(entries))
        return await ledger.post(tx, day, entries, "USD")


def charge(who: str, amount: int, source: str = "") -> Entry:
    about = About(patient=f"Patient/{who}")
    lines = transfer(patient_account(f"Patient/{who}"), EARNED, amount, about)
    return Entry("charge", source or f"charge/{uuid.uuid4()}", "test", tuple(lines))


async def owed(door: Door, who: str) -> int:
    return await ledger.balance(door.running.database, patient_account(f"Patient/{who}"), "USD")


async def refused(door: Door, query: str, *values: Any) -> str:
    with pytest.raises(asyncpg.PostgresError) as error:
        await door.sql(query, *values)
    return error.value.sqlstate or ""


async def test_a_cause_is_posted_once_and_the_balance_follows(door: Door):
    first = charge("a", 12_500, "charge/1")
    assert await post(door, first) == {"charge/1"}
    assert await post(door, first, charge("a", 100, "charge/2")) == {"charge/2"}
    assert await owed(door, "a") == 12_600
    paid = tuple(transfer(till("cash"), patient_account("Patient/a"), 600, About("Patient/a")))
    await post(door, Entry("payment", "payment/1", "test", paid))
    assert await owed(door, "a") == 12_000
    assert (await door.proof())["holds"]


async def test_the_database_refuses_an_entry_that_does_not_balance(door: Door):
    broken = charge("b", 500)
    object.__setattr__(broken, "lines", broken.lines[:1])
    with pytest.raises(asyncpg.PostgresError) as error:
        await post(door, broken)
    assert error.value.sqlstate == "PB004"
    assert await owed(door, "b") == 0


async def test_nothing_of_the_ledger_is_changed_or_taken_out(door: Door):
    await post(door, charge("c", 700))
    for table in ("ledger_entry", "ledger_line", "account", "day_close"):
        column = {
            "ledger_entry": "kind",
            "ledger_line": "what",
            "account": "name",
            "day_close": "author",
        }
        update = f"UPDATE billing.{table} SET {column[table]} = 'x'"
        assert await refused(door, update) == "PB001"
        assert await refused(door, f"DELETE FROM billing.{table}") == "PB001"
        assert await refused(door, f"TRUNCATE billing.{table} CASCADE") == "PB001"


async def test_a_posting_is_never_added_to_an_entry_of_the_past(door: Door):
    await post(door, charge("d", 700, "charge/past"))
    found = await ledger.find(door.running.database, "charge/past")
    assert found is not None
    add = "INSERT INTO billing.ledger_line (entry, line, account, amount) VALUES ($1, 9, 1, 5)"
    assert await refused(door, add, found["id"]) == "PB003"


async def test_a_reversal_mirrors_and_is_made_once(door: Door):
    await post(door, charge("e", 4_200, "charge/wrong"))
    found = await ledger.find(door.running.database, "charge/wrong")
    assert found is not None
    asked = {"entry": str(found["id"]), "reason": "entered-in-error"}
    await door.done(BILL, "/billing/ledger/reversals", asked)
    assert await owed(door, "e") == 0
    again = await door.ask(BILL, "POST", "/billing/ledger/reversals", asked)
    assert (again.status_code, again.json()["kind"]) == (409, "AlreadyReversed")
    assert await owed(door, "e") == 0
    bad = await door.ask(BILL, "POST", "/billing/ledger/reversals", {**asked, "reason": "because"})
    assert (bad.status_code, bad.json()["place"]) == (400, "reason")


async def test_money_that_came_is_not_taken_back_by_hand(door: Door):
    await post(door, charge("h", 900))
    body = {"patient": "Patient/h", "amount": 900, "method": "cash"}
    paid = await door.done(BILL, "/billing/payments", body)
    found = await ledger.find(door.running.database, f"payment/{paid['payment']}")
    assert found is not None
    asked = {"entry": str(found["id"]), "reason": "entered-in-error"}
    answer = await door.ask(BILL, "POST", "/billing/ledger/reversals", asked)
    assert (answer.status_code, answer.json()["place"]) == (422, "entry")
    assert await owed(door, "h") == 0


async def test_the_same_key_gives_the_same_answer_and_another_body_is_refused(door: Door):
    await post(door, charge("f", 4_200, "charge/key"))
    found = await ledger.find(door.running.database, "charge/key")
    assert found is not None
    asked = {"entry": str(found["id"]), "reason": "duplicate"}
    path = "/billing/ledger/reversals"
    first = await door.ask(BILL, "POST", path, asked, idempotency_key="k-1")
    again = await door.ask(BILL, "POST", path, asked, idempotency_key="k-1")
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert again.status_code == 201
    other = await door.ask(
        BILL, "POST", path, {**asked, "reason": "courtesy"}, idempotency_key="k-1"
    )
    assert (other.status_code, other.json()["kind"]) == (422, "KeyReused")


async def test_patients_do_not_touch_the_ledger(door: Door):
    asked = {"entry": str(uuid.uuid4()), "reason": "duplicate"}
    answer = await door.ask(patient("f"), "POST", "/billing/ledger/reversals", asked)
    assert answer.status_code == 403
    assert (await door.ask(patient("f"), "GET", "/billing/ledger/proof")).status_code == 403


async def test_a_closed_day_takes_nothing_more_and_a_changed_row_is_found(door: Door):
    today = door.books.today()
    yesterday = today - timedelta(days=1)
    await post(door, charge("g", 1_000), day=yesterday)
    closed = await door.done(BILL, "/billing/days", {"day": yesterday.isoformat()})
    assert closed["entries"] == 1
    assert closed["debits"] == 1_000
    await post(door, charge("g", 1_000, "charge/late"), day=yesterday)
    late = await ledger.find(door.running.database, "charge/late")
    assert late is not None
    assert late["day"] == today
    again = await door.ask(BILL, "POST", "/billing/days", {"day": yesterday.isoformat()})
    assert (again.status_code, again.json()["kind"]) == (422, "DayStillOpen")
    still_open = await door.ask(SYSTEM, "POST", "/billing/days", {"day": today.isoformat()})
    assert still_open.status_code == 422
    assert (await door.proof())["broken_days"] == []
    await door.sql("ALTER TABLE billing.ledger_line DISABLE TRIGGER append_only")
    changed = (
        "UPDATE billing.ledger_line SET patient = 'Patient/other' WHERE entry IN"
        " (SELECT id FROM billing.ledger_entry WHERE day = $1)"
    )
    await door.sql(changed, yesterday)
    await door.sql("ALTER TABLE billing.ledger_line ENABLE TRIGGER append_only")
    assert (await door.proof())["broken_days"] == [yesterday.isoformat()]


async def test_what_was_taken_back_in_one_way_is_not_taken_back_in_another(door: Door):
    await post(door, charge("h", 4_200, "charge/twice"))
    found = await ledger.find(door.running.database, "charge/twice")
    assert found is not None
    lines = transfer(EARNED, patient_account("Patient/h"), 4_200, About(patient="Patient/h"))
    back = Entry("charge aborted", "charge-aborted/twice", "test", tuple(lines), found["id"], "x")
    assert await post(door, back) == {"charge-aborted/twice"}
    asked = {"entry": str(found["id"]), "reason": "duplicate"}
    again = await door.ask(BILL, "POST", "/billing/ledger/reversals", asked)
    assert (again.status_code, again.json()["kind"]) == (409, "AlreadyReversed")
    assert await owed(door, "h") == 0
