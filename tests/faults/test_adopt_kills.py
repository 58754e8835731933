"""Killed in the middle of an adoption, nothing is lost, nothing is double, and a rerun ends it."""

import json
import signal
import subprocess
import sys
import time

import httpx
import pytest
from honest_client import Honest

BEFORE = ("--seed", "none", "--services", "records,identity")
AFTER = ("--seed", "none", "--services", "records,identity,billing")
CHARGES = 2400


def words(*more: str) -> list[str]:
    return [sys.executable, "-m", "polyclinic", *more]


def charge(n: int) -> dict[str, object]:
    return {
        "resourceType": "ChargeItem",
        "id": f"c{n}",
        "status": "billable",
        "code": {"coding": [{"system": "urn:test:codes", "code": f"D{n % 7}"}]},
        "subject": {"reference": f"Patient/p{n % 20}"},
        "quantity": {"value": n},
    }


OPENED = []


@pytest.fixture(autouse=True)
def closed_eyes():
    yield
    while OPENED:
        OPENED.pop().close()


class Eyes:
    """What an operator sees of a platform, by one token."""

    def __init__(self, data, url):
        asked = words("token", "--data", str(data), "--client", "t", "--scope", "system/*.cruds")
        said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        self.http = Honest(url, said.splitlines()[-1])
        self.get = self.http.found
        OPENED.append(self.http)

    def at_billing(self):
        return self.get("/fhir/ChargeItem?_summary=count")["total"]

    def at_records(self):
        counts = self.get("/records/adoptable?types=ChargeItem")["types"]
        return counts["ChargeItem"]["resources"]

    def all(self, kind):
        """Every version that there is, by its address; one that comes twice is a failure."""
        found, path = {}, f"/fhir/{kind}/_history?_count=200"
        while path:
            bundle = self.get(path)
            for entry in bundle.get("entry", ()):
                told = entry.get("resource") or entry["request"]["url"]
                key = (entry["fullUrl"].rpartition("/fhir/")[2], entry["response"]["etag"])
                assert key not in found, key
                found[key] = told
            links = {each["relation"]: each["url"] for each in bundle["link"]}
            path = links.get("next")
        return found


def a_clinic_without_billing(start, data):
    up = start(*BEFORE).ready()
    folder = data.parent / "in"
    folder.mkdir()
    lines = [json.dumps({"resourceType": "Patient", "id": f"p{n}"}) for n in range(20)]
    lines += [json.dumps(charge(n)) for n in range(CHARGES)]
    lines += [json.dumps({**charge(n), "status": "billed"}) for n in range(300)]
    (folder / "all.ndjson").write_text("\n".join(lines) + "\n")
    done = subprocess.run(
        words("import", "--data", str(data), str(folder)),
        capture_output=True, text=True, check=False, cwd=data.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    eyes = Eyes(data, up.url)
    for n in range(5):
        assert eyes.http.delete(f"/fhir/ChargeItem/c{n}").status_code == 204
    before = eyes.all("ChargeItem")
    assert len(before) == CHARGES + 305
    up.end(signal.SIGTERM)
    return up.port, before


def adopting(data):
    return subprocess.Popen(
        words("adopt", "billing", "--data", str(data)),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=data.parent,
    )  # fmt: skip


def when(is_so, work, seconds=60):
    """Waits until something is seen while the work goes on; False when the work ended first."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and work.poll() is None:
        if is_so():
            return True
    return False


def test_an_adoption_in_which_everything_is_killed_once_is_ended_by_a_rerun(
    start, data, postmaster_of
):
    port, before = a_clinic_without_billing(start, data)
    up = start(*AFTER, port=port).ready()
    eyes = Eyes(data, up.url)
    assert eyes.at_billing() == 0
    work = adopting(data)
    # While billing is being filled. The command waits for the platform and goes on by itself.
    assert when(lambda: 0 < eyes.at_billing() < CHARGES - 5, work), work.communicate()[0]
    up = killed(start, data, postmaster_of, "service", up)
    # While records is being emptied.
    assert when(lambda: 0 < eyes.at_records() < CHARGES, work), work.communicate()[0]
    up = killed(start, data, postmaster_of, "postgres", up)
    assert when(lambda: 0 < eyes.at_records() < CHARGES * 3 // 4, work), work.communicate()[0]
    work.kill()
    work.communicate()
    assert eyes.at_records() > 0
    is_whole(data, up, before)
    up.end(signal.SIGTERM)


def killed(start, data, postmaster_of, whom, up):
    if whom == "service":
        up.end(signal.SIGKILL)
        return start(*AFTER, port=up.port).ready()
    postmaster_of(data).kill()
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if httpx.get(f"{up.url}/health/ready", timeout=5).status_code == 200:
                return up
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError("not ready again within a minute")


def is_whole(data, up, before):
    last = adopting(data)
    said = last.communicate(timeout=120)[0]
    assert last.returncode == 0, said
    eyes = Eyes(data, up.url)
    assert eyes.all("ChargeItem") == before
    assert eyes.at_records() == 0
    assert eyes.at_billing() == CHARGES - 5
    for n in (0, 7, 299, CHARGES - 1):
        found = eyes.get(f"/fhir/ChargeItem?patient=Patient/p{n % 20}&code=D{n % 7}&_count=1000")
        ids = [entry["resource"]["id"] for entry in found.get("entry", ())]
        assert (f"c{n}" in ids) is (n >= 5)
        assert len(ids) == len(set(ids))
    again = adopting(data)
    assert "Nothing to adopt" in again.communicate(timeout=60)[0]
