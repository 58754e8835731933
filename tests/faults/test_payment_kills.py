"""Killed at any moment of a card payment or refund: nothing is charged twice, nothing is lost."""

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "services" / "billing"))
from cards_at_work import Cards, cards_at_work
from honest_client import Honest

SERVICES = ("--seed", "none", "--services", "billing,identity")


@pytest.fixture
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cards]:
    """In a process of its own: it outlives every kill."""
    with cards_at_work("--file", str(tmp_path / "cards.sqlite")) as at_work:
        for name, value in at_work.settings.items():
            monkeypatch.setenv(name, value)
        yield at_work


@pytest.fixture
def clinic_of() -> Iterator[Callable[[Path, str], "Clinic"]]:
    made: list[Clinic] = []

    def make(data: Path, url: str) -> Clinic:
        made.append(Clinic(data, url))
        return made[-1]

    yield make
    for each in made:
        each.http.close()


class Clinic:
    """The billing desk's program, which tries again with the same key until it is answered."""

    def __init__(self, data: Path, url: str) -> None:
        words = [sys.executable, "-m", "polyclinic", "token", "--data", str(data), "--client", "t"]
        token = subprocess.run(
            [*words, "--scope", "system/*.cruds"], capture_output=True, text=True, check=True
        ).stdout.splitlines()[-1]
        self.url = url
        self.http = Honest(url, token)

    def post(self, path: str, body: Any, key: str) -> httpx.Response:
        return self.http.post(path, json=body, headers={"idempotency-key": key})

    def done(self, path: str, body: Any, key: str) -> Any:
        sent = {"json": body, "headers": {"idempotency-key": key}}
        answer = self.http.until_answered("POST", path, **sent)
        assert answer.is_success, (path, answer.text)
        return answer.json()

    def get(self, path: str) -> Any:
        return self.http.found(path)

    def set_up(self) -> None:
        csv = "code,modifier,title,amount\nZ1001,,Visit,90.00\n"
        prices = {"name": "List", "from_day": "2025-01-01", "csv": csv, "currency": "USD"}
        self.done("/billing/fee-schedules", prices, "prices")

    def owing(self, who: str, amount: int) -> None:
        """A visit that the patient pays alone."""
        visit = {"patient": f"Patient/{who}", "day": "2026-01-05", "practitioner": "Practitioner/a"}
        made = self.done("/billing/visits", visit, f"visit-{who}")
        coding = {
            "diagnoses": ["J02.9"],
            "lines": [{"code": "Z1001", "amount": amount}],
            "self_pay": True,
        }
        self.done(f"/billing/visits/{made['visit']}/code", coding, f"code-{who}")

    def owed(self, who: str) -> int:
        return self.get(f"/billing/payments?patient=Patient/{who}")["owed"]

    def proof(self) -> bool:
        return self.get("/billing/ledger/proof")["holds"]


def _card(clinic: Clinic, who: str, amount: int) -> dict[str, Any]:
    back = f"{clinic.url}/bills"
    return {"patient": f"Patient/{who}", "amount": amount, "method": "card", "return_url": back}


def _killed_while(up, cards: Cards, act) -> None:
    """Kills while `act` waits for the gateway, which has begun to hang."""
    at_it = threading.Thread(target=act)
    at_it.start()
    end = time.monotonic() + 60
    while cards.trouble():
        assert time.monotonic() < end, "the gateway was never asked"
        time.sleep(0.01)
    up.end(signal.SIGKILL)
    at_it.join()


def _tried(clinic: Clinic, path: str, body: Any, key: str) -> None:
    try:
        clinic.post(path, body, key)
    except httpx.TransportError:
        return
    raise AssertionError("it was answered before it was killed")


