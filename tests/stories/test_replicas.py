"""Two processes of the same services on one database: one clinic, twice the hands."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from story_clinic import Clinic, Program, a_folder, free_port

FHIR = {"content-type": "application/fhir+json"}


@pytest.fixture
async def empty_database(new_database) -> str:
    return await new_database()


@pytest.fixture
def replicas(empty_database: str, key_file: Path) -> Iterator[tuple[Clinic, Clinic]]:
    """Both start at the same moment on an empty database: each wants to make the tables."""
    with a_folder() as folder:
        made: list[Clinic] = []
        surroundings = {
            "POLYCLINIC_DATABASE_URL": empty_database,
            "POLYCLINIC_KEY_FILE": str(key_file),
        }
        for number in (1, 2):
            port, said = free_port(), folder / f"{number}.txt"
            words = ("serve", "identity", "records", "--port", str(port))
            program = Program(said, *words, **surroundings)
            url = f"http://127.0.0.1:{port}"
            operator = ("--url", url, "--key-file", str(key_file))
            made.append(Clinic(f"replica {number}", url, operator, folder, said, {"": program}))
        try:
            for each in made:
                each.await_ready("identity", "records")
            yield made[0], made[1]
        finally:
            for each in made:
                each.programs[""].stop()


def test_two_replicas_serve_one_clinic(replicas: tuple[Clinic, Clinic]):
    one, other = replicas
    token = one.token()
    here, there = one.api(token), other.api(token)
    patient = {"resourceType": "Patient", "name": [{"family": "Replica"}]}
    made = here.post("/fhir/Patient", json=patient, headers=FHIR)
    assert made.status_code == 201, made.text
    place = f"/fhir/Patient/{made.json()['id']}"
    assert there.get(place).json() == made.json()
    assert len(there.get("/fhir/Patient", params={"family": "Replica"}).json()["entry"]) == 1
    # What was read on one and changed on the other is stale.
    changed = {**made.json(), "active": True}
    first = there.put(place, json=changed, headers={**FHIR, "if-match": 'W/"1"'})
    second = here.put(place, json=changed, headers={**FHIR, "if-match": 'W/"1"'})
    assert (first.status_code, second.status_code) == (200, 412)
    _only_one_of_many_makes_it(here, there)
    _nothing_collided(*replicas)
    # One of them dies; the other goes on alone.
    one.programs[""].stop(signal.SIGKILL)
    assert there.get(place).json()["active"] is True


def _only_one_of_many_makes_it(here: httpx.Client, there: httpx.Client) -> None:
    wanted = {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:story", "value": "once"}],
    }
    request = {"method": "POST", "url": "Patient", "ifNoneExist": "identifier=urn:story|once"}
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"request": request, "resource": wanted}],
    }
    with ThreadPoolExecutor(8) as pool:
        asked = [
            pool.submit(client.post, "/fhir", json=bundle, headers=FHIR)
            for client in (here, there) * 6
        ]
        answers = [each.result() for each in asked]
    assert {answer.status_code for answer in answers} == {200}, [a.text for a in answers]
    statuses = sorted(a.json()["entry"][0]["response"]["status"][:3] for a in answers)
    assert statuses == ["200"] * 11 + ["201"]


def _nothing_collided(*replicas: Clinic) -> None:
    for each in replicas:
        lines = each.programs[""].lines()
        assert not [s for s in lines if s["event"] in ("bug", "job failed")], lines
