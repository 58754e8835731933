"""A clinic for random money: its door, its card gateway, and a clock that both go by."""

import asyncio
import hashlib
import hmac
import random
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import httpx
from billing_door import BILL, SYSTEM, Door, patient
from billing_setup import prices
from cards_at_work import SECRET, Cards
from claims_world import PERSON, came, open_clinic
from money_model import KINDS, PAYER, Charge, Claim, Held, Model, account_of
from paying_door import BACK, clock_settles, deliver, mail

from polyclinic.foundation import clock, ids

ADDRESS = {"line": "12 Elm Street", "city": "Springfield", "state": "MA", "postal_code": "01103"}
FLIGHT = ("submitted", "accepted", "appealed")
_real_now = clock.now


class Clinic:
    """What a machine asks of billing; every question waits for its answer."""

    def __init__(self, door: Door, cards: Cards, loop: asyncio.AbstractEventLoop) -> None:
        self.door, self.cards, self._loop = door, cards, loop
        self.ahead = timedelta()
        self.steps = 0
        self.did: Counter[str] = Counter()  # what really happened, so that no rule is idle unseen

    def wait(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    async def open(self) -> None:
        self._connection = await asyncpg.connect(self.door.url)
        await open_clinic(self.door)
        await prices(self.door)

    async def close(self) -> None:
        await self._connection.close()

    def now(self) -> datetime:
        return _real_now() + self.ahead

    def next_day(self) -> None:
        """For us and for the card gateway."""
        self.ahead += timedelta(days=1)
        self.cards.control("clock", seconds=86_400)

    # asking

    def post(self, path: str, body: Any, who: Any = BILL, **headers: str) -> httpx.Response:
        return self.wait(self.door.ask(who, "POST", path, body, **headers))

    def done(self, path: str, body: Any, who: Any = BILL, **headers: str) -> Any:
        return self.wait(self.door.done(who, path, body, **headers))

    def get(self, path: str, who: Any = BILL) -> Any:
        answer = self.wait(self.door.ask(who, "GET", path))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def at_once(self, path: str, body: Any, who: Any, times: int, **headers: str) -> list[Any]:
        async def all_of_them() -> list[Any]:
            asked = [self.door.ask(who, "POST", path, body, **headers) for _ in range(times)]
            return await asyncio.gather(*asked)

        return self.wait(all_of_them())

    def file(self, content: bytes) -> httpx.Response:
        return self.wait(came(self.door, content))

    # who and what

    def new_patient(self, model: Model) -> str:
        who = f"r{ids.new_uuid().hex[-12:]}"
        person = {"family": PERSON.family, "given": PERSON.given, "sex": "female",
                  "birth_date": "1980-04-02", "address": ADDRESS}  # fmt: skip
        put = self.door.ask(BILL, "PUT", f"/billing/people/{who}", person)
        assert self.wait(put).is_success
        model.patients.append(who)
        return who

    def covered(self, who: str) -> None:
        body = {"patient": f"Patient/{who}", "payer": "nhp", "member_id": "M1234567",
                "from_day": "2020-01-01"}  # fmt: skip
        self.done("/billing/coverages", body)

    def code(self, model: Model, visit: str, amounts: list[int]) -> None:
        who, coverage = model.visits[visit]
        lines = [{"code": f"Z100{n}", "amount": each} for n, each in enumerate(amounts, 1)]
        body = {"diagnoses": ["E11.9"], "lines": lines, "self_pay": coverage is None}
        made = self.done(f"/billing/visits/{visit}/code", body)["charges"]
        claim = self._claim(model, visit, who, made) if coverage else None
        owed_by = PAYER if coverage else account_of(who)
        for each in made:
            model.charged(Charge(each["id"], visit, who, each["amount"], owed_by, claim))

    def _claim(self, model: Model, visit: str, who: str, made: list[dict[str, Any]]) -> str:
        (row,) = self.sql("SELECT id, number FROM billing.claim WHERE visit = $1::uuid", visit)
        name = str(row["id"])
        lines = [(each["line"], each["id"], each["amount"]) for each in made]
        claim = model.claims.setdefault(name, Claim(name, row["number"], who, []))
        claim.lines = lines
        return name

    def sql(self, query: str, *values: Any) -> list[Any]:
        return self.wait(self._connection.fetch(query, *values))

    def status(self, claim: str) -> str:
        return self.get(f"/billing/claims/{claim}")["status"]

    # cards

    def start(self, who: str, amount: int, **headers: str) -> httpx.Response:
        body = {"amount": amount, "method": "card", "return_url": BACK}
        return self.post("/billing/payments", body, patient(who), **headers)

    def payments(self, who: str) -> dict[str, Any]:
        return self.get(f"/billing/payments?patient=Patient/{who}")

    def whose(self, model: Model) -> dict[str, str]:
        """Our card payments, and those whose answer was lost, by patient."""
        return {
            each["id"]: who
            for who in model.patients
            for each in self.payments(who)["payments"]
            if each["method"] == "card"
        }

    def held(self, model: Model) -> Held:
        everything = {kind: self.cards.all(kind) for kind in KINDS}
        return Held.read(everything, self.whose(model))

    def paid(self, model: Model) -> dict[str, int]:
        """What the gateway charged these patients, by its own ids."""
        whose = self.whose(model)
        return {
            each["id"]: each["amount"]
            for each in self.cards.all("payment_intent")
            if each["status"] == "succeeded" and each["metadata"]["payment"] in whose
        }

    def mail(self, model: Model) -> list[dict[str, Any]]:
        return mail(self.cards, set(self.whose(model)))

    def hear(self, events: list[dict[str, Any]]) -> None:
        for each in events:
            event = {**each, "signature": self._signed(each["payload"])}
            answer = self.wait(deliver(self.door, event))
            assert answer.status_code in (200, 503), answer.text

    def _signed(self, payload: str) -> str:
        """The gateway signs by the true clock; here some days have gone by."""
        now = str(int(self.now().timestamp()))
        mark = hmac.new(SECRET.encode(), f"{now}.{payload}".encode(), hashlib.sha256).hexdigest()
        return f"t={now},v1={mark}"

    def everything_arrives(self, model: Model, chance: random.Random) -> None:
        """All news come, doubled and in any order; the clock asks for the rest.

        Twice: what the clock asks for may have an end of its own, such as a refund that comes back.
        """
        self.cards.control("trouble", next=[])
        for _ in range(2):
            self.cards.control("clock", seconds=60)
            self.ahead += timedelta(seconds=60)
            events = self.mail(model) * 2
            chance.shuffle(events)
            self.hear(events)
            for _ in range(2):
                self.wait(clock_settles(self.door))

    # books

    def sums(self) -> dict[str, int]:
        rows = self.sql(
            "SELECT a.name, b.amount FROM billing.balance b"
            " JOIN billing.account a ON a.number = b.account"
        )
        return {row["name"]: row["amount"] for row in rows}

    def holds(self) -> None:
        proof = self.wait(self.door.ask(SYSTEM, "GET", "/billing/ledger/proof")).json()
        assert proof["holds"], proof
