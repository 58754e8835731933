"""A visit becomes a claim, a payment of the insurer, a bill, a card payment and a refund."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from zoneinfo import ZoneInfo

import asyncpg
import httpx
import pytest
from story_clinic import Clinic, free_port, until
from story_people import Person, token_of

from polyclinic.demo import billing, people
from polyclinic.demo.week import ZONE
from polyclinic.fhirserver.terms import Terms
from polyclinic.foundation import clock
from polyclinic.foundation.vault import RootKey, Vault
from polyclinic.standards.fhir.definitions import type_number

PASSWORD = "a-quiet-afternoon"
SECOND_STEP = "4000002500003155"
LINES = [{"code": "Z1002"}, {"code": "Z2001"}]  # $190.00 and $18.00; allowed 165.00 and 80 %
CHARGED = 20_800
# Copay 25.00 and a tenth of the rest: of 165.00 and of 14.40.
SHARE, INSURER = 2_500 + 1_400 + 144, 12_600 + 1_296


@pytest.fixture
def partners(topology: Clinic) -> Iterator[None]:
    """`up` brings an insurer over a folder and a card gateway; here others come over HTTP."""
    if "billing" not in topology.programs:
        yield
        return
    hook = f"{topology.url}/billing/webhooks/cards"
    with (
        beside("polyclinic.demo.cards", "--hook", hook) as cards,
        beside("polyclinic.demo.payer") as insurer,
    ):
        told = billing.settings(topology.folder, topology.url, cards)
        del told["POLYCLINIC_BILLING_EXCHANGE_FOLDER"]
        told["POLYCLINIC_BILLING_EXCHANGE_URL"] = insurer
        with told_more(topology, "billing", told):
            yield


@contextmanager
def told_more(clinic: Clinic, name: str, told: dict[str, str]) -> Iterator[None]:
    """Restarts a service, all its replicas, with more settings, and in the end without them."""
    plain = {n: p for n, p in clinic.programs.items() if n in (name, f"{name}-2")}
    for called, program in plain.items():
        program.stop()
        clinic.programs[called] = program.again(**told)
    try:
        clinic.await_ready(name)
        yield
    finally:
        for called, program in plain.items():
            clinic.programs[called].stop()
            clinic.programs[called] = program
            program.start()
        clinic.await_ready(name)


@contextmanager
def beside(module: str, *words: str) -> Iterator[str]:
    """A program of the demo in a process of its own; answers its address."""
    port = free_port()
    started = [sys.executable, "-m", module, "--port", str(port), *words]
    process = subprocess.Popen(started, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@dataclass
class Bill:
    """Who takes part, what came about, and the number of each step in the access log."""

    clinic: Clinic
    patient: str = ""
    ana: Person = field(init=False)
    tom: Person = field(init=False)
    grace: Person = field(init=False)
    payer: Person = field(init=False)  # the patient, who pays
    system: Person = field(init=False)
    made: dict[str, str] = field(default_factory=dict)
    steps: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ana, self.tom, self.grace = (
            Person(self.clinic, token_of(self.clinic, user)) for user in ("ruiz", "tom", "grace")
        )
        self.system = Person(self.clinic, self.clinic.token())
        self.patient = self._somebody()
        account = {"user": "bill-story", "password": PASSWORD, "role": "patient",
                   "person": self.patient, "name": "Somebody"}  # fmt: skip
        operator = Person(self.clinic, self.clinic.token("system/identity.accounts"))
        operator.post("/identity/operator/accounts", {"accounts": [account]})
        self.payer = Person(self.clinic, token_of(self.clinic, "bill-story", PASSWORD))

    def _somebody(self) -> str:
        """A patient of the demo clinic whom nobody has billed yet."""
        found = self.system.get("/fhir/Patient?_count=50")["entry"]
        names = sorted(f"Patient/{entry['resource']['id']}" for entry in found)
        known = {each: self.grace.get(f"/billing/coverages?patient={each}") for each in names}
        return [each for each, said in known.items() if not said["coverages"]][-1]

    def done(self, step: str, who: Person) -> None:
        """After each step the ledger proves itself."""
        self.steps[step] = who.last
        proof = self.grace.get("/billing/ledger/proof")
        assert proof["holds"], (step, proof)


def tell(clinic: Clinic) -> Bill:
    bill = Bill(clinic)
    it_is_insured_and_estimated(bill)
    it_takes_place_and_is_coded(bill)
    it_is_claimed_and_decided(bill)
    it_is_billed_and_paid(bill)
    some_of_it_is_given_back(bill)
    everybody_can_read_of_it(bill)
    return bill


def it_is_insured_and_estimated(bill: Bill) -> None:
    cover = {"patient": bill.patient, "payer": billing.PAYER, "member_id": "NH777777",
             "from_day": "2020-01-01", "copay": 2_500, "coinsurance_bp": 1_000}  # fmt: skip
    bill.tom.post("/billing/coverages", cover)
    bill.done("insured", bill.tom)
    booked(bill)
    # The visit is of the day on which it takes place: here it does so at once.
    today = clock.now().astimezone(ZoneInfo(ZONE)).date().isoformat()
    asked = {"patient": bill.patient, "kind": "insured", "practitioner": people.ANA_RUIZ,
             "for_day": today, "diagnoses": ["M54.50"], "lines": LINES}  # fmt: skip
    made = bill.grace.post("/billing/estimates", asked)
    assert made["total"]["amount"] == CHARGED
    assert made["share"]["amount"] == SHARE
    bill.made["estimate"] = made["estimate"]
    bill.done("estimated", bill.grace)


def booked(bill: Bill) -> None:
    """The patient books the first time that is free."""
    first = f"{clock.today() + timedelta(days=1)}T00:00:00Z"
    asked = f"/appointments/openings?visit_type=follow-up&from={first}&days=14"
    found = bill.payer.get(asked + f"&practitioner={people.ANA_RUIZ}")["openings"]
    chosen = {name: found[0][name] for name in ("visit_type", "practitioner", "start")
              if name in found[0]}  # fmt: skip
    body = {"visit_type": "follow-up", "practitioner": people.ANA_RUIZ, **chosen}
    made = bill.payer.post("/appointments/bookings", body)["appointment"]
    bill.made["appointment"] = made["id"]
    bill.done("booked", bill.payer)


def it_takes_place_and_is_coded(bill: Bill) -> None:
    """What appointments says opens the visit in billing; nobody writes it there."""
    for verb in ("arrive", "check-in", "fulfil"):
        bill.tom.post(f"/appointments/{bill.made['appointment']}/{verb}", {})

    def waiting() -> str | None:
        items = bill.grace.get("/billing/work?queue=to%20code&limit=200")["items"]
        mine = [each for each in items if each["patient"] == bill.patient]
        return mine[0]["subject"].partition("/")[2] if mine else None

    bill.made["visit"] = until(waiting, 30, "the visit to be coded")
    coding = {"diagnoses": ["M54.50"], "lines": LINES}
    coded = bill.ana.post(f"/billing/visits/{bill.made['visit']}/code", coding)
    assert coded["total"]["amount"] == CHARGED
    bill.made["charge"] = coded["charges"][0]["id"]
    bill.done("coded", bill.ana)
    assert owed(bill) == 0


def owed(bill: Bill) -> int:
    return bill.payer.get("/billing/owed")["owed"]


def it_is_claimed_and_decided(bill: Bill) -> None:
    (claim,) = bill.grace.get(f"/billing/claims?patient={bill.patient}")["claims"]
    bill.made["claim"] = claim["id"]
    path = f"/billing/claims/{claim['id']}"
    checked = bill.grace.post(f"{path}/check", {})
    assert checked["status"] == "checked", bill.grace.get(path)["findings"]
    bill.done("checked", bill.grace)
    bill.grace.post("/billing/submissions", {"claims": [claim["id"]]})
    bill.done("submitted", bill.grace)
    until(lambda: bill.grace.get(path)["status"] == "paid" or None, 60, "the insurer's decision")
    bill.done("decided", bill.grace)
    told = bill.grace.get(path)
    assert told["paid"] == INSURER
    assert told["open"] == 0
    kinds = [each["kind"] for each in told["files"]]
    assert sorted(kinds) == ["277CA", "835", "837P", "999"]
    history = [each["kind"] for each in told["history"]]
    assert history == ["begun", "checked", "submitted", "accepted", "pay"]
    assert owed(bill) == SHARE
    estimate = bill.grace.get(f"/billing/estimates/{bill.made['estimate']}")
    assert (estimate["visit"], estimate["billed"], estimate["flagged"]) == (
        bill.made["visit"], SHARE, False,
    )  # fmt: skip


def it_is_billed_and_paid(bill: Bill) -> None:
    issued = bill.grace.post("/billing/statements", {"patient": bill.patient})
    assert issued["total"] == SHARE
    bill.made["statement"] = issued["statement"]
    bill.done("billed", bill.grace)
    paper = bill.payer.ask("GET", f"/billing/statements/{issued['statement']}.pdf")
    assert paper.content.startswith(b"%PDF"), paper.text[:300]
    bill.done("read", bill.payer)
    wanted = {"amount": SHARE, "method": "card", "statement": issued["statement"],
              "return_url": f"{bill.clinic.url}/bills/back"}  # fmt: skip
    payment = bill.payer.post("/billing/payments", wanted)
    bill.made["payment"] = payment["payment"]
    assert payment["status"] == "requires_action"
    bill.done("asked to pay", bill.payer)
    on_the_card_page(payment["action_url"])
    path = f"/billing/payments/{payment['payment']}"
    # Nobody comes back to our page: the gateway's own word has to bring the news.
    until(lambda: bill.payer.get(path)["status"] == "succeeded" or None, 30, "the webhook")
    bill.done("paid", bill.payer)
    assert owed(bill) == 0
    assert bill.payer.get(f"/billing/statements/{issued['statement']}")["status"] == "balanced"


def on_the_card_page(url: str) -> None:
    """A card that asks for a second step, and the person's yes."""
    with httpx.Client(timeout=20, trust_env=False) as person:
        assert "$" in person.get(url).text or "USD" in person.get(url).text
        check = person.post(url, data={"number": SECOND_STEP})
        assert check.status_code == 303, check.text[:500]
        step = httpx.URL(url).join(check.headers["location"])
        assert person.get(step).status_code == 200
        back = person.post(step, data={"answer": "yes"})
        assert back.headers["location"].endswith("/bills/back")