@pytest.mark.parametrize("moment", ["hang before", "hang after"])
def test_killed_while_the_gateway_is_asked_a_repeat_pays_and_gives_back_once(
    start, data, cards, clinic_of, moment
):
    up = start(*SERVICES).ready()
    clinic = clinic_of(data, up.url)
    clinic.set_up()
    clinic.owing("ann", 9_000)
    cards.control("trouble", next=[moment])
    asked = ("/billing/payments", _card(clinic, "ann", 9_000), "pay-1")
    _killed_while(up, cards, lambda: _tried(clinic, *asked))
    up = start(*SERVICES, port=up.port).ready()
    made = clinic.done(*asked)
    assert len(cards.all("checkout.session")) == 1
    cards.pay(made["action_url"])
    clinic.done(f"/billing/payments/{made['payment']}/settle", {}, "settle-1")
    assert clinic.owed("ann") == 0
    cards.control("trouble", next=[moment])
    back = {"amount": 2_500, "reason": "overpaid"}
    asked = (f"/billing/payments/{made['payment']}/refunds", back, "refund-1")
    _killed_while(up, cards, lambda: _tried(clinic, *asked))
    up = start(*SERVICES, port=up.port).ready()
    more = {"amount": 6_501, "reason": "overpaid"}
    sent = {"json": more, "headers": {"idempotency-key": "refund-2"}}
    again = clinic.http.until_answered("POST", asked[0], **sent)
    assert again.json()["kind"] == "MoreThanPaid"
    assert clinic.done(*asked)["status"] == "succeeded"
    assert [each["amount"] for each in cards.all("refund")] == [2_500]
    assert clinic.owed("ann") == 2_500
    assert clinic.proof()
    assert up.end(signal.SIGINT)[0] == 0


class Desk(threading.Thread):
    """Pays and gives back, one patient after the other, whatever happens to the platform."""

    def __init__(self, clinic: Clinic, cards: Cards, number: int, patients: int) -> None:
        super().__init__(daemon=True)
        self._clinic, self._number, self._patients = clinic, number, patients
        self._cards = Cards(cards.url)
        self.kept: dict[str, int] = {}  # patient → what must be left of the debt
        self.fault: Exception | None = None

    def run(self) -> None:
        try:
            for n in range(self._patients):
                self._one(f"d{self._number}-{n}")
        except Exception as fault:  # noqa: BLE001 - told by the test, in its own thread
            self.fault = fault
        finally:
            self._cards.http.close()

    def _one(self, who: str) -> None:
        clinic, chance = self._clinic, random.Random(who)
        clinic.owing(who, 9_000)
        amount = chance.randint(100, 9_000)
        made = clinic.done("/billing/payments", _card(clinic, who, amount), f"pay-{who}")
        assert self._cards.pay(made["action_url"]) == 303
        name = made["payment"]
        state = clinic.done(f"/billing/payments/{name}/settle", {}, f"settle-{who}")
        assert state["status"] == "succeeded"
        back = chance.randint(1, amount)
        body = {"amount": back, "reason": "courtesy"}
        clinic.done(f"/billing/payments/{name}/refunds", body, f"back-{who}")
        self.kept[who] = 9_000 - amount + back


def paid_under_fire(start, data, clinic_of, cards: Cards, *, kills: int, patients: int) -> int:
    """Answers how many kills hit the platform while payments were being made."""
    up = start(*SERVICES).ready()
    clinic, chance = clinic_of(data, up.url), random.Random(kills)
    clinic.set_up()
    desks = [Desk(clinic, cards, number, patients) for number in range(3)]
    for desk in desks:
        desk.start()
    hits = 0
    for _ in range(kills):
        time.sleep(chance.uniform(0.3, 1.2))
        hits += any(desk.is_alive() for desk in desks)
        up.end(signal.SIGKILL)
        up = start(*SERVICES, port=up.port).ready()
    for desk in desks:
        desk.join(240)
        assert desk.fault is None, desk.fault
        assert not desk.is_alive()
    assert hits == kills, "a kill after the last payment proves nothing"
    _is_right(clinic, cards, desks)
    assert up.end(signal.SIGINT)[0] == 0
    return sum(len(desk.kept) for desk in desks)


def _is_right(clinic: Clinic, cards: Cards, desks: list[Desk]) -> None:
    kept = {who: left for desk in desks for who, left in desk.kept.items()}
    for who, left in kept.items():
        assert clinic.owed(who) == left, who
    sessions = [each["client_reference_id"] for each in cards.all("checkout.session")]
    assert len(sessions) == len(set(sessions)) == len(kept)
    assert len(cards.all("refund")) == len(kept)
    charged = sum(each["amount_received"] for each in cards.all("payment_intent"))
    given = sum(each["amount"] for each in cards.all("refund"))
    assert sum(kept.values()) == 9_000 * len(kept) - charged + given
    assert clinic.proof()


def test_kills_while_patients_pay_charge_nobody_twice_nor_lose_a_cent(
    start, data, cards, clinic_of
):
    assert paid_under_fire(start, data, clinic_of, cards, kills=3, patients=20) == 60


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_thirty_kills_while_patients_pay_charge_nobody_twice(
    start, data, cards, clinic_of, record_property
):
    paid = paid_under_fire(start, data, clinic_of, cards, kills=30, patients=300)
    record_property("kills", 30)
    record_property("payments and refunds", paid)
