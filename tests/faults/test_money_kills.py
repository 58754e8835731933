"""Killed between any two writes, billing loses no payment, charges nobody twice, halves no file."""

import os
import random
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

# The simulated insurer and the card gateway that billing's own tests use.
sys.path.insert(0, str(Path(__file__).parent.parent / "services" / "billing"))
from cards_at_work import GOOD, Cards, cards_at_work
from claims_world import SETTINGS
from honest_client import Honest
from money_insurer import decides
from money_model import KINDS, PAYER, Charge, Claim, Held, Model, account_of

# Which moments are counted, and to how many: a bill's whole way has some hundred writes.
MOMENTS = {"any": 70, "commit": 16, "gateway": 6}
KILLED = -9
PERCENTS = [(20, 0, 0, 0), (10, 15, 0, 0), (33, 20, 7, 5), (0, 0, 0, 100)]
ADDRESS = {"line": "1 Elm Street", "city": "Springfield", "state": "MA", "postal_code": "01103"}
PRICES = "code,modifier,title,amount\nZ1001,,Visit,120.00\nZ1002,,Blood drawn,15.50\n"
# A remittance without all of its lines, or whose ledger entries do not come to what was paid.
TORN = """
SELECT r.id FROM billing.remittance r
WHERE r.lines <> (SELECT count(*) FROM billing.remittance_line l WHERE l.remittance = r.id)
   OR r.paid <> (SELECT coalesce(sum(l.amount), 0) FROM billing.ledger_line l
                 JOIN billing.ledger_entry e ON e.id = l.entry
                 JOIN billing.account a ON a.number = l.account
                 WHERE e.source LIKE 'remittance/' || r.id || '/%' AND a.name = 'bank')
UNION ALL
SELECT f.id FROM billing.x12_file f
WHERE f.kind = '835' AND f.status = 'taken' AND f.direction = 'in'
  AND NOT EXISTS (SELECT FROM billing.remittance r WHERE r.file = f.id)"""
# The ledger's own proof, asked of the database while nobody else is there to ask it.
UNPROVEN = """
SELECT p.entry::text FROM billing.ledger_line p GROUP BY p.entry HAVING sum(p.amount) <> 0
UNION ALL
SELECT b.account::text FROM billing.balance b WHERE b.amount <> (
    SELECT coalesce(sum(p.amount), 0) FROM billing.ledger_line p WHERE p.account = b.account)"""
# A payment or refund that is said to have arrived without its entry, or the other way round.
UNBOOKED = """
SELECT p.id FROM billing.payment p WHERE (p.status = 'succeeded') <> EXISTS (
    SELECT FROM billing.ledger_entry e WHERE e.source = 'payment/' || p.id)
UNION ALL
SELECT r.id FROM billing.refund r WHERE (r.status = 'succeeded') <> EXISTS (
    SELECT FROM billing.ledger_entry e WHERE e.source = 'refund/' || r.id)"""


