"""Killed in the middle of an import, nothing is half done, nothing doubles and nothing is lost."""

import json
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from honest_client import PASSING, Honest

SERVICES = ("--seed", "none", "--services", "records,identity")
CANNOT_START = 1
CODES = ["718-7", "4548-4", "8480-6"]


def unit(number: int, size: int) -> bytes:
    """A patient with so many observations; the server gives the ids, so a repeat would double."""
    name = "urn:uuid:00000000-0000-4000-8000-000000000000"
    identifier = [{"system": "http://clinic.test/unit", "value": str(number)}]
    entries: list[dict[str, Any]] = [
        {
            "fullUrl": name,
            "resource": {"resourceType": "Patient", "identifier": identifier},
            "request": {"method": "POST", "url": "Patient"},
        }
    ]
    entries += [
        {
            "resource": {
                "resourceType": "Observation",
                "identifier": [{"system": "http://clinic.test/n", "value": f"{number}-{n}"}],
                "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": CODES[n % 3]}]},
                "subject": {"reference": name},
                "effectiveDateTime": f"2026-{n % 12 + 1:02}-01",
            },
            "request": {"method": "POST", "url": "Observation"},
        }
        for n in range(size)
    ]
    return json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}).encode()


def command(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "polyclinic", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


class Reader:
    """What a client sees of a platform, with a token of its own."""

    def __init__(self, data: Path, url: str) -> None:
        asked = command("token", "--data", str(data), "--client", "t", "--scope", "system/*.cruds")
        token = asked.communicate()[0].splitlines()[-1]
        self.http = Honest(f"{url}/fhir", token)
        self.get = self.http.found

    def all(self, path: str) -> list[dict[str, Any]]:
        """Every resource of a search, page by page."""
        found: list[dict[str, Any]] = []
        address: str | None = path
        while address is not None:
            page = self.get(address)
            found += [entry["resource"] for entry in page.get("entry", [])]
            links = {link["relation"]: link["url"] for link in page["link"]}
            address = links.get("next")
        return found


def is_whole(reader: Reader, units: int, size: int, *, complete: bool) -> None:
    """Each unit is there with all that it holds, once, or not at all; and the index agrees."""
    people, found = _seen(reader)
    if not complete:
        # The import goes on while we look: observations may belong to people we did not see yet.
        known = {f"Patient/{person['id']}" for person in people}
        found = [each for each in found if each["subject"]["reference"] in known]
    numbers = [person["identifier"][0]["value"] for person in people]
    assert len(numbers) == len(set(numbers))
    if complete:
        assert sorted(map(int, numbers)) == list(range(units))
    marks = [each["identifier"][0]["value"] for each in found]
    assert sorted(marks) == sorted(f"{number}-{n}" for number in numbers for n in range(size))
    for person in random.Random(1).sample(people, min(20, len(people))):
        number = person["identifier"][0]["value"]
        (one,) = reader.all(f"/Patient?identifier=http://clinic.test/unit|{number}")
        assert one["id"] == person["id"]
        chart = reader.get(f"/Observation?patient=Patient/{person['id']}&_summary=count")
        assert chart["total"] == size
        assert person["meta"]["versionId"] == "1"
    for each in random.Random(1).sample(found, min(20, len(found))):
        past = reader.get(f"/Observation/{each['id']}/_history")
        assert [entry["resource"] for entry in past["entry"]] == [each]


def _seen(reader: Reader) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    people = reader.all("/Patient?_count=500")
    return people, [
        each for code in CODES for each in reader.all(f"/Observation?code={code}&_count=1000")
    ]


def _await_contact(importing: subprocess.Popen[str]) -> None:
    """A platform that was never there is told at once; the kills are for one that goes away."""
    seen = psutil.Process(importing.pid)
    end = time.monotonic() + 60
    while time.monotonic() < end and importing.poll() is None:
        if seen.net_connections(kind="tcp"):
            return
        time.sleep(0.01)


def imported_under_fire(start, data, postmaster_of, *, kills: int, units: int, whom: str) -> int:
    """Answers how many of the kills hit a command that was still at work."""
    size = 60
    folder = data.parent / "in"
    folder.mkdir()
    for number in range(units):
        (folder / f"{number:04}.json").write_bytes(unit(number, size))
    up = start(*SERVICES).ready()
    importing = command("import", "--data", str(data), str(folder))
    chance = random.Random(kills)
    reader = Reader(data, up.url)
    killed_early = 0
    for _ in range(kills):
        time.sleep(chance.uniform(0.1, 0.35))
        killed_early += importing.poll() is None
        up = killed(start, data, postmaster_of, whom, up)
        is_whole(reader, units, size, complete=False)
    said = importing.communicate(timeout=180)[0]
    assert importing.returncode == 0, said
    # A kill after the end of the import would prove nothing.
    assert killed_early >= min(3, kills), (killed_early, said)
    again = command("import", "--data", str(data), str(folder))
    said = again.communicate(timeout=120)[0]
    assert again.returncode == 0, said
    assert f"already there {units:>8,} units" in said, said
    is_whole(reader, units, size, complete=True)
    reader.http.close()
    assert up.end(signal.SIGINT)[0] == 0
    return killed_early


def killed(start, data, postmaster_of, whom: str, up):
    """Kills one of the two, and answers the platform that is ready again."""
    if whom == "service":
        up.end(signal.SIGKILL)
        return start(*SERVICES, port=up.port).ready()
    postmaster_of(data).kill()
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if up.process.poll() is not None:
            # A server that ends a fourth time within a minute is given up, and `up` with it; the
            # operator starts it again.
            code, said = up.end()
            assert code == CANNOT_START, said
            assert "PostgreSQL" in said
            return start(*SERVICES, port=up.port).ready()
        try:
            if httpx.get(f"{up.url}/health/ready", timeout=5).status_code == 200:
                return up
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError("not ready again within a minute")


@pytest.mark.parametrize("whom", ["service", "postgres"])
def test_kills_during_an_import_leave_every_unit_whole_or_absent(start, data, postmaster_of, whom):
    imported_under_fire(start, data, postmaster_of, kills=3, units=240, whom=whom)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("whom", ["service", "postgres"])
def test_thirty_kills_during_an_import_leave_every_unit_whole_or_absent(
    start, data, postmaster_of, whom, record_property
):
    early = imported_under_fire(start, data, postmaster_of, kills=30, units=1500, whom=whom)
    record_property("kills", 30)
    record_property("of them before the end of the import", early)
    record_property("units", 1500)


class Writer(threading.Thread):
    """Creates and changes patients one by one, and remembers what was acknowledged."""

    def __init__(self, reader: Reader, number: int) -> None:
        super().__init__(daemon=True)
        self._http, self._number = reader.http, number
        self.stop = threading.Event()
        self.kept: dict[str, tuple[int, bool]] = {}  # id → acknowledged version, and its content
        self.unknown: set[str] = set()  # changes whose answer never came
        self.refused: list[int] = []
        self.told_when = True  # every refusal said when to come again

    def run(self) -> None:
        count = 0
        while not self.stop.is_set():
            count += 1
            name = f"w{self._number}-{count // 2}"
            self._put(name, active=bool(count % 2))

    def _put(self, name: str, *, active: bool) -> None:
        identifier = [{"system": "http://clinic.test/w", "value": name}]
        body = {"resourceType": "Patient", "id": name, "identifier": identifier, "active": active}
        try:
            answer = self._http.put(f"/Patient/{name}", json=body)
        except httpx.TransportError:
            self.unknown.add(name)
            time.sleep(0.02)
            return
        if answer.status_code in (200, 201):
            self.kept[name] = (int(answer.json()["meta"]["versionId"]), active)
            return
        self.refused.append(answer.status_code)
        self.unknown.add(name)
        self.told_when &= "retry-after" in answer.headers
        time.sleep(0.02)


@pytest.mark.parametrize("whom", ["service", "postgres"])
def test_no_acknowledged_write_is_lost_by_kills(start, data, postmaster_of, whom):
    written_under_fire(start, data, postmaster_of, whom, kills=3)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("whom", ["service", "postgres"])
def test_no_acknowledged_write_is_lost_by_thirty_kills(
    start, data, postmaster_of, whom, record_property
):
    kept = written_under_fire(start, data, postmaster_of, whom, kills=30)
    record_property("kills", 30)
    record_property("resources written", kept)


def written_under_fire(start, data, postmaster_of, whom: str, *, kills: int) -> int:
    """Answers how many resources had an acknowledged write."""
    up = start(*SERVICES).ready()
    reader = Reader(data, up.url)
    writers = [Writer(reader, number) for number in range(6)]
    for writer in writers:
        writer.start()
    chance = random.Random(kills)
    try:
        for _ in range(kills):
            time.sleep(chance.uniform(0.3, 1.0))
            up = killed(start, data, postmaster_of, whom, up)
        time.sleep(0.5)
    finally:
        for writer in writers:
            writer.stop.set()
        for writer in writers:
            writer.join()
    # While a part is down or too much is asked, the answer says when to come again: 503 or 429
    # with Retry-After, never another fault.
    assert {status for writer in writers for status in writer.refused} <= set(PASSING)
    assert all(writer.told_when for writer in writers)
    assert sum(len(writer.kept) for writer in writers) > 50
    for writer in writers:
        _all_kept(reader, writer)
    reader.http.close()
    assert up.end(signal.SIGINT)[0] == 0
    return sum(len(writer.kept) for writer in writers)


def _all_kept(reader: Reader, writer: Writer) -> None:
    for name, (version, active) in writer.kept.items():
        found = reader.get(f"/Patient/{name}")
        current = int(found["meta"]["versionId"])
        past = reader.get(f"/Patient/{name}/_history")["entry"]
        assert [entry["response"]["etag"] for entry in past] == [
            f'W/"{n}"' for n in range(current, 0, -1)
        ]
        if name not in writer.unknown:
            assert (current, found["active"]) == (version, active), name
        assert current >= version
        assert past[current - version]["resource"]["active"] == active
        (one,) = reader.all(f"/Patient?identifier={name}")
        assert one == found
