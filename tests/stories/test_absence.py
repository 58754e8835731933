"""A service is stopped, a database restarts, a service was never installed: people are told."""

import asyncio
import os
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from story_clinic import PEOPLE, Clinic, Program, a_folder, free_port, until

MARIA = PEOPLE["maria"].person.partition("/")[2]
FHIR = {"content-type": "application/fhir+json"}


@contextmanager
def without(clinic: Clinic, name: str) -> Iterator[None]:
    """A service's process is stopped and afterwards started again, at the same address."""
    program = clinic.programs[name]
    program.stop()
    try:
        yield
    finally:
        program.start()
        clinic.await_ready(name)


def test_while_records_is_stopped_the_portal_says_so_and_then_recovers(per_service: Clinic):
    maria, ruiz = per_service.signed_in("maria"), per_service.signed_in("ruiz")
    token = per_service.token("system/*.rs")
    portal = per_service.programs["portal"].process.pid
    with without(per_service, "records"):
        for path in ("/home", "/results", "/medicines", "/conditions"):
            page = maria.get(path)
            assert page.status_code == 503, path
            assert "cannot be reached at the moment" in page.text
            assert page.headers["retry-after"] == "2"
            assert "since" in page.text
        ruiz.get("/patients")
        assert "cannot be searched" in ruiz.send("/patients", q="Keller").text
        assert ruiz.get(f"/patients/{MARIA}").status_code == 503
        # Signing in does not need records.
        assert per_service.visitor().sign_in("maria").url.path == "/home"
        assert "not answer" in per_service.signed_in("sam").get("/admin").text
        with per_service.api(token) as api:
            refused = api.get("/fhir/Patient")
            assert refused.status_code == 503
            assert refused.json()["issue"][0]["code"] == "transient"
            assert api.get("/health/ready").status_code == 200
            assert api.get("/identity/health/ready").status_code == 200
            assert api.get("/records/health/ready").status_code == 503
    assert maria.get("/results").status_code == 200
    assert "cannot be reached" not in maria.get("/home").text
    assert per_service.api(token).get("/fhir/Patient").status_code == 200
    assert per_service.programs["portal"].process.pid == portal


def test_while_identity_is_stopped_whoever_is_signed_in_goes_on(per_service: Clinic):
    maria = per_service.signed_in("maria")
    token = per_service.token("system/*.rs")
    api = per_service.api(token)
    assert api.get("/fhir/Patient").status_code == 200
    with without(per_service, "identity"):
        assert maria.get("/results").status_code == 200
        assert api.get("/fhir/Patient").status_code == 200
        page = per_service.visitor().get("/")
        assert page.status_code == 503
        assert page.headers["content-type"].startswith("text/html")
        assert "Signing in is not possible at the moment" in page.text
        # Leaving must be possible at any time.
        assert maria.send("/sign-out").url.path == "/signed-out"
        refused = api.post("/identity/operator/token", json={})
        assert refused.status_code == 503
        assert "identity service does not answer" in refused.json()["error_description"]
    assert per_service.signed_in("maria").page.status_code == 200


def test_records_that_starts_before_identity_waits_for_its_keys(per_service: Clinic):
    api = per_service.api(per_service.token("system/*.rs"))
    identity, records = per_service.programs["identity"], per_service.programs["records"]
    identity.stop()
    records.stop()
    try:
        records.start()
        until(lambda: per_service.is_ready("records"), 30, "records")
        refused = api.get("/fhir/Patient")
        assert refused.status_code == 503
        assert refused.headers["retry-after"]
    finally:
        identity.start()
        per_service.await_ready("identity", "records")
    until(lambda: api.get("/fhir/Patient").status_code == 200, 20, "records with identity's keys")


