"""A FHIR server under test, ours or a peer: the same corpus, the same questions, HTTP only."""

import http.client
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from bench.corpus import LOINC, MARK, TESTS, packed, result
from bench.load import request

READS, CREATES, SEARCHES = 2000, 500, 1000  # different requests in a job
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class WrongAnswer(Exception):
    """The server answered something else than it was asked."""


@dataclass
class Server:
    """One side of the comparison, and what it keeps of the corpus."""

    name: str
    base_url: str
    token: str | None
    kept: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])  # type, id

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme != "http" or parts.hostname not in LOOPBACK:
            raise ValueError(f"{self.base_url}: only http:// on this machine is measured.")
        self.port = parts.port or 80
        self.path = parts.path.rstrip("/")
        self.host = f"{parts.hostname}:{self.port}"

    def ask(self, method: str, target: str, body: bytes = b"") -> tuple[int, Any]:
        """One request on a connection of its own, with the answer decoded."""
        headers = {"Accept": "application/fhir+json", "Content-Type": "application/fhir+json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        status, answer = self.send(method, self.path + target, body, headers)
        return status, json.loads(answer or b"null")

    def send(
        self, method: str, target: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        """One request as it is."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        try:
            line.request(method, target, body or None, headers)
            answer = line.getresponse()
            return answer.status, answer.read()
        finally:
            line.close()

    def load(self, chart: bytes) -> None:
        """Keeps one chart, and notes what it is called here."""
        status, answer = self.ask("POST", "/" if not self.path else "", chart)
        if status != 200:
            raise WrongAnswer(f"{self.name} refused a Bundle: {status} {str(answer)[:600]}")
        for entry in answer["entry"]:
            kind, name = entry["response"]["location"].split("/_history")[0].split("/")[-2:]
            self.kept.append((kind, name))

    @property
    def patients(self) -> list[str]:
        return [name for kind, name in self.kept if kind == "Patient"]

    def jobs(self) -> dict[str, list[bytes]]:
        """Whole requests of each kind, mixed but the same in every run."""
        return {
            "reads": [self._request("GET", f"/{kind}/{name}") for kind, name in self._sample()],
            "creates": [
                self._request("POST", "/Observation", packed(each)) for each in self.new_results()
            ],
            "searches": [self._request("GET", target) for target in self.searches()],
        }

    def bundle_job(self, charts: list[bytes]) -> list[bytes]:
        return [self._request("POST", "/" if not self.path else "", chart) for chart in charts]

    def searches(self) -> list[str]:
        """One patient's results of one test, newest first."""
        dice = random.Random("searches")
        return [
            f"/Observation?patient=Patient/{dice.choice(self.patients)}"
            f"&code={quote(LOINC, safe='')}%7C{dice.choice(TESTS)[0]}&_sort=-date&_count=20"
            for _ in range(SEARCHES)
        ]

    def new_results(self) -> list[dict[str, Any]]:
        dice = random.Random("creates")
        return [
            result(dice, n, f"Patient/{dice.choice(self.patients)}", (None, "2026-02-03"), MARK)
            for n in range(CREATES)
        ]

    def _sample(self) -> list[tuple[str, str]]:
        dice = random.Random("reads")
        return dice.sample(self.kept, min(READS, len(self.kept)))

    def _request(self, method: str, target: str, body: bytes = b"") -> bytes:
        return request(method, self.path + target, self.host, self.token, body)

    def check(self) -> dict[str, int]:
        """Samples answers of each kind and compares them; tells their median length."""
        lengths = {
            "reads": [self._check_read(*each) for each in self._sample()[:20]],
            "creates": [
                self._check_create(each, n) for n, each in enumerate(self.new_results()[:5])
            ],
            "searches": [self._check_search(target) for target in self.searches()[:20]],
        }
        return {kind: sorted(found)[len(found) // 2] for kind, found in lengths.items()}

    def _check_read(self, kind: str, name: str) -> int:
        status, answer = self.ask("GET", f"/{kind}/{name}")
        if status != 200 or (answer["resourceType"], answer["id"]) != (kind, name):
            raise WrongAnswer(f"{self.name} read {kind}: {status}")
        return len(packed(answer))

    def _check_create(self, resource: dict[str, Any], number: int) -> int:
        body = packed(resource).replace(MARK.encode(), b"check-%06d" % number)
        status, made = self.ask("POST", "/Observation", body)
        if status != 201:
            raise WrongAnswer(f"{self.name} create: {status} {str(made)[:600]}")
        status, kept = self.ask("GET", f"/Observation/{made['id']}")
        sent = json.loads(body)
        if status != 200 or any(kept[name] != sent[name] for name in sent if name != "meta"):
            raise WrongAnswer(f"{self.name} keeps something else than was created")
        return len(packed(made))

    def _check_search(self, target: str) -> int:
        status, answer = self.ask("GET", target)
        if status != 200:
            raise WrongAnswer(f"{self.name} search: {status} {str(answer)[:600]}")
        found = [entry["resource"] for entry in answer.get("entry", ())]
        codes = Counter(each["code"]["coding"][0]["code"] for each in found)
        subjects = Counter(each["subject"]["reference"].split("/")[-1] for each in found)
        dates = [each["effectiveDateTime"] for each in found]
        # Every patient of the corpus has each test at least once (charts of 25 entries or more).
        wrong = not found or len(codes) != 1 or len(subjects) != 1
        if wrong or f"%7C{next(iter(codes))}&" not in target or dates != sorted(dates)[::-1]:
            raise WrongAnswer(f"{self.name} search: {len(found)} found, {dict(codes)}")
        return len(packed(answer))
