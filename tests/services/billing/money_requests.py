"""A request that works for every POST of billing, each on people and visits of its own."""

import itertools
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from billing_door import BILL, Door, patient
from billing_setup import coding, coverage, visit
from claims_world import Coded, came, coded, submitted
from money_insurer import decides
from money_model import Claim
from paying_door import BACK, owing

from polyclinic.foundation import ids
from polyclinic.services.billing.actions import links
from polyclinic.services.billing.store import statements

BORN = "1980-04-02"
_years = itertools.count(2031)


class Sent(NamedTuple):
    """Who sends what where, and another body that is no less right."""

    who: Any
    path: str
    body: dict[str, Any]
    other: dict[str, Any]


Making = Callable[[Door], Awaitable[Sent]]


async def charge_entry(door: Door, who: str) -> str:
    query = "SELECT entry FROM billing.ledger_line WHERE patient = $1 LIMIT 1"
    return str((await door.sql(query, f"Patient/{who}"))[0]["entry"])


async def reversal(door: Door) -> Sent:
    entry = await charge_entry(door, await owing(door, 4_000))
    body = {"entry": entry, "reason": "duplicate"}
    return Sent(BILL, "/billing/ledger/reversals", body, {**body, "reason": "courtesy"})


async def day(door: Door) -> Sent:
    return Sent(BILL, "/billing/days", {"day": "2020-01-02"}, {"day": "2020-01-03"})


async def denied(door: Door) -> Coded:
    """A claim of which the payer pays nothing."""
    made = await coded(door, ("Z1001", 15_000))
    await submitted(door, made)
    (row,) = await door.sql("SELECT number FROM billing.claim WHERE id = $1", made.claim)
    lines = [(each.line, str(each.id), each.amount) for each in made.charges]
    claim = Claim(str(made.claim), row["number"], made.patient[8:], lines)
    assert (await came(door, decides([claim], (0, 0, 0, 100)).content)).status_code == 201
    return made


def of_claim(verb: str, body: dict[str, Any], other: dict[str, Any], *, is_denied: bool) -> Making:
    async def make(door: Door) -> Sent:
        made = await denied(door) if is_denied else await coded(door, ("Z1001", 15_000))
        return Sent(BILL, f"/billing/claims/{made.claim}/{verb}", body, other)

    return make


async def submission(door: Door) -> Sent:
    names = [await coded(door, ("Z1001", 15_000)) for _ in range(2)]
    for each in names:
        await door.done(BILL, f"/billing/claims/{each.claim}/check", {})
    first, second = ({"claims": [str(each.claim)]} for each in names)
    return Sent(BILL, "/billing/submissions", first, second)


async def statement(door: Door) -> Sent:
    bodies = [{"patient": f"Patient/{await owing(door, 4_000)}"} for _ in range(2)]
    return Sent(BILL, "/billing/statements", *bodies)


async def plan(door: Door) -> Sent:
    who = await owing(door, 40_000)
    first = door.books.today().isoformat()
    body = {"patient": f"Patient/{who}", "total": 40_000, "parts": 4, "first_day": first}
    return Sent(BILL, "/billing/plans", body, {**body, "parts": 2})


async def plan_end(door: Door) -> Sent:
    made = await plan(door)
    name = (await door.done(BILL, made.path, made.body))["plan"]
    return Sent(BILL, f"/billing/plans/{name}/cancel", {}, {"x": 1})


async def guest(door: Door) -> Sent:
    who = await owing(door, 40_000)
    person = {"family": "Keller", "birth_date": BORN}
    put = await door.ask(BILL, "PUT", f"/billing/people/{who}", person)
    assert put.is_success, put.text
    name = (await door.done(BILL, "/billing/statements", {"patient": f"Patient/{who}"}))[
        "statement"
    ]
    kept = await statements.find(door.running.database, name)
    assert kept is not None
    link = await links.link_of(door.books, kept.statement)
    assert link is not None
    body = {"token": link.url.rpartition("/")[2], "birth_date": BORN, "amount": 4_000,
            "return_url": BACK}  # fmt: skip
    return Sent(None, "/billing/pay-links/pay", body, {**body, "amount": 3_000})


async def card(door: Door) -> Sent:
    body = {"amount": 4_000, "method": "card", "return_url": BACK}
    who = patient(await owing(door, 4_000))
    return Sent(who, "/billing/payments", body, {**body, "amount": 3_000})


async def cash(door: Door) -> dict[str, Any]:
    body = {"patient": f"Patient/{await owing(door, 4_000)}", "amount": 4_000, "method": "cash"}
    return await door.done(BILL, "/billing/payments", body)


async def settling(door: Door) -> Sent:
    return Sent(BILL, f"/billing/payments/{(await cash(door))['payment']}/settle", {}, {"x": 1})


async def refund(door: Door) -> Sent:
    body = {"amount": 1_000, "reason": "overpaid"}
    path = f"/billing/payments/{(await cash(door))['payment']}/refunds"
    return Sent(BILL, path, body, {**body, "amount": 900})


async def visited(door: Door) -> Sent:
    body = {"patient": f"Patient/v{ids.new_uuid().hex}", "day": "2026-01-05"}
    return Sent(BILL, "/billing/visits", body, {**body, "day": "2026-01-06"})


async def coding_of(door: Door) -> Sent:
    made = await visit(door, f"v{ids.new_uuid().hex}")
    return Sent(BILL, f"/billing/visits/{made}/code", coding("Z1001"), coding("Z1002"))


