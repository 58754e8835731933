"""Channels: deployed while their fixtures pass, every version kept, heard when they are silent."""

from datetime import UTC, datetime, timedelta

import pytest
from integration_door import ADMIN, CHANNEL, CLINICIAN, DESK, OPERATOR, SENDER, message

from polyclinic.cli import main
from polyclinic.services.integration.actions import watching
from polyclinic.services.integration.domain.channels import Expected, first_difference, silent_since

FIXTURES = """
fixtures:
  - name: an update
    message: |
      MSH|^~\\&|HIS|MAIN|POLY|CLINIC|20261128120000||ADT^A08|1|P|2.5.1
      EVN||20261128120000
      PID|1||1001^^^MAIN^MR||Keller^Maria
    expect: {answer: AA, state: received, trigger: ADT^A08}
  - name: a stranger
    message: |
      MSH|^~\\&|OTHER|MAIN|POLY|CLINIC|20261128120000||ADT^A08|2|P|2.5.1
    expect: {answer: AR, reason: REASON}
"""


def named(name, fixtures=""):
    return (CHANNEL.replace("name: adt", f"name: {name}") + fixtures).encode()


async def test_a_channel_is_deployed_in_versions_and_every_one_is_kept(door):
    first, second = named("kept"), named("kept") + b"zone: Europe/Zurich\n"
    assert (await door.done(ADMIN, "/integration/channels", first))["version"] == 1
    again = await door.done(ADMIN, "/integration/channels", first)
    assert (again["version"], again["again"]) == (1, True)
    assert (await door.done(OPERATOR, "/integration/channels", second))["version"] == 2
    text = await door.ask(ADMIN, "GET", "/integration/channels/kept?version=1")
    assert text.content == first
    assert (await door.ask(ADMIN, "GET", "/integration/channels/kept")).content == second
    told = await door.ask(ADMIN, "GET", "/integration/channels/kept/versions")
    assert [each["version"] for each in told.json()["versions"]] == [2, 1]


async def test_a_channel_with_a_failing_fixture_is_refused_naming_which_and_where(door):
    good = named("tried", FIXTURES.replace("REASON", "sender"))
    assert (await door.done(ADMIN, "/integration/channels", good))["fixtures"] == 2
    bad = named("tried", FIXTURES.replace("REASON", "processing"))
    refused = await door.ask(ADMIN, "POST", "/integration/channels", bad)
    assert refused.status_code == 422
    assert refused.json()["place"] == "fixtures.a stranger"
    assert "reason is 'sender', not 'processing'" in refused.json()["error_description"]
    at_work = await door.ask(ADMIN, "GET", "/integration/channels/tried")
    assert at_work.content == good
    checked = await door.ask(ADMIN, "POST", "/integration/channels/check", bad)
    assert [each["fixture"] for each in checked.json()["failed"]] == ["a stranger"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (b"a: [", "line 1"),
        (b"name: X", "name"),
        (b"name: x\nsource: mllp\naccepts: [ORU]\nzone: Nowhere", "body"),
        (b"name: x\nsource: mllp\naccepts: [ORU]\nspeed: 3", "body"),
        (b"name: x\nsource: pigeon\naccepts: [ORU]", "source"),
        (b"- 1", "body"),
        (b"!!python/object/apply:os.system ['true']", "line 1"),
    ],
)
async def test_what_is_no_channel_is_refused_by_its_place(door, text, place):
    refused = await door.ask(ADMIN, "POST", "/integration/channels", text)
    assert refused.status_code == 400
    assert refused.json()["place"] == place


@pytest.mark.parametrize("who", [CLINICIAN, DESK, SENDER], ids=["clinician", "desk", "sender"])
async def test_only_administrators_and_operators_run_channels(door, who):
    for method, path in (("POST", ""), ("GET", ""), ("GET", "/adt"), ("GET", "/adt/versions")):
        body = named("mine") if method == "POST" else None
        answer = await door.ask(who, method, f"/integration/channels{path}", body)
        assert answer.status_code == 403, (method, path)


def test_the_command_line_tries_fixtures_without_a_platform(tmp_path, capsys):
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_bytes(named("good", FIXTURES.replace("REASON", "sender")))
    bad.write_bytes(named("bad", FIXTURES.replace("REASON", "other")))
    assert main(["channels", "check", str(good)]) == 0
    assert "fixtures that pass: 2" in capsys.readouterr().out
    assert main(["channels", "check", str(good), str(bad), str(tmp_path / "none.yaml")]) == 1
    told = capsys.readouterr().out
    assert "bad.yaml: Fixture 'a stranger': reason is 'sender', not 'other'." in told
    assert "none.yaml: No such file" in told


@pytest.mark.parametrize(
    ("expected", "found", "text"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, None),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "a.b is 2, not 1"),
        ({"a": {"b": 1}}, {"a": {}}, "a.b is missing"),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 3}]}, None),
        ({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}, {"b": 3}]}, "a[1].b is 3, not 2"),
        ({"a": [1]}, {"a": [1, 2]}, "a has 2 entries, not 1"),
    ],
)
def test_a_fixture_is_compared_where_it_says_something(expected, found, text):
    assert first_difference(expected, found) == text


NOON = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)  # a Friday
WORK = (Expected(30, ("friday",), "07:00", "19:00"),)


@pytest.mark.parametrize(
    ("last", "now", "silent"),
    [
        (NOON - timedelta(minutes=10), NOON, False),
        (NOON - timedelta(minutes=40), NOON, True),
        (None, NOON, True),
        (NOON - timedelta(hours=15), NOON.replace(hour=7, minute=20), False),
        (NOON - timedelta(hours=15), NOON.replace(hour=7, minute=40), True),
        (NOON - timedelta(hours=30), NOON.replace(hour=3), False),
        (NOON - timedelta(hours=30), NOON + timedelta(days=1), False),
    ],
)
def test_a_channel_is_silent_only_within_the_hours_in_which_something_should_come(
    last, now, silent
):
    assert (silent_since(WORK, "UTC", last, now) is not None) is silent


async def test_a_silent_channel_opens_an_alert_that_ends_when_something_comes(door):
    quiet = named("quiet") + b"expect: [{minutes: 1}]\n"
    await door.done(ADMIN, "/integration/channels", quiet)

    async def look():
        await watching.watch(door.engine, door.engine.gauges)
        told = (await door.ask(ADMIN, "GET", "/integration/channels")).json()["channels"]
        (found,) = [each for each in told if each["name"] == "quiet"]
        return [each["kind"] for each in found["alerts"]]

    assert await look() == ["silent"]
    await door.receive(message(), "quiet")
    assert await look() == []
    metrics = (await door.client.get("/integration/metrics")).text
    assert 'polyclinic_channel_silent{channel="quiet",service="integration"} 0.0' in metrics


async def test_health_says_what_waits_and_how_long(door):
    await door.done(ADMIN, "/integration/channels", named("watched"))
    await door.receive(b"no message", "watched")
    await watching.watch(door.engine, door.engine.gauges)
    told = (await door.ask(OPERATOR, "GET", "/integration/channels")).json()["channels"]
    (found,) = [each for each in told if each["name"] == "watched"]
    assert found["queue"]["parked"]["count"] == 1
    assert found["last_hour"] == 1
    metrics = (await door.client.get("/integration/metrics")).text
    labels = 'channel="watched",service="integration",state="parked"'
    assert f"polyclinic_messages_unfinished{{{labels}}} 1.0" in metrics
