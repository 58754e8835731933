"""Two of each service behind an edge: one of each may die, and nobody loses an answer."""

import signal
import time
from collections.abc import Iterator

import httpx
import pytest
from story_clinic import Clinic, a_folder
from story_topologies import apart

FHIR = {"content-type": "application/fhir+json"}
NAMES = ("identity", "records", "portal")
# Seconds a visitor may wait for the first good answer after a kill; a busy machine takes longer
# once, where nobody turned to the other replica every wait would be as long as a time-out.
USUAL_OUTAGE, LONGEST_OUTAGE = 3.0, 15.0


@pytest.fixture(scope="module")
def clinic(other_postgres) -> Iterator[Clinic]:
    with a_folder() as folder:
        yield from apart(folder, other_postgres, "replicated", 2, NAMES)


def patient(clinic: Clinic, family: str) -> httpx.Response:
    resource = {"resourceType": "Patient", "name": [{"family": family}]}
    return clinic.api(clinic.token()).post("/fhir/Patient", json=resource, headers=FHIR)


def test_the_edge_holds_neither_the_root_key_nor_a_database(clinic: Clinic):
    told = clinic.programs["edge"]._environ
    assert set(told) == {"POLYCLINIC_EDGE_KEY_FILE", "POLYCLINIC_PEERS"}
    assert clinic.key is not None
    assert (clinic.folder / "edge.key").read_text().strip() not in clinic.key.read_text()


def test_one_of_each_service_dies_and_the_clinic_goes_on(clinic: Clinic):
    made = patient(clinic, "Before")
    assert made.status_code == 201, made.text
    visitor = clinic.signed_in("maria")
    waits: list[float] = []
    for name in NAMES:
        clinic.programs[name].stop(signal.SIGKILL)
        began = time.monotonic()
        page = visitor.get("/home")
        read = clinic.api(clinic.token()).get(f"/fhir/Patient/{made.json()['id']}")
        assert (page.status_code, read.status_code) == (200, 200), name
        assert "sign in" not in page.text.lower(), "the session outlived the replica"
        waits.append(time.monotonic() - began)
        assert waits[-1] < LONGEST_OUTAGE, name
        assert patient(clinic, f"After {name}").status_code == 201
    assert sorted(waits)[len(waits) // 2] < USUAL_OUTAGE, waits
    for name in NAMES:
        clinic.programs[name].start()
    clinic.await_ready(*NAMES)
    found = clinic.api(clinic.token()).get("/fhir/Patient", params={"family": "After"})
    assert len(found.json()["entry"]) == len(NAMES)


def test_when_all_replicas_of_a_service_are_gone_the_edge_says_so_at_once(clinic: Clinic):
    for name in ("records", "records-2"):
        clinic.programs[name].stop(signal.SIGKILL)
    api = clinic.api(clinic.token())
    waits: list[float] = []
    for _ in range(12):
        began = time.monotonic()
        answer = api.get("/fhir/Patient/1")
        waits.append(time.monotonic() - began)
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
    assert sorted(waits)[6] < 2, waits
    for name in ("records", "records-2"):
        clinic.programs[name].start()
    clinic.await_ready("records")