def some_of_it_is_given_back(bill: Bill) -> None:
    path = f"/billing/payments/{bill.made['payment']}/refunds"
    too_much = bill.grace.ask("POST", path, {"amount": SHARE + 1, "reason": "overpaid"})
    assert too_much.json()["kind"] == "MoreThanPaid"
    given = bill.grace.post(path, {"amount": 1_000, "reason": "courtesy"})
    assert given["status"] == "succeeded"
    bill.made["refund"] = given["refund"]
    bill.done("given back", bill.grace)
    assert owed(bill) == 1_000


def everybody_can_read_of_it(bill: Bill) -> None:
    """Claim, answer and explanation stand in records; the rest is billing's own."""
    system, claim = bill.system, bill.made["claim"]
    for kind in ("Claim", "ClaimResponse", "ExplanationOfBenefit"):
        path = f"/fhir/{kind}/{claim}"
        until(lambda path=path: system.ask("GET", path).status_code == 200 or None, 60, path)
        assert system.get(path)["patient"]["reference"] == bill.patient
    for path in (
        f"/fhir/ChargeItem/{bill.made['charge']}",
        f"/fhir/Invoice/{bill.made['statement']}",
        f"/fhir/PaymentNotice/{bill.made['payment']}",
    ):
        assert system.get(path)["id"] == path.rpartition("/")[2]
    for kind in ("Account", "ChargeItem", "Invoice"):
        found = system.get(f"/fhir/{kind}?patient={bill.patient}")
        assert found["entry"], kind
    paid = system.get("/fhir/PaymentReconciliation?_count=100")["entry"]
    details = [d for e in paid for d in e["resource"].get("detail", ())]
    assert f"Claim/{claim}" in {d["request"]["reference"] for d in details if "request" in d}


