"""What clients were told under fire, against what stands afterwards.

How much is lost, how much doubled, and for how long nobody was served.

Each of some writers creates one patient after the other with an identifier of its own, and comes
again with the same words until it is told that the patient is kept. Each such patient has to stand
once, in one version, and to be told of once in the feed.
"""

import itertools
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import httpx
from honest_client import PASSING

SCOPE = "system/*.cruds system/events.read"
SYSTEM = "http://clinic.test/ledger"
FEED_PAGE = 500


class Hands:
    """Threads that do `_work` for as long as the block lasts, or until `_stop` is set."""

    hands: int

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work) for _ in range(self.hands)]
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for each in self._threads:
            each.join()

    def _work(self) -> None:
        raise NotImplementedError


@dataclass
class Ledger(Hands):
    """Writers before a clinic's door; `url` has no slash at its end.

    A client that does not come again with the same condition is `careless`: nothing keeps its
    second try from being a second patient, so that doubles can be seen.
    """

    url: str
    token: str
    hands: int = 6
    careless: bool = False
    told: dict[str, float] = field(default_factory=dict[str, float])  # mark → when it was told
    odd: Counter[int] = field(default_factory=Counter[int])  # answers that nobody should get
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def await_more(self, count: int, seconds: float = 60) -> None:
        """Until so many more were told that their patient is kept."""
        wanted, end = len(self.told) + count, time.monotonic() + seconds
        while len(self.told) < wanted:
            assert time.monotonic() < end, f"nobody was served within {seconds} s: {self.odd}"
            time.sleep(0.02)

    def outage(self) -> float:
        """The longest time in seconds between two moments at which anybody was served."""
        moments = sorted(self.told.values())
        return max((b - a for a, b in itertools.pairwise(moments)), default=0.0)

    def wrong(self) -> tuple[set[str], set[str]]:
        """Marks that were told and do not stand, and marks that stand or were told of twice."""
        with self._client() as client:
            stand: Counter[str] = Counter()
            told_of: Counter[str] = Counter()
            names = dict[str, str]()
            for patient in _all_patients(client):
                mark = patient["identifier"][0]["value"]
                stand[mark] += 1
                names[f"Patient/{patient['id']}"] = mark
                stand[mark] += int(patient["meta"]["versionId"]) - 1
            for subject in _all_events(client):
                told_of[names.get(subject, subject)] += 1
        lost = {mark for mark in self.told if not stand[mark] or not told_of[mark]}
        doubled = {mark for mark in stand if stand[mark] > 1 or told_of[mark] > 1}
        return lost, doubled

    def _client(self) -> httpx.Client:
        headers = {"authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=20, trust_env=False)

    def _work(self) -> None:
        with self._client() as client:
            while not self._stop.is_set():
                self._keep(client, f"m{next(self._numbers)}")

    def _keep(self, client: httpx.Client, mark: str) -> None:
        """Until it is kept, or all is over; then its fate is open and nobody was told anything."""
        identifier = [{"system": SYSTEM, "value": mark}]
        body = {"resourceType": "Patient", "identifier": identifier}
        once = {} if self.careless else {"if-none-exist": f"identifier={SYSTEM}|{mark}"}
        headers = {"content-type": "application/fhir+json", **once}
        while not self._stop.is_set():
            try:
                answer = client.post("/fhir/Patient", json=body, headers=headers)
            except httpx.TransportError:
                time.sleep(0.02)
                continue
            if answer.status_code in (200, 201):
                self.told[mark] = time.monotonic()
                return
            if answer.status_code not in PASSING or "retry-after" not in answer.headers:
                self.odd[answer.status_code] += 1
            time.sleep(0.02)


def nothing_lost(
    ledger: Ledger, note: Callable[[str, object], None], fault: str, runs: int
) -> None:
    """Says what was seen before it judges, so that a table can show a failure as well."""
    lost, doubled = ledger.wrong()
    note("fault", fault)
    note("runs", runs)
    note("acknowledged", len(ledger.told))
    note("lost", len(lost))
    note("doubled", len(doubled))
    note("outage ms", round(ledger.outage() * 1000))
    assert not lost
    assert not doubled
    assert not ledger.odd, f"answers that nobody should get: {ledger.odd}"


def seen_to_lose(ledger: Ledger, note: Callable[[str, object], None], fault: str) -> None:
    """A control: the count can see a loss."""
    lost, _ = ledger.wrong()
    note("fault", fault)
    note("runs", 1)
    note("acknowledged", len(ledger.told))
    note("lost", len(lost))
    assert lost, "the ledger cannot see a loss"


def asked_token(*words: str) -> str:
    """What `polyclinic token` prints for a client named ledger."""
    command = [sys.executable, "-m", "polyclinic", "token", "--client", "ledger", *words]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    return said.stdout.splitlines()[-1]


def await_ready(url: str, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if httpx.get(f"{url}/health/ready", timeout=5, trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"not ready within {seconds} s")


def _all_patients(client: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    address: str | None = "/fhir/Patient?_count=1000"
    while address is not None:
        page = _got(client, address)
        # What does not open stands there as an outcome.
        odd = [e for e in page.get("entry", []) if e["search"]["mode"] != "match"]
        assert not odd, odd
        found += [entry["resource"] for entry in page.get("entry", [])]
        address = {link["relation"]: link["url"] for link in page["link"]}.get("next")
    return found


def _all_events(client: httpx.Client) -> list[str]:
    """Whom the feed tells of, in its order; it has no gap."""
    found: list[str] = []
    after, seen = 0, 0
    while True:
        page = _got(client, f"/records/events?after={after}&wait=0")
        for event in page["events"]:
            seen += 1
            assert event["sequence"] == seen, "the feed has a gap"
            found.append(event["subject"].rpartition("/")[0])  # without the version
        if not page["events"]:
            return found
        after = page["events"][-1]["sequence"]


def _got(client: httpx.Client, address: str) -> Any:
    end = time.monotonic() + 60
    while True:
        answer = client.get(address)
        if answer.status_code == 200 or time.monotonic() > end:
            assert answer.status_code == 200, (address, answer.text)
            return answer.json()
        time.sleep(0.1)
