"""The card gateway of the demo in a process of its own, and a person who pays on its page."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx

GOOD, SECOND_STEP, DECLINED = "4242424242424242", "4000002500003155", "4000000000000002"
DEBIT, DEBIT_FAILS = "000123456789", "000111111116"
SLOW_REFUND, FAILING_REFUND = "4000000000007726", "4000000000005126"
KEY, SECRET = "sk_test_demo", "whsec_demo"


class Cards:
    """What a person, the bank and a test do to the gateway."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=20, trust_env=False)

    @property
    def settings(self) -> dict[str, str]:
        """What billing has to be told to ask it."""
        return {
            "POLYCLINIC_BILLING_CARDS": "http",
            "POLYCLINIC_BILLING_CARDS_URL": self.url,
            "POLYCLINIC_BILLING_CARDS_KEY": KEY,
            "POLYCLINIC_BILLING_CARDS_WEBHOOK_SECRET": SECRET,
        }

    def pay(self, action_url: str, card: str = GOOD, *, agree: bool = True) -> int:
        """Pays on the hosted page, through the second step where there is one."""
        path = urlsplit(action_url).path
        answer = self.http.post(path, data={"number": card})
        if answer.headers.get("location", "").endswith("/check"):
            word = "yes" if agree else "no"
            answer = self.http.post(answer.headers["location"], data={"answer": word})
        return answer.status_code

    def control(self, what: str, **asked: Any) -> Any:
        answer = self.http.post(f"/control/{what}", json=asked)
        assert answer.is_success, answer.text
        return answer.json()

    def trouble(self) -> list[str]:
        """What has not befallen anybody yet."""
        return self.http.get("/control/trouble").json()["next"]

    def events(self) -> list[dict[str, Any]]:
        return self.http.get("/control/events").json()

    def all(self, kind: str) -> list[dict[str, Any]]:
        return self.http.get(f"/control/objects/{kind}").json()


@contextmanager
def cards_at_work(*more: str) -> Iterator[Cards]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "polyclinic.demo.cards", "--port", str(port), *more]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    cards = Cards(process.stdout.readline().strip())
    try:
        _until_it_answers(cards)
        yield cards
    finally:
        cards.http.close()
        process.kill()
        process.wait()
        process.stdout.close()


def _until_it_answers(cards: Cards) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            cards.events()
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the card gateway does not answer")
