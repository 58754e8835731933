"""Harbor Street Clinic is what its written truth says, and goes wrong only where it is told to."""

import re
import sqlite3
import subprocess
import sys
from collections import Counter

import httpx
import pytest
from legacy_world import TODAY, TRUTH, basic, clinic

from polyclinic.demo.legacy import kept, schema
from polyclinic.demo.legacy.answers import routes
from polyclinic.demo.legacy.faults import FAULTS, TROUBLES

PATIENTS = 75
NUMBERS = [f"HS-{100000 + n * 7}" for n in range(PATIENTS // 2)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Filled once; tests that write take a copy."""
    made = tmp_path_factory.mktemp("harbor")
    kept.make(made / kept.FILE, rows=1500, seed=1998, today=TODAY)
    return made


@pytest.fixture
def own(folder, tmp_path):
    (tmp_path / kept.FILE).write_bytes((folder / kept.FILE).read_bytes())
    return tmp_path


def test_the_truth_names_every_endpoint_and_no_other():
    there = {
        f"{method} {re.sub(r'{[^}]*}', '{}', route.path)}"
        for route in routes
        for method in route.methods - {"HEAD"}
    }
    assert there == set(TRUTH["endpoints"])


def test_the_truth_names_every_table_and_every_declared_link(folder):
    mapped = {table for each in TRUTH["capabilities"].values() for table in each["tables"]}
    assert mapped == set(schema.TABLES) - {"chg_log", "chg_origin"}
    file = sqlite3.connect(folder / kept.FILE)
    declared = {
        f"{table}.{row[3]} -> {row[2]}.{row[4]}"
        for table in schema.TABLES
        for row in file.execute(f"PRAGMA foreign_key_list({table})")
    }
    file.close()
    assert declared == set(TRUTH["links"]["declared"])


def test_the_truth_names_every_fault_and_there_are_enough_that_matter():
    assert {**FAULTS}.keys() == TRUTH["faults"].keys()
    assert sorted(TROUBLES) == sorted(TRUTH["troubles"])
    bad = [each for each in TRUTH["faults"].values() if each["severity"] in ("S1", "S2")]
    assert len(bad) >= 30


def test_links_that_are_meant_lead_somewhere_but_for_the_planted_dirt(folder):
    file = sqlite3.connect(folder / kept.FILE)
    for link in TRUTH["links"]["meant"]:
        table, column, other, key = re.fullmatch(r"(\w+)\.(\w+) -> (\w+)\.(\w+)", link).groups()
        lost = file.execute(
            f"SELECT count(*) FROM {table} WHERE {column} IS NOT NULL"
            f" AND {column} NOT IN (SELECT {key} FROM {other})"
        ).fetchone()[0]
        assert lost == {"allergies.mrn": 2, "labs.mrn": 1}.get(f"{table}.{column}", 0), link
    file.close()


def test_the_same_seed_makes_the_same_people_however_many_there_are(folder, tmp_path):
    kept.make(tmp_path / kept.FILE, rows=4000, seed=1998, today=TODAY)
    small, large = (sqlite3.connect(each / kept.FILE) for each in (folder, tmp_path))
    query = "SELECT * FROM patients WHERE id < 1076 ORDER BY id"
    assert small.execute(query).fetchall() == large.execute(query).fetchall()
    query = "SELECT prov_id, start_dt FROM appts GROUP BY 1, 2 HAVING count(*) > 1"
    assert large.execute(query).fetchall() == [], "nobody is booked twice"
    small.close()
    large.close()


async def test_nobody_is_let_in_without_signing_in(folder):
    async with clinic(folder) as client:
        for headers in ({}, {"authorization": "Basic x"}, {"cookie": "HSSESSID=skim.0"}):
            client.headers.pop("authorization", None)
            answer = await client.get("/api/patient/HS-100000", headers=headers)
            assert answer.status_code == 401
        signed_in = await client.post("/login.asp", data={"usr": "skim", "pwd": "harbor"})
        assert signed_in.status_code == 302
        assert (await client.get("/api/patient/HS-100000")).status_code == 200
        refused = await client.post("/login.asp", data={"usr": "skim", "pwd": "no"})
        assert refused.status_code == 403


async def test_a_chart_reads_as_the_old_clinic_always_showed_it(folder):
    async with clinic(folder) as client:
        person = (await client.get("/api/patient/HS-100000")).json()
        assert person["MRN"] == "HS-100000"
        assert re.fullmatch(r"\d\d/\d\d/\d{4}", person["DOB"])
        results = (await client.get("/labs/results.do?mrn=HS-100000")).json()["results"]
        accession = results[0]["Accession"]
        assert (await client.get(f"/labs/{accession}")).json()["results"] == results
        assert (await client.get("/api/patient/HS-1")).status_code == 404
        gone = (await client.get("/api/patient/HS-100343")).status_code
        assert gone == 404, "deleted softly"


async def test_what_is_written_is_read_again_and_logged_as_a_change(own):
    async with clinic(own) as client:
        path = "/api/patient/HS-100000/allergies"
        made = await client.post(path, data={"substance": "Kiwi", "severity": "SEVERE"})
        listed = (await client.get(path)).json()["allergies"]
        assert [a for a in listed if a["AllergyID"] == made.json()["AllergyID"]]
        start = {"mrn": "HS-100000", "prov": "DRKIM", "start": "03/28/2026 1:15 PM"}
        booked = await client.post("/sched/book", data=start)
        assert booked.status_code == 201
        assert (await client.post("/sched/book", data=start)).status_code == 409
        number = booked.json()["ApptID"]
        shown = (await client.get(f"/sched/appt/{number}")).json()
        assert shown["Start"] == "03/28/2026 1:15 PM"
        await client.post(f"/sched/appt/{number}/cancel")
        file = sqlite3.connect(own / kept.FILE)
        logged = file.execute("SELECT tbl, op, origin FROM chg_log ORDER BY seq").fetchall()
        file.close()
        assert logged == [("allergies", "I", ""), ("appts", "I", ""), ("appts", "U", "")]


async def answers_of(client, endpoint):
    """What an endpoint says about everybody: enough to find a fault that shows somewhere."""
    method, path = endpoint.split(" ")
    if method == "POST":
        return await after_a_write(client, path)
    asked = []
    if path == "/sched/day/{}":
        asked = [f"/sched/day/202603{day:02}" for day in range(9, 14)]
    elif path == "/sched/appt/{}":
        asked = [f"/sched/appt/{n}" for n in range(1, 60)]
    elif path == "/sched/slots":
        asked = ["/sched/slots?prov=DRKIM&from=20260309"]
    elif path == "/billing/invoice/{}":
        asked = [f"/billing/invoice/INV-2026-{n:06}" for n in range(1, 40)]
    elif path == "/api/patients/search":
        asked = ["/api/patients/search?q=A"]
    elif path == "/labs/results.do":
        asked = [f"{path}?mrn={number}" for number in NUMBERS]
    else:
        asked = list(dict.fromkeys(path.replace("{}", number) for number in NUMBERS))
    return {each: (await client.get(each)).text for each in asked}


async def after_a_write(client, path):
    if path.endswith("/allergies"):
        await client.post("/api/patient/HS-100000/allergies", data={"substance": "Kiwi"})
        shown = "/api/patient/HS-100000/allergies"
    elif path == "/api/rx/new":
        await client.post(path, data={"mrn": "HS-100000", "drug": "Aspirin"})
        shown = "/api/patient/HS-100000/meds"
    else:
        await client.post(path, data={"inv_no": "INV-2026-000001", "amt": "5.00"})
        shown = "/billing/account/HS-100000/balance"
    return {shown: (await client.get(shown)).text}


async def test_each_fault_changes_what_is_read_and_a_second_look_changes_nothing(folder):
    sound, unseen = {}, []
    async with clinic(folder) as client:
        for name, fault in TRUTH["faults"].items():
            endpoint = fault["endpoint"]
            if endpoint.startswith("POST"):
                continue
            if endpoint not in sound:
                sound[endpoint] = await answers_of(client, endpoint)
                assert await answers_of(client, endpoint) == sound[endpoint]
            await client.post("/_control/faults", json={"on": [name]})
            if await answers_of(client, endpoint) == sound[endpoint]:
                unseen.append(name)
            await client.post("/_control/faults", json={"on": []})
    assert not unseen


WRITES = [name for name, each in TRUTH["faults"].items() if each["endpoint"].startswith("POST")]


@pytest.mark.parametrize("name", WRITES)
async def test_each_fault_of_a_write_loses_it_without_a_word(own, tmp_path, name):
    other = tmp_path / "other"
    other.mkdir()
    (other / kept.FILE).write_bytes((own / kept.FILE).read_bytes())
    async with clinic(own) as sound, clinic(other, name) as wrong:
        endpoint = TRUTH["faults"][name]["endpoint"]
        assert await answers_of(sound, endpoint) != await answers_of(wrong, endpoint)


async def test_faults_are_switched_while_it_runs(folder):
    async with clinic(folder) as client:
        sound = (await client.get("/sites")).text
        assert (await client.post("/_control/faults", json={"on": ["site-old-name"]})).is_success
        assert (await client.get("/sites")).text != sound
        assert (await client.post("/_control/faults", json={"on": ["x"]})).status_code == 404
        assert (await client.post("/_control/faults", json={"on": []})).json() == {"on": []}
        assert (await client.get("/sites")).text == sound


async def test_troubles_come_in_about_the_share_that_was_asked(folder):
    async with clinic(folder, "errors:0.2") as client:
        seen = Counter([(await client.get("/sites")).status_code for _ in range(300)])
    assert 30 <= seen[500] <= 90
    assert set(seen) == {200, 500}


async def test_every_request_leaves_a_line_with_its_user(folder):
    async with clinic(folder) as client:
        await client.get("/sched/slots?prov=DRKIM&from=20260309", headers=basic("jfront"))
    line = (folder / "access.log").read_text().splitlines()[-1]
    wanted = r'\S+ - jfront \[[^\]]+\] "GET /sched/slots\?prov=DRKIM&from=20260309 HTTP/1\.1" 200 '
    assert re.match(wanted + r'\d+ "-" "[^"]*" \d+\.\d{3}$', line)


def test_it_runs_as_a_process_of_its_own(tmp_path, free_port):
    words = ["-m", "polyclinic.demo.legacy", "--port", str(free_port), "--data", str(tmp_path)]
    with subprocess.Popen([sys.executable, *words, "--rows", "500"], stdout=subprocess.PIPE) as one:
        try:
            url = one.stdout.readline().decode().strip()
            transport = httpx.HTTPTransport(retries=5)
            with httpx.Client(base_url=url, headers=basic(), transport=transport) as client:
                for _ in range(100):
                    try:
                        answer = client.get("/sites")
                        break
                    except httpx.ConnectError:
                        continue
            assert len(answer.json()["sites"]) == 3
        finally:
            one.terminate()
