"""Webhooks at the door: made, listed, tested, rotated, disabled, replayed; by the right people."""

import sys
from pathlib import Path

import pytest
from standardwebhooks import Webhook

sys.path.insert(0, str(Path(__file__).parent))
from outbound_house import House, open_house, until

from polyclinic.services.integration.domain import signing


@pytest.fixture(scope="module")
async def house(postgres_url, key_file):
    async with open_house(postgres_url, key_file) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _deaf(house: House):
    house.receiver.heard.clear()
    house.receiver.answer = lambda _: 204


async def test_a_webhook_shows_its_secret_once_and_keeps_it_sealed(house):
    made = await house.webhook("/once", "ResourceCreated:Patient", name="Lab portal")
    assert made["secret"].startswith("whsec_")
    assert made["status"] == "active"
    again = await house.get(f"/integration/webhooks/{made['id']}")
    assert "secret" not in again
    assert again["url"] == house.receiver.url("/once")
    assert any(
        each["id"] == made["id"] for each in (await house.get("/integration/webhooks"))["webhooks"]
    )
    rows = await house.sql("SELECT d::text AS whole FROM integration.destination d")
    assert not any(
        "whsec" in r["whole"] or "/once" in r["whole"] or "Lab" in r["whole"] for r in rows
    )


async def test_a_change_is_told_signed_thin_and_as_a_cloud_event(house):
    made = await house.webhook("/told", "ResourceCreated:Patient")
    answer = await house.ask(
        "POST", "/fhir/Patient", {"resourceType": "Patient", "name": [{"family": "Secretname"}]}
    )
    name = answer.json()["id"]
    await until(lambda: house.receiver.at("/told"))
    [heard] = house.receiver.at("/told")
    said = Webhook(made["secret"]).verify(heard.body, heard.headers)
    assert said["specversion"] == "1.0"
    assert said["type"] == "org.polyclinic.records.ResourceCreated.v1"
    assert said["subject"] == f"Patient/{name}/1"
    assert said["data"] == {}
    assert b"Secretname" not in heard.body
    assert heard.headers["content-type"] == "application/cloudevents+json"


async def test_only_what_was_asked_for_is_told(house):
    await house.webhook("/few", "ResourceUpdated:Patient")
    await house.tell("ResourceCreated", "Patient/few/1")
    await house.tell("ResourceUpdated", "Practitioner/few/2")
    await house.tell("ResourceUpdated", "Patient/few/2")
    await until(lambda: house.receiver.at("/few"))
    assert [each.json["subject"] for each in house.receiver.at("/few")] == ["Patient/few/2"]


async def test_times_and_amounts_of_an_event_stay_in_the_house(house):
    from polyclinic.services.integration.domain import telling

    data = b'{"appointment":"a","patient":"p","start":"2026-01-01T08:00:00Z","amount":5,"site":"s"}'
    assert telling.thin(data) == {"appointment": "a", "patient": "p", "site": "s"}


async def test_a_ping_takes_the_same_way(house):
    made = await house.webhook("/ping", "ResourceCreated", scheme="v1a")
    assert made["secret"].startswith("whpk_"), "the receiver needs the public key alone"
    sent = await house.done(f"/integration/webhooks/{made['id']}/ping")
    await until(lambda: house.receiver.at("/ping"))
    heard = house.receiver.at("/ping")[0]
    assert heard.headers["webhook-id"] == sent["delivery"]
    signing.verify(
        [made["secret"]], heard.headers, heard.body, float(heard.headers["webhook-timestamp"])
    )
    assert heard.json["type"] == "org.polyclinic.integration.Ping.v1"


async def test_after_a_rotation_both_secrets_fit_for_a_while(house):
    made = await house.webhook("/turn", "ResourceCreated:Patient")
    base = f"/integration/webhooks/{made['id']}"
    fresh = await house.done(f"{base}/rotate", {"hours": 1})
    assert fresh["secret"] != made["secret"]
    await house.done(f"{base}/ping")
    heard = (await until(lambda: house.receiver.at("/turn")))[0]
    for secret in (made["secret"], fresh["secret"]):
        Webhook(secret).verify(heard.body, heard.headers)
    last = await house.done(f"{base}/rotate", {"hours": 0})
    await house.done(f"{base}/ping")
    await until(lambda: len(house.receiver.at("/turn")) == 2)
    heard = house.receiver.at("/turn")[1]
    assert " " not in heard.headers["webhook-signature"]
    Webhook(last["secret"]).verify(heard.body, heard.headers)


