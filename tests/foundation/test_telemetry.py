"""What a process tells about itself names no patient: allowed fields, names, numbers."""

import errno
import io
import json
import logging

import pytest
from prometheus_client import generate_latest

from polyclinic.foundation import telemetry
from polyclinic.foundation.telemetry import ALLOWED, Metrics, NotAllowedInLogs

SECRET = "Ana Ruiz, born 1980-02-29"


@pytest.fixture
def lines():
    """The JSON lines that are written during a test."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    telemetry.log_to(stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().split("\n") if line]
    root.handlers[:] = before
    root.setLevel(level)


def test_a_line_is_json_with_its_event_time_and_fields(lines):
    token = telemetry.request_id.set("0123456789")
    telemetry.log("started", service="records", port=8080)
    telemetry.request_id.reset(token)
    (line,) = lines()
    assert line.pop("at").startswith("20")
    assert line == {
        "level": "info",
        "event": "started",
        "request": "0123456789",
        "service": "records",
        "port": 8080,
    }


@pytest.mark.parametrize("field", ["name", "birthDate", "body", "query", "message", "path", "id"])
def test_a_field_that_is_not_allowed_is_a_programming_error(lines, field):
    with pytest.raises(NotAllowedInLogs):
        telemetry.log("event", **{field: SECRET})
    with pytest.raises(NotAllowedInLogs):
        telemetry.log_bug("event", ValueError(SECRET), **{field: SECRET})
    assert lines() == []
    assert field not in ALLOWED


def fail_deeply() -> None:
    inner = {"patient": SECRET}
    raise ValueError(f"cannot read {inner}")


def test_a_bug_is_logged_by_its_kind_and_place_and_never_by_its_message(lines):
    try:
        try:
            fail_deeply()
        except ValueError as first:
            raise KeyError(SECRET) from first
    except KeyError as bug:
        bug.add_note(SECRET)
        telemetry.log_bug("bug", bug, service="records")
    telemetry.log_bug("bug", RuntimeError(SECRET))
    first, second = lines()
    assert first["error"] == "KeyError"
    assert first["where"].split(":")[1].isdigit()
    assert second["where"] == "-"
    assert "Ruiz" not in json.dumps([first, second])


def test_libraries_are_heard_by_name_only(lines):
    for name in ("asyncpg", "httpx", "granian", "asyncio", "h11._impl"):
        logging.getLogger(name).error("failed on %s", SECRET)
        logging.getLogger(name).warning(SECRET, exc_info=ValueError(SECRET), stack_info=True)
    logging.getLogger("httpx").info(SECRET)
    said = lines()
    assert len(said) == 10
    assert {line["event"] for line in said} == {
        f"message of {name}" for name in ("asyncpg", "httpx", "granian", "asyncio", "h11._impl")
    }
    assert "Ruiz" not in json.dumps(said)


def test_a_line_stays_one_line_whatever_it_is_told(lines):
    telemetry.log("event", reason='x\n{"level": "error"}\r\n\u2028\x1b[31m"')
    telemetry.log("event\nsecond")
    assert len(lines()) == 2


class FullDisk(io.StringIO):
    is_full = True

    def write(self, text: str) -> int:
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def test_a_full_disk_costs_lines_and_says_how_many_when_there_is_room_again(lines, capfd):
    disk = FullDisk()
    telemetry.log_to(disk)
    for _ in range(500):
        telemetry.log("started", service="records")
    disk.is_full = False
    telemetry.log("stopped", service="records")
    telemetry.log("started", service="records")
    found = [json.loads(line) for line in disk.getvalue().splitlines()]
    assert [each["event"] for each in found] == ["stopped", "log lines lost", "started"]
    assert found[1]["count"] == 500
    # Nobody may have to read a pipe for the platform to go on.
    assert capfd.readouterr() == ("", "")


def test_a_clients_own_method_is_no_label_of_the_metrics():
    metrics = Metrics("records")
    for method in ("GET", "RUIZ", "ANA\n", "get"):
        metrics.answered("/fhir/{type}", method, 200, 0.01)
    page = generate_latest(metrics.registry).decode()
    assert 'method="GET"' in page
    assert 'method="OTHER"' in page
    assert "RUIZ" not in page
