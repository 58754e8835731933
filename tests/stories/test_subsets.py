"""Any sensible subset of services starts, does its own work, and says what is not installed."""

import asyncio
import time
from datetime import timedelta

import httpx
import pytest

from polyclinic.foundation import clock, jose

BASE = "http://127.0.0.1:8080"
SUBSETS = (
    ("records", "identity"),
    ("appointments", "identity"),
    ("portal", "identity", "records"),
    ("portal", "identity", "appointments"),
    ("records", "appointments", "identity", "portal"),
    ("billing", "identity"),
    ("records", "identity", "billing"),
    ("integration", "identity"),
    ("records", "identity", "integration"),
    ("migration", "identity"),
    ("audit", "identity"),
    ("records", "identity", "audit"),
    ("integration", "migration", "identity"),
    ("integration", "appointments", "billing", "identity"),
    ("records", "identity", "migration"),
    ("insights", "identity"),
    ("records", "identity", "insights"),
    ("records", "appointments", "identity", "billing", "integration", "migration", "portal"),
    (
        "records",
        "appointments",
        "identity",
        "billing",
        "integration",
        "insights",
        "migration",
        "portal",
    ),
)
CHANNEL = """
name: ward
source: http
clients: [subset]
accepts: [ADT]
systems: {WEST: "urn:oid:2.999.5.1"}
"""
MESSAGE = (
    b"MSH|^~\\&|HIS|WEST|POLY|CLINIC|20261101100000+0000||ADT^A04|K1|P|2.5.1\r"
    b"EVN||20261101100000+0000\rPID|1||W1^^^WEST^MR||Okafor^Ada||19840312|F\r"
)
PRICES = "code,modifier,title,amount\nZ1001,,Visit,120.00\n"
BILLING = ("Account", "ChargeItem", "Invoice", "PaymentNotice", "PaymentReconciliation")
WEEK = {
    "visit_types": [{"id": "visit", "name": "Visit", "minutes": 20, "every": 20}],
    "sites": [{"id": "main", "name": "Main", "time_zone": "UTC", "location": "Location/main"}],
    "clinicians": [
        {
            "practitioner": "Practitioner/ana",
            "time_zone": "UTC",
            "rules": [
                {
                    "weekday": day,
                    "from": "08:00",
                    "to": "18:00",
                    "site": "main",
                    "visit_types": ["visit"],
                }
                for day in ("monday", "tuesday", "wednesday", "thursday", "friday")
            ],
        }
    ],
}


class Subset:
    """One process with some services, spoken to through its front door."""

    def __init__(self, process, root_key):
        self._root = root_key
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=process.edge, client=("127.0.0.1", 5000)),
            base_url=BASE,
        )

    async def token(self):
        proof = jose.assertion(
            self._root.derive("operator"),
            issuer="operator",
            audience="polyclinic-operator",
            now=int(time.time()),
        )
        asked = {"client": "subset", "scope": "system/*.cruds", "assertion": proof}
        answer = await self.client.post("/identity/operator/token", json=asked)
        return {"authorization": f"Bearer {answer.json()['access_token']}"}


async def keeps_charts(subset, headers):
    made = await subset.client.post(
        "/fhir/Patient",
        headers={**headers, "content-type": "application/fhir+json"},
        content=b'{"resourceType":"Patient","name":[{"family":"Keller"}]}',
    )
    assert made.status_code == 201, made.text
    found = await subset.client.get("/fhir/Patient?family=keller", headers=headers)
    assert [e["resource"]["id"] for e in found.json()["entry"]] == [made.json()["id"]]


async def keeps_places(subset, headers):
    put = await subset.client.put("/appointments/setup", headers=headers, json=WEEK)
    assert put.status_code == 200, put.text
    first = f"{clock.today() + timedelta(days=7)}T00:00:00Z"
    found = await subset.client.get(
        "/appointments/openings",
        params={"visit_type": "visit", "from": first, "days": 7},
        headers=headers,
    )
    assert found.status_code == 200, found.text
    assert found.json()["openings"]


async def bills_and_is_paid(subset, headers):
    """Without charts: who they are, what it costs and what was done are typed in."""
    asked = 0

    async def post(path, body):
        nonlocal asked
        asked += 1
        key = {"idempotency-key": f"subset-{asked}"}
        answer = await subset.client.post(path, headers={**headers, **key}, json=body)
        assert answer.is_success, (path, answer.text)
        return answer.json()

    async def put(path, body):
        answer = await subset.client.put(path, headers=headers, json=body)
        assert answer.is_success, (path, answer.text)

    await put("/billing/people/p1", {"family": "Keller", "given": "Maria"})
    await put("/billing/payers/nhp", {"name": "Northside Health Plan", "x12_id": "NHPLAN01"})
    prices = {"name": "List", "from_day": "2020-01-01", "csv": PRICES, "currency": "USD"}
    await post("/billing/fee-schedules", prices)
    today = clock.today().isoformat()
    visit = (await post("/billing/visits", {"patient": "Patient/p1", "day": today}))["visit"]
    coding = {"diagnoses": ["E11.9"], "lines": [{"code": "Z1001"}], "self_pay": True}
    charge = (await post(f"/billing/visits/{visit}/code", coding))["charges"][0]["id"]
    cash = {"patient": "Patient/p1", "amount": 2_000, "method": "cash"}
    await post("/billing/payments", cash)
    bill = await post("/billing/statements", {"patient": "Patient/p1"})
    assert bill["total"] == 10_000
    for path in (f"/fhir/ChargeItem/{charge}", f"/fhir/Invoice/{bill['statement']}"):
        assert (await subset.client.get(path, headers=headers)).status_code == 200
    proof = await subset.client.get("/billing/ledger/proof", headers=headers)
    assert proof.json()["holds"]