async def test_deliveries_are_listed_with_each_attempt(house):
    answers = iter([500, 302, 204])
    house.receiver.answer = lambda heard: next(answers) if heard.path == "/log" else 204
    made = await house.webhook("/log", "ResourceCreated:Patient")
    await house.tell("ResourceCreated", "Patient/log/1")

    async def tried(count):
        await until(lambda: len(house.receiver.at("/log")) == count)
        await house.sql("UPDATE integration.delivery SET next_at = now() WHERE state = 'waiting'")

    await tried(1)
    await tried(2)
    log = f"/integration/webhooks/{made['id']}/deliveries"

    async def sent():
        await house.sql("UPDATE integration.delivery SET next_at = now() WHERE state = 'waiting'")
        return (await house.get(f"{log}?state=sent"))["deliveries"]

    [row] = await until(sent)
    assert [each["status"] for each in row["tried"]] == [500, 302, 204]
    assert len({each.headers["webhook-id"] for each in house.receiver.at("/log")}) == 1
    assert (await house.get(f"{log}?state=dead"))["deliveries"] == []
    counts = (await house.get(f"/integration/webhooks/{made['id']}"))["counts"]
    assert counts == {"sent": 1}


async def test_what_was_sent_can_be_sent_again_one_or_many(house):
    made = await house.webhook("/more", "ResourceCreated:Patient")
    await house.tell("ResourceCreated", *(f"Patient/more{n}/1" for n in range(5)))
    await until(lambda: len(house.receiver.at("/more")) == 5)
    base = f"/integration/webhooks/{made['id']}/deliveries"
    await until(lambda: all_sent(house, base, 5))
    one = (await house.get(base))["deliveries"][0]["id"]
    await house.done(f"{base}/{one}/replay")
    await until(lambda: len(house.receiver.at("/more")) == 6)
    assert house.receiver.at("/more")[-1].headers["webhook-id"] == one
    await until(lambda: all_sent(house, base, 5))
    assert await house.done(f"{base}/replay", {"states": ["sent"], "dry_run": True}) == {
        "would_replay": 5
    }
    assert await house.done(f"{base}/replay", {"states": ["sent"]}) == {"replayed": 5}
    await until(lambda: len(house.receiver.at("/more")) == 11)
    assert (await house.done(f"{base}/replay")) == {"replayed": 0}, "nothing is dead"


async def all_sent(house, base, count):
    return len((await house.get(f"{base}?state=sent"))["deliveries"]) == count


async def test_who_is_disabled_hears_nothing_and_who_is_enabled_hears_what_comes(house):
    made = await house.webhook("/off", "ResourceCreated:Patient")
    base = f"/integration/webhooks/{made['id']}"
    assert (await house.done(f"{base}/disable"))["status"] == "disabled"
    await house.tell("ResourceCreated", "Patient/off/1")
    other = await house.webhook("/on", "ResourceCreated:Patient")
    await house.tell("ResourceCreated", "Patient/off/2")
    await until(lambda: house.receiver.at("/on"))
    assert not house.receiver.at("/off")
    assert (await house.done(f"{base}/enable"))["status"] == "active"
    await house.tell("ResourceCreated", "Patient/off/3")
    await until(lambda: house.receiver.at("/off"))
    assert house.receiver.at("/off")[0].json["subject"] == "Patient/off/3"
    for each in (made, other):
        assert (await house.ask("DELETE", f"/integration/webhooks/{each['id']}")).status_code == 204
    assert (await house.ask("GET", base)).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {}, {"url": "https://a.example/"}, {"events": ["ResourceCreated"]},
        {"url": "https://a.example/", "events": []},
        {"url": "https://a.example/", "events": ["Everything"]},
        {"url": "https://a.example/", "events": ["ResourceCreated:Nothing"]},
        {"url": "https://a.example/", "events": ["ResourceCreated:"]},
        {"url": "https://a.example/", "events": ["ResourceCreated"], "scheme": "v9"},
        {"url": "https://a.example/", "events": ["ResourceCreated"], "secret": "mine"},
        {"url": "http://a.example/", "events": ["ResourceCreated"]},
        {"url": "https://127.0.0.1/", "events": ["ResourceCreated"]},
        {"url": "https://user@a.example/", "events": ["ResourceCreated"]},
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused(house, body):
    assert (await house.ask("POST", "/integration/webhooks", body)).status_code == 400


@pytest.mark.parametrize("scope", ["system/Patient.rs", "system/events.read", "system/*.rs"])
async def test_only_administrators_and_operators_decide_who_is_told(house, scope):
    token = await house.token_for(scope)
    made = await house.webhook("/mine", "ResourceCreated")
    base = f"/integration/webhooks/{made['id']}"
    doors = [
        ("GET", "/integration/webhooks"), ("POST", "/integration/webhooks"), ("GET", base),
        ("DELETE", base), ("POST", f"{base}/ping"), ("POST", f"{base}/rotate"),
        ("POST", f"{base}/disable"), ("POST", f"{base}/enable"), ("GET", f"{base}/deliveries"),
        ("POST", f"{base}/deliveries/replay"), ("POST", f"{base}/deliveries/{made['id']}/replay"),
    ]  # fmt: skip
    for method, path in doors:
        assert (await house.ask(method, path, token=token)).status_code == 403, path
        assert (await house.client.request(method, path)).status_code == 401, path
    await house.ask("DELETE", base)


async def test_ids_that_are_none_are_refused(house):
    for path in ("x", "00000000-0000-0000-0000-000000000000"):
        answer = await house.ask("GET", f"/integration/webhooks/{path}")
        assert answer.status_code == (400 if path == "x" else 404)
