"""The harness itself, with numbers far too small to mean anything."""

import json
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from bench.blocks import KINDS
from bench.corpus import MARK
from bench.load import Pressure, drive_whole, request, save_job


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
    words += ["--resources", "80", "--entries", "40", "--only", "creates"]
    done = subprocess.run(
        [sys.executable, "-m", "bench", *words, "--json", str(file)],
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(file.read_text())


def test_every_side_does_work_and_no_request_fails(run):
    _, figures = run
    done = {(b["kind"], b["side"]): b["load"] for b in figures["blocks"]}
    assert {side for _, side in done} == {"hello", "pgbench", "polyclinic"}
    assert all(load["answered"] > 0 and load["rate"] > 0 for load in done.values())
    assert all(load["failed"] == 0 for load in done.values())
    assert figures["lost"] == 0


def test_the_table_names_floors_aims_and_where_the_bytes_are(run):
    text, figures = run
    assert re.search(r"^\| creates \| 2 \| [\d,]+ \|", text, re.MULTILINE)
    assert "| of hello |" in text
    assert "disk per resource" in text
    assert figures["storage"]["resources"] == 80
    assert {each["name"] for each in figures["aims"] if each["is"] is None} == {
        "reads/s at 64",
        "creates/s at 64",
        "resources/s in Bundles",
        "search p50 ms at 8",
    }


def test_a_server_that_refuses_is_counted_as_failing(tmp_path):
    """Our own generator against a door that always answers 404, with numbered bodies."""
    job = save_job(tmp_path / "job", [request("POST", "/nowhere", "127.0.0.1", body=MARK.encode())])
    with refusing() as (port, bodies):
        load = drive_whole(job, port, Pressure(2, 1), 7)
    assert load.answered == 0
    assert load.failed == len(bodies) > 2
    assert len(set(bodies)) == len(bodies)
    assert MARK.encode() not in b"".join(bodies)


def test_kinds_that_nobody_knows_are_refused():
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--only", "dreams"],
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 2
    assert all(kind in done.stderr for kind in KINDS)
