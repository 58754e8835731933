"""The same move where each service has a process of its own, by the command as it is typed."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from adopting_clinic import account, charge
from story_clinic import Clinic, Program, a_folder, free_port

FHIR = {"content-type": "application/fhir+json"}


@contextmanager
def apart(url, key_file, *names) -> Iterator[Clinic]:
    """One process a service; the front door is that of records."""
    with a_folder() as folder:
        ports = {name: free_port() for name in names}
        urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        said = {
            "POLYCLINIC_DATABASE_URL": url,
            "POLYCLINIC_KEY_FILE": str(key_file),
            "POLYCLINIC_PUBLIC_URL": "https://clinic.example",
            "POLYCLINIC_PEERS": ",".join(f"{name}={url}" for name, url in urls.items()),
        }
        operator = ("--url", urls["records"], "--key-file", str(key_file))
        log = folder / "records.txt"
        clinic = Clinic("apart", urls["records"], operator, folder, log, key=key_file)
        try:
            for name, port in ports.items():
                words = ("serve", name, "--port", str(port))
                clinic.programs[name] = Program(folder / f"{name}.txt", *words, **said)
            clinic.await_ready(*names)
            yield clinic
        finally:
            for program in clinic.programs.values():
                program.stop()


@pytest.fixture
async def database_url(new_database):
    return await new_database()


def adopt(clinic):
    words = [sys.executable, "-m", "polyclinic", "adopt", "billing", *clinic.operator]
    return subprocess.run(
        words, capture_output=True, text=True, check=False, timeout=120, cwd=clinic.folder
    )


def test_services_in_processes_of_their_own_hand_over_all_the_same(database_url, key_file):
    paths = ["/fhir/ChargeItem/c1", "/fhir/ChargeItem/c1/_history", "/fhir/ChargeItem?code=D1",
             "/fhir/ChargeItem?patient=Patient/keller&_include=ChargeItem:subject"]  # fmt: skip
    with apart(database_url, key_file, "identity", "records") as clinic:
        api = clinic.api(clinic.token())
        for value in (
            {"resourceType": "Patient", "id": "keller"},
            account("keller"),
            *(charge(f"c{n}", "keller", "D1") for n in range(3)),
            charge("c1", "keller", "D1", status="billed"),
        ):
            path = f"/fhir/{value['resourceType']}/{value['id']}"
            assert api.put(path, json=value, headers=FHIR).status_code in (200, 201)
        before = [api.get(path).text for path in paths]
        refused = adopt(clinic)
        assert refused.returncode == 1
        assert "billing service is not part of this installation" in refused.stderr
    with apart(database_url, key_file, "identity", "records", "billing") as clinic:
        api = clinic.api(clinic.token())
        assert api.get(paths[0]).status_code == 404
        done = adopt(clinic)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "over 5 versions, the same on both sides" in done.stdout
        assert [api.get(path).text for path in paths] == before
