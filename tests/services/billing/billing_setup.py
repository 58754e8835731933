"""A payer, prices and visits for tests of billing, made through its door."""

import itertools
from datetime import date
from typing import Any

from billing_door import BILL, Door

FROM = "2020-01-01"
# Codes of our own: a letter and four digits that no published code set has.
PRICES = """code,modifier,title,amount
Z1001,,Visit of a known patient,120.00
Z1001,25,Visit of a known patient beside a procedure,140.00
Z1002,,Blood drawn,15.50
Z1003,,Dressing changed,0.99
Z1009,,Long procedure,900.00
"""
ALLOWED = """code,modifier,title,amount
Z1001,,Visit,80.00
Z1002,,Blood drawn,20.00
"""
PAYER = {
    "name": "Northern Mutual",
    "x12_id": "NORTHMUT",
    "address": {
        "line": "1 Sample Road",
        "city": "Springfield",
        "state": "IL",
        "postal_code": "62701",
    },
    "rules": {"member_id_pattern": "NM######", "timely_filing_days": 90},
}
_numbers = itertools.count(1)


async def payer(door: Door, name: str = "north", **changes: Any) -> str:
    answer = await door.ask(BILL, "PUT", f"/billing/payers/{name}", {**PAYER, **changes})
    assert answer.is_success, answer.text
    return name


async def prices(door: Door, csv: str = PRICES, **changes: Any) -> str:
    """The clinic's own list, or a payer's; its id."""
    body = {"name": "List", "from_day": FROM, "csv": csv, "currency": "USD", **changes}
    return (await door.done(BILL, "/billing/fee-schedules", body))["schedule"]


async def coverage(door: Door, who: str, **changes: Any) -> str:
    body = {
        "patient": f"Patient/{who}",
        "payer": "north",
        "from_day": FROM,
        "member_id": f"NM{next(_numbers):06}",
        **changes,
    }
    return (await door.done(BILL, "/billing/coverages", body))["coverage"]


async def visit(door: Door, who: str, by: Any = BILL, **changes: Any) -> str:
    body = {"patient": f"Patient/{who}", "day": door.books.today().isoformat(), **changes}
    return (await door.done(by, "/billing/visits", body))["visit"]


def coding(*codes: str, **changes: Any) -> dict[str, Any]:
    lines = [{"code": code} for code in codes or ("Z1001",)]
    return {"diagnoses": ["E11.9", "I10"], "lines": lines, **changes}


async def coded(door: Door, who: str, *codes: str, **changes: Any) -> dict[str, Any]:
    """A visit of today with its charges."""
    made = await visit(door, who)
    return await door.done(BILL, f"/billing/visits/{made}/code", coding(*codes, **changes))


async def owed(door: Door, account: str) -> int:
    """The balance of an account such as `patient/a`, straight from the database."""
    rows = await door.sql(
        "SELECT b.amount FROM billing.balance b JOIN billing.account a ON a.number = b.account"
        " WHERE a.name = $1",
        account,
    )
    return rows[0]["amount"] if rows else 0


async def waiting(door: Door, queue: str, subject: str | None = None) -> list[dict[str, Any]]:
    path = f"/billing/work?queue={queue}" + (f"&subject={subject}" if subject else "")
    answer = await door.ask(BILL, "GET", path)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def day(text: str) -> date:
    return date.fromisoformat(text)