class Billing:
    """A process of billing that is going to die, and the next one that waits for its turn."""

    def __init__(self, folder: Path, port: int, surroundings: dict[str, str]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._words = [sys.executable, str(Path(__file__).parent / "dying_billing.py"), str(port)]
        self.surroundings, self._said = surroundings, (folder / "billing.txt").open("a")
        self._next = self._started()
        self.process = self._next

    def _started(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self._words, stdin=subprocess.PIPE, stdout=self._said, stderr=self._said, text=True,
            env=self.surroundings,
        )  # fmt: skip

    def serve(self, moments: str = "0 any") -> None:
        """The one that waits begins to serve; it dies after so many moments, or never with 0."""
        self.process, self._next = self._next, self._started()
        assert self.process.stdin is not None
        self.process.stdin.write(f"{moments}\n")
        self.process.stdin.close()
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if (code := self.process.poll()) is not None:
                # Others were faster than this look: it has served, and died as it was told.
                assert code == KILLED
                return
            try:
                if httpx.get(f"{self.url}/billing/health/ready", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.02)
        raise AssertionError("billing is not ready")

    def end(self) -> None:
        for each in (self.process, self._next):
            each.kill()
            each.wait(10)
            if each.stdin and not each.stdin.closed:
                each.stdin.close()
        self._said.close()


class Client:
    """Somebody who repeats a request with its key until there is an answer."""

    def __init__(self, url: str, token: str) -> None:
        self.stop, self.http = threading.Event(), Honest(url, token)
        self.until_answered, self.get = self.http.until_answered, self.http.found

    def post(self, path: str, body: Any, key: str) -> Any:
        headers = {"idempotency-key": key}
        answer = self.until_answered("POST", path, json=body, headers=headers)
        assert answer.is_success, (path, answer.status_code, answer.text)
        return answer.json()


class Customer(threading.Thread):
    """Visits, bills and payments of one patient after the other; writes down what has to be."""

    def __init__(self, number: int, client: Client, cards: Cards) -> None:
        super().__init__(daemon=True)
        self.number, self.client, self.cards = number, client, cards
        self.model, self.chance = Model(), random.Random(number)
        self.error: BaseException | None = None
        self.payments: dict[str, str] = {}  # card payment → patient

    def run(self) -> None:
        count = 0
        try:
            while not self.client.stop.is_set():
                count += 1
                self._live(f"k{self.number}x{count}")
        except BaseException as error:  # noqa: BLE001 - told by the test that waits for it
            self.error = error

    def _live(self, who: str) -> None:
        self.model.patients.append(who)
        amount = self.chance.randint(1_000, 9_000)
        self._visit(who, amount, insured=False)
        self._pays_cash(who, amount // 4)
        self._pays_by_card(who, amount // 2, amount // 3)
        self._visit(who, amount, insured=True)
        self._insured(who)

    def _visit(self, who: str, amount: int, *, insured: bool) -> None:
        key = f"{who}/{insured}"
        day = {"patient": f"Patient/{who}", "day": "2026-01-05", "practitioner": "Practitioner/ana"}
        if insured:
            person = {"family": "Keller", "given": "Maria", "birth_date": "1980-04-02",
                      "sex": "female", "address": ADDRESS}  # fmt: skip
            self.client.until_answered("PUT", f"/billing/people/{who}", json=person)
            cover = {"patient": f"Patient/{who}", "payer": "nhp", "member_id": "M1234567",
                     "from_day": "2020-01-01"}  # fmt: skip
            self.client.post("/billing/coverages", cover, f"cover/{key}")
        visit = self.client.post("/billing/visits", day, f"visit/{key}")["visit"]
        lines = [{"code": "Z1001", "amount": amount}, {"code": "Z1002", "amount": 500}]
        coding = {"diagnoses": ["E11.9"], "lines": lines, "self_pay": not insured}
        made = self.client.post(f"/billing/visits/{visit}/code", coding, f"code/{key}")["charges"]
        owed_by = PAYER if insured else account_of(who)
        for each in made:
            self.model.charged(Charge(each["id"], visit, who, each["amount"], owed_by, None))

    def _pays_cash(self, who: str, amount: int) -> None:
        body = {"patient": f"Patient/{who}", "amount": amount, "method": "cash"}
        made = self.client.post("/billing/payments", body, f"cash/{who}")["payment"]
        self.model.move("cash", account_of(who), amount)
        back = {"amount": amount // 2, "reason": "overpaid"}
        self.client.post(f"/billing/payments/{made}/refunds", back, f"cash-back/{who}")
        self.model.move(account_of(who), "cash", amount // 2)

    def _pays_by_card(self, who: str, amount: int, back: int) -> None:
        body = {"patient": f"Patient/{who}", "amount": amount, "method": "card",
                "return_url": "http://clinic.test/bills"}  # fmt: skip
        made = self.client.post("/billing/payments", body, f"card/{who}")
        self.payments[made["payment"]] = who
        # The address of the page is asked of the gateway anew; it stands there as well.
        (page,) = (s for s in self.cards.all("checkout.session")
                   if s["client_reference_id"] == made["payment"])  # fmt: skip
        if page["url"]:
            self.cards.pay(page["url"], GOOD)
        path = f"/billing/payments/{made['payment']}"
        assert self.client.post(f"{path}/settle", {}, f"settle/{who}")["status"] == "succeeded"
        given = {"amount": back, "reason": "courtesy"}
        told = self.client.post(f"{path}/refunds", given, f"card-back/{who}")
        assert told["status"] == "succeeded"

    def _insured(self, who: str) -> None:
        (found,) = self.client.get(f"/billing/claims?patient=Patient/{who}")["claims"]
        whole = self.client.get(f"/billing/claims/{found['id']}")
        lines = [(each["line"], each["charge"], each["amount"]) for each in whole["lines"]]
        claim = Claim(found["id"], whole["number"], who, lines)
        checked = self.client.post(f"/billing/claims/{claim.id}/check", {}, f"check/{who}")
        assert checked["status"] == "checked"
        self.client.post("/billing/submissions", {"claims": [claim.id]}, f"send/{who}")
        advice = decides([claim], self.chance.choice(PERCENTS))
        for _ in range(2):  # it comes twice
            answer = self.client.until_answered("POST", "/billing/files", content=advice.content)
            assert answer.status_code in (200, 201), answer.text
        self.model.arrives(advice)


@contextmanager
def clinic(folder: Path, url: str, key_file: Path, cards: Cards, ports: tuple[int, int]):
    """Identity that stays and billing that does not; answers billing and a token for it."""
    services = {name: f"http://127.0.0.1:{port}"
                for name, port in zip(("identity", "billing"), ports, strict=True)}  # fmt: skip
    peers = ",".join(f"{name}={where}" for name, where in services.items())
    kept = {n: v for n, v in os.environ.items() if not n.startswith("POLYCLINIC_")}
    surroundings = {**kept, **SETTINGS, **cards.settings, "POLYCLINIC_DATABASE_URL": url,
                    "POLYCLINIC_KEY_FILE": str(key_file), "POLYCLINIC_PEERS": peers,
                    "POLYCLINIC_PUBLIC_URL": "http://clinic.test"}  # fmt: skip
    with (folder / "identity.txt").open("a") as said:
        words = [sys.executable, "-m", "polyclinic", "serve", "identity", "--port", str(ports[0])]
        identity = subprocess.Popen(words, stdout=said, stderr=said, env=surroundings)
    billing = Billing(folder, ports[1], surroundings)
    try:
        billing.serve()
        yield billing, _token(services["identity"], key_file)
    finally:
        billing.end()
        identity.terminate()
        identity.wait(20)


def _token(identity: str, key_file: Path) -> str:
    words = ["token", "--url", identity, "--key-file", str(key_file), "--client", "kills",
             "--scope", "system/*.cruds"]  # fmt: skip
    end = time.monotonic() + 60
    while time.monotonic() < end:
        asked = subprocess.run([sys.executable, "-m", "polyclinic", *words],
                               capture_output=True, text=True, check=False)  # fmt: skip
        if asked.returncode == 0:
            return asked.stdout.splitlines()[-1]
        time.sleep(0.2)
    raise AssertionError(asked.stderr)


def prepared(client: Client) -> None:
    payer = {"name": "Northside Health Plan", "x12_id": "NHPLAN01", "address": ADDRESS}
    client.until_answered("PUT", "/billing/payers/nhp", json=payer)
    provider = {"last_name": "Ruiz", "first_name": "Ana", "npi": "1234567893"}
    client.until_answered("PUT", "/billing/providers/ana", json=provider)
    prices = {"name": "List", "from_day": "2020-01-01", "csv": PRICES, "currency": "USD"}
    client.post("/billing/fee-schedules", prices, "prices")


async def is_whole(url: str) -> None:
    """What holds at every moment, whoever died."""
    connection = await asyncpg.connect(url)
    try:
        assert await connection.fetch(UNPROVEN) == []
        assert await connection.fetch(TORN) == []
        assert await connection.fetch(UNBOOKED) == []
    finally:
        await connection.close()


async def agrees(url: str, customers: list[Customer], cards: Cards) -> None:
    """At the end: to the cent what everybody was told, and what the gateway holds."""
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT a.name, b.amount FROM billing.balance b"
                                  " JOIN billing.account a ON a.number = b.account")  # fmt: skip
    await connection.close()
    sums = {row["name"]: row["amount"] for row in rows}
    everything = {kind: cards.all(kind) for kind in KINDS}
    whose = {name: who for each in customers for name, who in each.payments.items()}
    assert all(e["metadata"]["payment"] in whose for e in everything["payment_intent"])
    held = Held.read(everything, whose)
    assert sums["card"] == held.in_card
    for name in ("bank", "cash", "contractual", "adjusted", "income", PAYER):
        assert sums.get(name, 0) == sum(each.model.sums[name] for each in customers), name
    for each in customers:
        for who in each.model.patients:
            owed = each.model.sums[account_of(who)] - held.owed_less(who)
            assert sums.get(account_of(who), 0) == owed, who


async def killed_between_writes(folder, url, key_file, ports, kills: int) -> int:
    """Answers how many requests had to be repeated."""
    chance = random.Random(kills)
    with (
        cards_at_work() as cards,
        clinic(folder, url, key_file, cards, ports) as (billing, token),
    ):
        client = Client(billing.url, token)
        prepared(client)
        customers = [Customer(number, client, cards) for number in (1, 2)]
        billing.process.kill()
        for each in customers:
            each.start()
        for _ in range(kills):
            billing.process.wait(60)
            await is_whole(url)
            kind = chance.choice(list(MOMENTS))
            billing.serve(f"{chance.randint(1, MOMENTS[kind])} {kind}")
            broken = [each.error for each in customers if each.error is not None]
            assert not broken, broken
        assert billing.process.wait(60) == KILLED
        billing.serve()
        client.stop.set()
        for each in customers:
            each.join(120)
            assert each.error is None, each.error
        await is_whole(url)
        assert client.get("/billing/ledger/proof")["holds"]
        await agrees(url, customers, cards)
        client.http.close()
        return client.http.repeats


async def test_ten_kills_between_writes_lose_and_double_no_money(
    tmp_path, new_database, key_file, free_port
):
    """A hundred are in the long run: each one is the start of a process."""
    ports = (free_port(), free_port())
    repeats = await killed_between_writes(tmp_path, await new_database(), key_file, ports, 10)
    assert repeats >= 10


async def test_two_processes_that_are_asked_at_the_same_moment_do_it_once(
    tmp_path, new_database, key_file, free_port
):
    url, ports = await new_database(), (free_port(), free_port())
    with (
        cards_at_work() as cards,
        clinic(tmp_path, url, key_file, cards, ports) as (one, token),
    ):
        other = Billing(tmp_path, free_port(), one.surroundings)
        try:
            other.serve()
            both = [Client(each.url, token) for each in (one, other)]
            prepared(both[0])
            for number in range(10):
                at_the_same_moment(both, f"twice{number}")
            assert both[0].get("/billing/ledger/proof")["holds"]
            for each in both:
                each.http.close()
        finally:
            other.end()
    connection = await asyncpg.connect(url)
    counts = await connection.fetch(
        "SELECT patient, method, count(*) AS n FROM billing.payment GROUP BY 1, 2"
    )
    await connection.close()
    assert sorted(row["n"] for row in counts) == [1] * 20


def at_the_same_moment(both: list[Client], who: str) -> None:
    """A charge, cash and a card payment; each asked twice of each process with one key."""
    visit = {"patient": f"Patient/{who}", "day": "2026-01-05", "practitioner": "Practitioner/ana"}
    coding = {"diagnoses": ["E11.9"], "lines": [{"code": "Z1001"}], "self_pay": True}
    name = both[0].post("/billing/visits", visit, f"visit/{who}")["visit"]
    cash = {"patient": f"Patient/{who}", "amount": 2_000, "method": "cash"}
    card = {**cash, "method": "card", "return_url": "http://clinic.test/bills"}
    for path, body in ((f"/billing/visits/{name}/code", coding), ("/billing/payments", cash),
                       ("/billing/payments", card)):  # fmt: skip
        headers = {"idempotency-key": f"{path}/{body.get('method')}/{who}"}
        with ThreadPoolExecutor(4) as hands:
            asked = [hands.submit(each.http.post, path, json=body, headers=headers)
                     for each in (*both, *both)]  # fmt: skip
            answers = [each.result() for each in asked]
        done = {each.content for each in answers if each.status_code != 409}
        assert len(done) == 1, [each.text for each in answers]
        running = [each.json()["kind"] for each in answers if each.status_code == 409]
        assert set(running) <= {"StillRunning"}


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_a_hundred_kills_between_writes_lose_and_double_no_money(
    tmp_path, new_database, key_file, free_port, record_property
):
    ports = (free_port(), free_port())
    repeats = await killed_between_writes(tmp_path, await new_database(), key_file, ports, 100)
    record_property("kills", 100)
    record_property("requests that were repeated", repeats)