async def not_billable(door: Door) -> Sent:
    made = await visit(door, f"v{ids.new_uuid().hex}")
    path = f"/billing/visits/{made}/not-billable"
    return Sent(BILL, path, {"reason": "no-show"}, {"reason": "courtesy"})


async def abort(door: Door) -> Sent:
    made = await coding_of(door)
    charges = (await door.done(BILL, made.path, made.body))["charges"]
    path = f"/billing/charges/{charges[0]['id']}/abort"
    return Sent(BILL, path, {"reason": "duplicate"}, {"reason": "courtesy"})


async def schedule(door: Door) -> Sent:
    csv = "code,modifier,title,amount\nZ1001,,Visit,80.00\n"
    body = {"name": "New", "from_day": f"{next(_years)}-01-01", "csv": csv, "currency": "USD",
            "payer": "nhp", "close_former": True}  # fmt: skip
    return Sent(BILL, "/billing/fee-schedules", body, {**body, "name": "Other"})


async def covering(door: Door) -> Sent:
    body = {"patient": f"Patient/v{ids.new_uuid().hex}", "payer": "nhp", "from_day": "2020-01-01",
            "member_id": "M1234567"}  # fmt: skip
    return Sent(BILL, "/billing/coverages", body, {**body, "member_id": "M1234568"})


async def from_chart(door: Door) -> Sent:
    """Refused where there are no charts; a refusal is an answer too."""
    bodies = [{"patient": f"Patient/v{ids.new_uuid().hex}"} for _ in range(2)]
    return Sent(BILL, "/billing/coverages/from-chart", *bodies)


async def cover_end(door: Door) -> Sent:
    name = await coverage(door, f"v{ids.new_uuid().hex}", payer="nhp", member_id="M1234567")
    path = f"/billing/coverages/{name}/end"
    return Sent(BILL, path, {"until_day": "2031-01-01"}, {"until_day": "2031-01-02"})


async def terms(door: Door) -> Sent:
    name = await coverage(door, f"v{ids.new_uuid().hex}", payer="nhp", member_id="M1234567")
    body = {"copay": 2_000, "deductible_left": 0, "coinsurance_bp": 0, "out_of_pocket_left": None}
    return Sent(BILL, f"/billing/coverages/{name}/terms", body, {**body, "copay": 1_000})


async def estimate(door: Door) -> Sent:
    body = {"patient": f"Patient/v{ids.new_uuid().hex}", "kind": "good-faith",
            "for_day": "2031-01-01", "lines": [{"code": "Z1001"}]}  # fmt: skip
    return Sent(BILL, "/billing/estimates", body, {**body, "for_day": "2031-01-02"})


def of_item(verb: str, body: dict[str, Any], other: dict[str, Any]) -> Making:
    async def make(door: Door) -> Sent:
        made = await visit(door, f"v{ids.new_uuid().hex}")
        query = "SELECT id FROM billing.work_item WHERE subject = $1"
        (row,) = await door.sql(query, f"Visit/{made}")
        if verb == "release":
            await door.done(BILL, f"/billing/work/{row['id']}/take", {})
        return Sent(BILL, f"/billing/work/{row['id']}/{verb}", body, other)

    return make


REQUESTS: dict[str, Making] = {
    "/billing/ledger/reversals": reversal,
    "/billing/days": day,
    "/billing/claims/{claim}/check": of_claim("check", {}, {"x": 1}, is_denied=False),
    "/billing/claims/{claim}/authorization": of_claim(
        "authorization", {"number": "A1"}, {"number": "A2"}, is_denied=False
    ),
    "/billing/claims/{claim}/correction": of_claim(
        "correction", {}, {"replaces": False}, is_denied=True
    ),
    "/billing/claims/{claim}/appeal": of_claim(
        "appeal", {"note": "Needed."}, {"note": "Asked for."}, is_denied=True
    ),
    "/billing/claims/{claim}/write-off": of_claim(
        "write-off", {"reason": "courtesy", "amount": 100}, {"reason": "courtesy"}, is_denied=True
    ),
    "/billing/claims/{claim}/to-patient": of_claim(
        "to-patient", {"reason": "CO-50", "amount": 100}, {"reason": "CO-50"}, is_denied=True
    ),
    "/billing/submissions": submission,
    "/billing/statements": statement,
    "/billing/plans": plan,
    "/billing/plans/{id}/cancel": plan_end,
    "/billing/pay-links/pay": guest,
    "/billing/payments": card,
    "/billing/payments/{id}/settle": settling,
    "/billing/payments/{id}/refunds": refund,
    "/billing/visits": visited,
    "/billing/visits/{visit}/code": coding_of,
    "/billing/visits/{visit}/not-billable": not_billable,
    "/billing/charges/{charge}/abort": abort,
    "/billing/fee-schedules": schedule,
    "/billing/coverages": covering,
    "/billing/coverages/from-chart": from_chart,
    "/billing/coverages/{coverage}/end": cover_end,
    "/billing/coverages/{coverage}/terms": terms,
    "/billing/estimates": estimate,
    "/billing/work/{item}/take": of_item("take", {}, {"x": 1}),
    "/billing/work/{item}/release": of_item("release", {}, {"x": 1}),
    "/billing/work/{item}/done": of_item("done", {"outcome": "other"}, {"outcome": "paid"}),
}