async def test_a_visit_is_billed_paid_and_given_back_and_the_books_hold(
    topology: Clinic,
    partners: None,
):
    """And afterwards the books and the access log name who did what."""
    bill = await asyncio.to_thread(tell, topology)
    connection = await asyncpg.connect(topology.database_url())
    try:
        await the_log_names_who_did_what(bill, connection)
        await the_ledger_names_its_authors(bill, connection)
    finally:
        await connection.close()


async def roles(connection: asyncpg.Connection, names: set[str]) -> dict[str, str]:
    query = "SELECT id::text, role FROM identity.account WHERE id::text = ANY ($1)"
    return dict(await connection.fetch(query, list(names)))


async def the_log_names_who_did_what(bill: Bill, connection: asyncpg.Connection) -> None:
    key = bill.clinic.key
    assert key is not None
    person = Terms(Vault(RootKey.read(key), "billing")).person(bill.patient)
    query = (
        "SELECT actor, action, type FROM billing.access_log"
        " WHERE request = $1::uuid AND patient = $2 AND outcome = 0"
    )
    expected = {
        "coded": ("clinician", b"c", "ChargeItem"),
        "billed": ("billing", b"c", "Invoice"),
        "read": ("patient", b"s", "Invoice"),  # what is released counts as found
    }
    for step, (role, action, kind) in expected.items():
        rows = await connection.fetch(query, bill.steps[step], person)
        assert (action, type_number(kind)) in {(r["action"], r["type"]) for r in rows}, step
        known = await roles(connection, {r["actor"] for r in rows})
        assert set(known.values()) == {role}, step


async def the_ledger_names_its_authors(bill: Bill, connection: asyncpg.Connection) -> None:
    sources = {
        f"charge/{bill.made['charge']}": "clinician",
        f"payment/{bill.made['payment']}": "patient",
        f"refund/{bill.made['refund']}": "billing",
    }
    rows = await connection.fetch(
        "SELECT source, author FROM billing.ledger_entry WHERE source = ANY ($1)", list(sources)
    )
    authors = {row["source"]: row["author"] for row in rows}
    known = await roles(connection, set(authors.values()))
    assert {source: known.get(name) for source, name in authors.items()} == sources
