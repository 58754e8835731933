"""The harness itself, with numbers far too small to mean anything."""

import dataclasses
import json
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from bench.blocks import KINDS
from bench.corpus import MARK, charts
from bench.load import Load, Pressure, drive, drive_whole, request, save_job
from bench.platform import own_platform
from bench.server import Server

from bench import billing, bookings, hl7v2, logged, mllp, pace, storage


class Refusing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.server.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def refusing():
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        server.bodies = []
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, server.bodies
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One whole run: its own platform, a small corpus, one block of each kind."""
    file = tmp_path_factory.mktemp("bench") / "figures.json"
    words = ["--seconds", "1", "--repeats", "1", "--connections", "2"]
    words += ["--resources", "80", "--entries", "40"]
    words += ["--only", ",".join(("creates", *bookings.KINDS))]
    done = subprocess.run(
        [sys.executable, "-m", "bench", *words, "--json", str(file)],
        capture_output=True,
        check=False,
        text=True,
        timeout=220,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(file.read_text())


def test_every_side_does_work_and_no_request_fails(run):
    _, figures = run
    done = {(b["kind"], b["side"]): b["load"] for b in figures["blocks"]}
    sides = {"hello", "pgbench", "polyclinic"}
    assert set(done) == {(k, s) for k in ("creates", *bookings.KINDS) for s in sides}
    assert all(load["answered"] > 0 and load["rate"] > 0 for load in done.values())
    assert all(load["failed"] == 0 for load in done.values())
    assert figures["lost"] == 0


def test_the_table_names_floors_aims_and_where_the_bytes_are(run):
    text, figures = run
    assert re.search(r"^\| creates \| 2 \| [\d,]+ \|", text, re.MULTILINE)
    assert "| of hello |" in text
    assert "disk per resource" in text
    # What was loaded, and the scores that insights came to write of it meanwhile.
    assert 80 <= figures["storage"]["resources"] < 90
    assert {each["name"] for each in figures["aims"] if each["is"] is None} == {
        "reads/s at 64",
        "cost of the access log, % of reads",
        "creates/s at 64",
        "resources/s in Bundles",
        "search p50 ms at 8",
        "835 lines posted/s",
        "seconds for 1,000 statements",
        "HL7 v2 results read whole/s of a core",
        "MLLP acknowledged/s at 64",
    }
    for name in ("bookings, spread", "refusals, one hot place", "bookings, steady 500"):
        assert re.search(rf"^\| {name} \| 32 \| [\d,]+ \|", text, re.MULTILINE)
    assert re.search(r"^\| \$find, 50 clinicians × 4 weeks \| 4 \| [\d,]+ \|", text, re.MULTILINE)


def test_events_of_bookings_are_timed_and_a_pace_is_kept(run):
    _, figures = run
    steady = {b["side"]: b for b in figures["blocks"] if b["kind"] == "events"}
    assert all(b["load"]["rate"] < 600 for b in steady.values())
    assert steady["polyclinic"]["event_lag"] > 0
    [aim] = [each for each in figures["aims"] if each["name"] == "event lag p95 ms at 500/s"]
    assert aim["is"] == steady["polyclinic"]["event_lag"] * 1000


@pytest.fixture(scope="module")
def platform():
    with own_platform(None, **mllp.settings()) as started:
        yield started


def test_messages_by_mllp_are_counted_when_they_are_acknowledged_and_kept(monkeypatch, platform):
    monkeypatch.setattr(mllp, "SECONDS", 0.3)
    runs = mllp.measure(platform, platform.token(), 1)
    assert [run.connections for run in runs] == list(mllp.CONNECTIONS)
    assert all(run.rate > 0 and run.p99 >= run.p50 > 0 and run.missing == 0 for run in runs)
    assert re.search(
        r"^\| 64 connections \| [\d,]+ \|", "\n".join(mllp.markdown(runs)), re.MULTILINE
    )


def test_messages_are_read_beside_what_others_need_for_them(monkeypatch):
    monkeypatch.setattr(hl7v2, "COUNT", 5)
    runs = hl7v2.measure(1)
    assert all(min(run.parsed, run.read, run.acknowledged, run.theirs) > 0 for run in runs)
    assert "python-hl7" in "\n".join(hl7v2.markdown(runs))


def test_money_is_measured_to_the_last_statement_beside_plain_inserts(monkeypatch, platform):
    monkeypatch.setattr(billing, "CLAIMS", 3)
    runs = billing.measure(platform, platform.token(), 2)
    assert all(min(dataclasses.astuple(run)) > 0 for run in runs)
    text = "\n".join(billing.markdown(runs))
    assert re.search(r"^\| 835 lines posted a second, durable \| [\d,]+ \|", text, re.MULTILINE)
    assert "posted lines of plain INSERT" in text


def test_a_server_that_refuses_is_counted_as_failing(tmp_path):
    """Our own generator against a door that always answers 404, with numbered bodies."""
    job = save_job(tmp_path / "job", [request("POST", "/nowhere", "127.0.0.1", body=MARK.encode())])
    with refusing() as (port, bodies):
        load = drive_whole(job, port, Pressure(2, 1), 7)
    assert load.answered == 0
    assert load.failed == len(bodies) > 2
    assert len(set(bodies)) == len(bodies)
    assert MARK.encode() not in b"".join(bodies)


@pytest.mark.parametrize("press", [drive, drive_whole])
def test_a_job_says_which_status_it_expects(tmp_path, press):
    job = save_job(tmp_path / "job", [request("POST", "/x", "127.0.0.1", body=b"{}")], "404")
    with refusing() as (port, bodies):
        load = press(job, port, Pressure(2, 1), 7)
    assert load.failed == 0
    assert 2 < load.answered <= len(bodies)


@pytest.mark.parametrize("press", [drive, drive_whole])
def test_another_status_than_the_expected_one_has_failed(tmp_path, press):
    job = save_job(tmp_path / "job", [request("POST", "/x", "127.0.0.1", body=b"{}")], "409")
    with refusing() as (port, _):
        load = press(job, port, Pressure(2, 1), 7)
    assert load.answered == 0
    assert load.failed > 2


def test_bookings_of_a_job_want_different_places_and_the_next_job_others_again():
    clinic, pressure = bookings.Clinic("http://127.0.0.1:1", None), Pressure(32, 1, 500)
    found = [clinic.job("events", pressure)[0] for _ in range(2)]
    bodies = [json.loads(each.partition(b"\r\n\r\n")[2]) for job in found for each in job]
    assert len({(b["practitioner"], b["start"]) for b in bodies}) == len(bodies) == 2 * 532
    assert len({(b["patient"], b["start"]) for b in bodies}) == len(bodies)


def test_a_job_of_bookings_that_went_round_is_no_measurement():
    load = Load(3.0, 1, 1, answered=3, failed=0, seconds=1, busy=0)
    bookings.check_once("spread", load, Pressure(2, 1), 5)
    with pytest.raises(RuntimeError, match="only 4 bookings"):
        bookings.check_once("spread", load, Pressure(2, 1), 4)


def test_a_lag_is_the_bound_of_the_bucket_that_holds_the_share_of_what_came_in_between():
    name = 'polyclinic_loop_lag_seconds_bucket{le="#",service="records"}'
    counts = {"0.05": (5, 98), "0.1": (100, 197), "+Inf": (100, 200)}
    before, after = (
        "\n".join(f"{name.replace('#', le)} {each[n]}" for le, each in counts.items())
        for n in (0, 1)
    )
    assert storage.lag(name, 0.9, before, after) == 0.05
    assert storage.lag(name, 0.95, before, after) == 0.1
    assert storage.lag(name, 0.99, before, after) == float("inf")
    assert storage.lag(name, 0.99, after, after) is None


def test_kinds_that_nobody_knows_are_refused():
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--only", "dreams"],
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 2
    assert all(kind in done.stderr for kind in KINDS)


def test_the_log_is_written_or_kept_away_in_turns_and_its_cost_is_said(tmp_path, platform):
    server = Server("polyclinic", f"http://127.0.0.1:{platform.port}/fhir", platform.token())
    server.load(next(iter(charts(1, 40))))
    pairs = logged.measure(platform, server, tmp_path, 1, 1)
    [pair] = pairs
    assert pair.logged.failed == pair.bare.failed == 0
    assert pair.rows >= pair.logged.answered > 0
    assert pair.rows_bare == 0
    assert storage.rows(platform, "pg_trigger WHERE tgname = 'bench_keeps_away'") == 0
    assert "The access log costs" in logged.markdown(pairs)[0]
    assert logged.markdown([]) == []


def test_requests_go_when_they_are_due_and_each_is_accounted_for(tmp_path, platform):
    whole = request("GET", "/health/live", f"127.0.0.1:{platform.port}")
    job = save_job(tmp_path / "job", [whole])
    words = [sys.executable, "-m", "bench.pace", str(job), str(platform.port), "0"]
    said = subprocess.run([*words, "50:1", "20:1"], capture_output=True, text=True, check=True)
    first, second = json.loads(said.stdout)
    assert (first["sent"], second["sent"]) == (50, 20)
    assert first["statuses"] == {"200": 50}
    assert first["lost"] == second["lost"] == 0
    assert first["p99"] >= first["p50"] > 0


async def test_what_falls_due_while_the_machine_stands_still_is_asked_too(tmp_path, monkeypatch):
    job = save_job(tmp_path / "job", [request("GET", "/", "127.0.0.1")])
    crowd, plan = pace.Crowd(job, 0, 0), pace.Pace(50, 0.2, began=time.perf_counter())
    due = []
    monkeypatch.setattr(crowd, "_send", lambda _, at: due.append(at - plan.began))
    monkeypatch.setattr(pace, "TICK", 0.3)
    await crowd._keep(plan)
    assert due == pytest.approx([n / 50 for n in range(10)])