async def test_while_postgresql_restarts_nothing_breaks_and_all_recovers(
    per_service: Clinic, story_postgres
):
    server, _ = story_postgres
    maria = await asyncio.to_thread(per_service.signed_in, "maria")
    token = await asyncio.to_thread(per_service.token)
    api = per_service.api(token)
    pids = {name: program.process.pid for name, program in per_service.programs.items()}
    seen = {"read": set(), "page": set(), "ready": set(), "made": set()}

    def look() -> bool:
        made = api.post("/fhir/Basic", json=_BASIC, headers=FHIR)
        last = {
            "read": api.get(f"/fhir/Patient/{MARIA}").status_code,
            "page": maria.get("/results").status_code,
            "ready": api.get("/records/health/ready").status_code,
            "made": made.status_code,
        }
        for name, status in last.items():
            seen[name].add(status)
        return all(status in (200, 201) for status in last.values())

    assert await asyncio.to_thread(look)
    assert server.pid is not None
    os.kill(server.pid, signal.SIGINT)  # PostgreSQL's fast shutdown
    broken = well = False
    end = time.monotonic() + 30
    while time.monotonic() < end and not (broken and well):
        well = await asyncio.to_thread(look)
        broken = broken or not well
        await asyncio.sleep(0.02)
    assert broken, "the restart was not noticed at all"
    assert well, seen
    assert {n: p.process.pid for n, p in per_service.programs.items()} == pids
    for program in per_service.programs.values():
        bugs = [line for line in program.lines() if line["event"] == "bug"]
        assert not bugs, bugs
    for name, statuses in seen.items():
        assert statuses <= {200, 201, 503}, (name, statuses)


def test_records_with_identity_alone_is_a_fhir_server(tmp_path):
    with _up("records,identity") as clinic:
        with clinic.api() as api:
            said = api.get("/").json()
            assert set(said["services"]) == {"records", "identity"}
            assert said["fhir"] == "/fhir/metadata"
            assert api.get("/fhir/metadata").json()["resourceType"] == "CapabilityStatement"
            assert api.get("/home").status_code == 404
        page = clinic.visitor().get("/")
        assert page.status_code == 200
        assert "The portal is not part of this installation" in page.text
        assert "style-src 'sha256-" in page.headers["content-security-policy"]
        api = clinic.api(clinic.token())
        family = f"Alone{uuid.uuid4().hex[:6]}"
        patient = {"resourceType": "Patient", "name": [{"family": family}]}
        assert api.post("/fhir/Patient", json=patient, headers=FHIR).status_code == 201
        file = tmp_path / "more.ndjson"
        file.write_text(
            f'{{"resourceType":"Patient","id":"m1","name":[{{"family":"{family}"}}]}}\n'
        )
        done = clinic.command("import", str(file))
        assert done.returncode == 0, done.stderr + done.stdout
        found = api.get("/fhir/Patient", params={"family": family}).json()
        assert len(found["entry"]) == 2


def test_a_portal_without_records_says_that_they_are_not_part_of_this_installation():
    with _up("portal,identity") as clinic:
        token = clinic.token("system/identity.accounts")
        account = {"user": "maria", "password": PEOPLE["maria"].password, "role": "patient"}
        made = clinic.api(token).post(
            "/identity/operator/accounts",
            json={"accounts": [{**account, "person": PEOPLE["maria"].person, "name": "Maria"}]},
        )
        assert made.status_code == 200, made.text
        maria = clinic.visitor()
        page = maria.sign_in("maria")
        assert page.status_code == 503
        assert "records service is not part of this installation" in page.text
        assert "Try again</a>" not in page.text
        refused = clinic.api(token).get("/fhir/Patient")
        assert refused.status_code == 404
        assert refused.json()["issue"][0]["code"] == "not-supported"


_BASIC = {"resourceType": "Basic", "code": {"text": "while the database restarts"}}


@contextmanager
def _up(services: str) -> Iterator[Clinic]:
    with a_folder() as folder:
        data, port = folder / "data", free_port()
        words = ("up", "--data", str(data), "--port", str(port), "--seed", "none")
        program = Program(folder / "up.txt", *words, "--services", services)
        url, log = f"http://127.0.0.1:{port}", data / "logs" / "polyclinic.log"
        clinic = Clinic(services, url, ("--data", str(data)), folder, log, {"up": program})
        try:
            clinic.await_ready(*services.split(","))
            # The address is announced once everything is.
            until((data / "running.json").exists, 10, "running.json")
            yield clinic
        finally:
            program.stop()
