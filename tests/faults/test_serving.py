"""`polyclinic serve`: database, peers and key come from the environment, and so do its refusals."""

import os
import signal
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest


def serve(port: int, *more: str, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "polyclinic", "serve", "identity", *more, "--port", str(port)],
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
async def surroundings(new_database, key_file: Path) -> dict[str, str]:
    return {
        "POLYCLINIC_DATABASE_URL": await new_database(),
        "POLYCLINIC_KEY_FILE": str(key_file),
    }


def test_a_service_serves_alone_gives_tokens_and_stops_when_told(surroundings, free_port):
    port = free_port()
    process = serve(port, **surroundings)
    assert process.stdout is not None
    assert process.stdout.readline() == f"identity at http://127.0.0.1:{port}\n"
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/identity/health/ready") as answer:
        assert answer.status == 200
    assert token(port, surroundings, "system/*.rs").count(".") == 2
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 0


def test_a_process_that_stops_answers_who_waits_for_its_events(surroundings, free_port):
    """Each restart of a service that others follow took ten seconds."""
    port = free_port()
    process = serve(port, "records", **surroundings)
    assert process.stdout is not None
    process.stdout.readline()
    bearer = {"authorization": f"Bearer {token(port, surroundings, 'system/events.read')}"}
    feed = f"http://127.0.0.1:{port}/records/events?after=0&wait="
    # On a connection that stands already, so that a busy machine has asked after two seconds too.
    with ThreadPoolExecutor(1) as elsewhere, httpx.Client(headers=bearer, timeout=60) as client:
        client.get(feed + "0").raise_for_status()
        waiting = elsewhere.submit(client.get, feed + "25")
        with pytest.raises(TimeoutError):
            waiting.result(2)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        # Cut off after the ten seconds, it would have heard nothing at all.
        assert waiting.result(10).json()["events"] == []
    assert process.returncode == 0


def token(port: int, surroundings: dict[str, str], scope: str) -> str:
    words = ["token", "--client", "tester", "--scope", scope]
    words += ["--url", f"http://127.0.0.1:{port}"]
    words += ["--key-file", surroundings["POLYCLINIC_KEY_FILE"]]
    given = subprocess.run(
        [sys.executable, "-m", "polyclinic", *words], capture_output=True, text=True, check=False
    )
    assert given.returncode == 0, given.stderr
    return given.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"POLYCLINIC_DATABASE_URL": "postgresql://a:hidden@127.0.0.1:1/b"}, "cannot be reached"),
        ({"POLYCLINIC_KEY_FILE": "/nowhere/root.key"}, "no key file"),
        ({"POLYCLINIC_PEERS": "records"}, "not name=url"),
    ],
)
def test_a_wrong_surrounding_is_one_sentence_without_secrets(
    surroundings, free_port, wrong, sentence
):
    process = serve(free_port(), **{**surroundings, **wrong})
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert sentence in said.splitlines()[-1]
    assert "Traceback" not in said
    assert "hidden" not in said
