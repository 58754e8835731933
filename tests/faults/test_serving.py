"""`polyclinic serve`: database, peers and key come from the environment, and so do its refusals."""

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest


def serve(port: int, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "polyclinic", "serve", "identity", "--port", str(port)],
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
    words = ["token", "--client", "tester", "--scope", "system/*.rs"]
    words += ["--url", f"http://127.0.0.1:{port}"]
    words += ["--key-file", surroundings["POLYCLINIC_KEY_FILE"]]
    given = subprocess.run(
        [sys.executable, "-m", "polyclinic", *words], capture_output=True, text=True, check=False
    )
    assert given.stdout.splitlines()[-1].count(".") == 2, given.stderr
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 0


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