async def knows_no_bills(subset, headers):
    """Nothing of billing is there: no door, no types of its own, no pages."""
    for path in ("/billing/ledger/proof", "/billing/work", "/billing/payments"):
        assert (await subset.client.get(path, headers=headers)).status_code == 404, path


async def hears_messages(subset, headers, installed):
    """Without charts too a message is acknowledged and kept; it waits for who keeps them."""
    deployed = await subset.client.post(
        "/integration/channels", headers=headers, content=CHANNEL.encode()
    )
    assert deployed.status_code == 201, deployed.text
    sent = {**headers, "content-type": "application/hl7-v2"}
    door = "/integration/channels/ward/messages"
    answers = [await subset.client.post(door, headers=sent, content=MESSAGE) for _ in range(2)]
    assert answers[0].status_code == 200, answers[0].text
    assert b"MSA|AA|K1" in answers[0].content
    assert answers[1].content == answers[0].content
    end, found = time.monotonic() + 30, {}
    while found.get("state") not in ("done", "waiting"):
        assert time.monotonic() < end, found
        await asyncio.sleep(0.02)
        told = await subset.client.get("/integration/messages?control=K1", headers=headers)
        [found] = told.json()["messages"]
    expected = ("done", "") if "records" in installed else ("waiting", "no records")
    assert (found["state"], found["reason"]) == expected


async def leads_from_an_old_system(subset, headers):
    """Alone with identity too: an inventory and a plan need nobody else."""
    decided = await subset.client.get("/migration/decisions", headers=headers)
    assert decided.json() == {"decisions": []}


async def tells_risks(subset, headers, installed):
    """Stated values are answered by itself; of charts only where there is who keeps them."""
    stated = {
        "age": {"value": 60, "unit": "a"},
        "sex": "female",
        "creatinine": {"value": 0.9, "unit": "mg/dL"},
    }
    path = "/insights/calculators/ckd-epi-2021"
    told = await subset.client.post(path, headers=headers, json={"inputs": stated})
    assert told.json()["status"] == "scored", told.text
    waits = await subset.client.get("/insights/waiting", headers=headers)
    assert waits.json()["parked"] == 0
    found = await subset.client.get("/insights/worklist", headers=headers)
    assert found.status_code == 200, found.text
    assert found.json()["people"] == []
    chart = await subset.client.post("/insights/chart", headers=headers, json={"patient": "none"})
    assert chart.status_code == (404 if "records" in installed else 503)


async def proves_what_was_done(subset, headers):
    """Alone with identity too: its events are gathered, and AuditEvents are found."""
    end, found = time.monotonic() + 30, []
    while not found:
        assert time.monotonic() < end, "nothing was gathered"
        told = await subset.client.get("/fhir/AuditEvent?_count=5", headers=headers)
        assert told.status_code == 200, told.text
        found = told.json().get("entry", ())
    assert (await subset.client.get("/audit/key")).json()["key"]
    written = await subset.client.post("/fhir/AuditEvent", headers=headers, json={})
    assert written.status_code == 405


async def shows_pages(subset, installed):
    first = await subset.client.get("/", follow_redirects=True)
    assert first.status_code == 200
    assert "Sign in" in first.text
    for name in ("records", "appointments"):
        answer = await subset.client.get(f"/{name}/health/ready")
        assert (answer.status_code == 200) is (name in installed)


async def works_beside(subset, headers, names):
    """The services that others can do without."""
    if "audit" in names:
        await proves_what_was_done(subset, headers)
    if "migration" in names:
        await leads_from_an_old_system(subset, headers)
    if "insights" in names:
        await tells_risks(subset, headers, names)


@pytest.mark.parametrize("names", SUBSETS, ids="+".join)
async def test_a_subset_starts_and_does_its_own_work(assembled, root_key, names):
    async with assembled(*names) as process:
        subset = Subset(process, root_key)
        ready = await subset.client.get("/health/ready")
        assert ready.json()["services"] == dict.fromkeys(names, "ready")
        headers = await subset.token()
        told = await subset.client.get("/fhir/metadata")
        kinds = {r["type"] for r in told.json().get("rest", [{"resource": []}])[0]["resource"]}
        assert ("Patient" in kinds) is ("records" in names)
        assert ("Appointment" in kinds) is ("appointments" in names or "records" in names)
        if "records" in names:
            await keeps_charts(subset, headers)
        else:
            absent = await subset.client.get("/fhir/Patient/1", headers=headers)
            assert absent.status_code == 404
            assert absent.json()["issue"][0]["code"] == "not-supported"
        if "appointments" in names:
            await keeps_places(subset, headers)
        if "billing" in names:
            await bills_and_is_paid(subset, headers)
        else:
            await knows_no_bills(subset, headers)
        assert ("Subscription" in kinds) is ("integration" in names or "records" in names)
        assert (set(BILLING) <= kinds) is ("billing" in names or "records" in names)
        if "integration" in names:
            await hears_messages(subset, headers, names)
        assert ("AuditEvent" in kinds) is ("audit" in names or "records" in names)
        await works_beside(subset, headers, names)
        if "portal" in names:
            await shows_pages(subset, names)
