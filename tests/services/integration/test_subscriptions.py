"""Subscriptions of FHIR: told what fits and what the client may see, numbered without gaps."""

import asyncio
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from outbound_house import House, open_house, until

from polyclinic.foundation.errors import Forbidden
from polyclinic.services.integration.domain.subscriptions import BACKPORT, TOPIC_BASE, TOPICS
from polyclinic.standards.fhir.validation import validate

LAB = "lab-portal"


@pytest.fixture(scope="module")
async def house(postgres_url, key_file):
    whole = {"POLYCLINIC_INTEGRATION_FULL_RESOURCE_CLIENTS": "trusted,other"}
    async with open_house(postgres_url, key_file, **whole) as opened:
        yield opened


@pytest.fixture(autouse=True)
async def _clean(house: House):
    house.receiver.answer = lambda _: 204
    await house.sql("DELETE FROM integration.destination")
    house.receiver.heard.clear()


def subscription(house, path, criteria, content="id-only", **channel):
    extension = [{"url": f"{BACKPORT}/backport-payload-content", "valueCode": content}]
    return {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "Tell our portal",
        "criteria": criteria,
        "channel": {
            "type": "rest-hook",
            "endpoint": house.receiver.url(path),
            "payload": "application/fhir+json",
            "_payload": {"extension": extension},
            **channel,
        },
    }


async def lab_token(house, scope="system/Observation.rs system/Subscription.crud", client=LAB):
    return await house.token_for(scope, client)


async def subscribed(house, body, token=None):
    """A subscription that is active."""
    token = token or await lab_token(house)
    answer = await house.ask("POST", "/fhir/Subscription", body, token=token)
    assert answer.status_code == 201, answer.text
    name = answer.json()["id"]

    async def active():
        return (await shown(house, name))["status"] == "active"

    await until(active)
    return name, token


async def shown(house, name):
    return await house.get(f"/fhir/Subscription/{name}")


async def observation(house, code="8867-4", **more):
    body = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "valueString": "secretvalue",
        **more,
    }
    return (await house.done("/fhir/Observation", body))["id"]


def parameter(bundle, name):
    status = bundle["entry"][0]["resource"]
    return next((each for each in status["parameter"] if each["name"] == name), None)


def numbers(bundle):
    events = [
        e for e in bundle["entry"][0]["resource"]["parameter"] if e["name"] == "notificationEvent"
    ]
    return [int(e["part"][0]["valueString"]) for e in events]


def notifications(house, path):
    kinds = [
        (each.json, parameter(each.json, "type")["valueCode"]) for each in house.receiver.at(path)
    ]
    return [bundle for bundle, kind in kinds if kind == "event-notification"]


async def test_a_handshake_makes_it_active_and_what_fits_is_told_by_id(house):
    body = subscription(house, "/fits", "Observation?code=8867-4")
    name, _ = await subscribed(house, body)
    [hello] = house.receiver.at("/fits")
    assert parameter(hello.json, "type")["valueCode"] == "handshake"
    assert parameter(hello.json, "eventsSinceSubscriptionStart")["valueString"] == "0"
    await observation(house, "0-0")
    fits = await observation(house)
    await until(lambda: notifications(house, "/fits"))
    [bundle] = notifications(house, "/fits")
    assert bundle["type"] == "history"
    assert not validate(bundle)
    assert numbers(bundle) == [1]
    assert parameter(bundle, "subscription")["valueReference"]["reference"].endswith(name)
    assert parameter(bundle, "eventsSinceSubscriptionStart")["valueString"] == "1"
    assert bundle["entry"][1]["request"]["url"] == f"Observation/{fits}"
    assert "resource" not in bundle["entry"][1]
    assert b"secretvalue" not in house.receiver.heard[-1].body


async def test_r4_without_a_payload_is_a_post_without_a_body(house):
    body = subscription(house, "/plain", "Observation?code=8867-4")
    body["channel"] = {"type": "rest-hook", "endpoint": house.receiver.url("/plain")}
    await subscribed(house, body)
    await observation(house)
    await until(lambda: len(house.receiver.at("/plain")) == 2)
    assert house.receiver.at("/plain")[1].body == b""


async def test_headers_are_sent_and_kept_sealed(house):
    body = subscription(
        house, "/head", "Observation?code=8867-4", header=["Authorization: Bearer abc.def"]
    )
    name, token = await subscribed(house, body)
    assert house.receiver.at("/head")[0].headers["authorization"] == "Bearer abc.def"
    kept = await shown(house, name)
    assert kept["channel"]["header"] == ["Authorization: (kept)"]
    answer = await house.ask(
        "PUT", f"/fhir/Subscription/{name}", {**kept, "status": "requested"}, token
    )
    assert answer.status_code == 200, answer.text
    await until(lambda: len(house.receiver.at("/head")) == 2)
    assert house.receiver.at("/head")[1].headers["authorization"] == "Bearer abc.def"


async def test_an_empty_payload_tells_that_something_happened_and_nothing_more(house):
    await subscribed(house, subscription(house, "/empty", "Observation?code=8867-4", "empty"))
    await observation(house)
    await until(lambda: notifications(house, "/empty"))
    [bundle] = notifications(house, "/empty")
    assert len(bundle["entry"]) == 1
    assert numbers(bundle) == [1]
    assert "focus" not in str(bundle)


async def test_whole_resources_only_for_clients_that_the_operator_named(house):
    body = subscription(house, "/whole", "Observation?code=8867-4", "full-resource")
    refused = await house.ask("POST", "/fhir/Subscription", body, token=await lab_token(house))
    assert refused.status_code == 403
    await subscribed(house, body, await lab_token(house, client="trusted"))
    await observation(house)
    await until(lambda: notifications(house, "/whole"))
    [bundle] = notifications(house, "/whole")
    assert bundle["entry"][1]["resource"]["valueString"] == "secretvalue"


async def test_topics_tell_of_results_and_of_patients(house):
    scope = "system/*.rs system/Subscription.crud"
    result, patient = f"{TOPIC_BASE}/result-available", f"{TOPIC_BASE}/patient-changed"
    token = await lab_token(house, scope)
    await subscribed(house, subscription(house, "/results", result), token)
    await subscribed(house, subscription(house, "/patients", patient), token)
    report = {"resourceType": "DiagnosticReport", "status": "preliminary", "code": {"text": "CBC"}}
    name = (await house.done("/fhir/DiagnosticReport", report))["id"]
    await house.done(
        f"/fhir/DiagnosticReport/{name}", {**report, "id": name, "status": "final"}, "PUT"
    )
    who = (await house.done("/fhir/Patient", {"resourceType": "Patient"}))["id"]
    await until(lambda: notifications(house, "/results") and notifications(house, "/patients"))
    # The first event saw the report final already, or nothing to tell of.
    told = notifications(house, "/results")
    assert told[-1]["entry"][1]["request"]["url"] == f"DiagnosticReport/{name}"
    assert parameter(told[-1], "topic")["valueCanonical"] == result
    assert notifications(house, "/patients")[0]["entry"][1]["request"]["url"] == f"Patient/{who}"


async def test_a_topics_filter_narrows_it(house):
    body = subscription(house, "/one", f"{TOPIC_BASE}/patient-changed")
    mine = (await house.done("/fhir/Patient", {"resourceType": "Patient"}))["id"]
    body["_criteria"] = {
        "extension": [
            {"url": f"{BACKPORT}/backport-filter-criteria", "valueString": f"Patient?_id={mine}"}
        ]
    }
    token = await lab_token(house, "system/Patient.rs system/Subscription.crud")
    await subscribed(house, body, token)
    await house.done("/fhir/Patient", {"resourceType": "Patient"})
    value = {"resourceType": "Patient", "id": mine, "active": True}
    await house.done(f"/fhir/Patient/{mine}", value, "PUT")
    await until(lambda: notifications(house, "/one"))
    assert [n["entry"][1]["request"]["url"] for n in notifications(house, "/one")] == [
        f"Patient/{mine}"
    ]


async def test_nobody_is_told_what_their_token_would_not_show(house):
    token = await lab_token(house, "system/Patient.rs system/Subscription.crud")
    body = subscription(house, "/blind", "Observation?code=8867-4")
    answer = await house.ask("POST", "/fhir/Subscription", body, token=token)
    assert answer.status_code in (400, 403), answer.text
    assert not house.receiver.at("/blind")


async def test_who_loses_the_right_is_told_nothing_more(house):
    name, _ = await subscribed(house, subscription(house, "/lost", "Observation?code=8867-4"))
    await observation(house)
    await until(lambda: notifications(house, "/lost"))
    await house.sql("DELETE FROM identity.delegation")
    house.process.running["integration"].tokens.forget()
    await observation(house)

    async def off():
        return (await shown(house, name))["status"] == "off"

    await until(off)
    assert len(notifications(house, "/lost")) == 1


async def test_a_narrowed_client_is_told_less(house):
    name, _ = await subscribed(house, subscription(house, "/less", "Observation?code=8867-4"))
    await house.sql("UPDATE identity.client SET scopes = '{system/Patient.rs}' WHERE id = $1", LAB)
    house.process.running["integration"].tokens.forget()
    await observation(house)

    async def off():
        return (await shown(house, name))["status"] == "off"

    await until(off)
    await house.sql("UPDATE identity.client SET scopes = '{}' WHERE id = $1", LAB)
    assert not notifications(house, "/less")


async def test_a_delegation_is_for_reading_and_for_services_of_ours_alone(house):
    tokens = house.process.running["integration"].tokens
    mine = await lab_token(house)
    for scope in ("system/Observation.cruds", "system/Patient.rs", "system/*.rs", "nonsense", ""):
        with pytest.raises(Forbidden):
            await tokens.delegation(mine, scope)
    with pytest.raises(Forbidden):
        await tokens.delegation("nonsense", "system/Observation.rs")
    handle = await tokens.delegation(mine, "system/Observation.rs")
    records = house.process.running["records"].tokens
    for refused in (
        records.for_delegation(handle),
        records.delegation(mine, "system/Observation.rs"),
    ):
        with pytest.raises(Forbidden):
            await refused
    token = await tokens.for_delegation(handle)
    assert (await house.ask("GET", "/fhir/Observation?_count=1", token=token)).status_code == 200
    assert (await house.ask("GET", "/fhir/Patient?_count=1", token=token)).status_code == 403
    rows = await house.sql("SELECT actor, client FROM records.access_log ORDER BY at DESC LIMIT 50")
    assert LAB in {row["client"] for row in rows}, "the log has the subscriber's own name"
    await tokens.end_delegation(handle)
    with pytest.raises(Forbidden):
        await tokens.for_delegation(handle)


async def test_gaps_are_filled_by_number(house):
    failing = [True]
    house.receiver.answer = lambda h: (
        400 if h.path == "/gap" and failing[0] and notified(h) else 204
    )

    def notified(heard):
        return b"event-notification" in heard.body

    name, token = await subscribed(house, subscription(house, "/gap", "Observation?code=8867-4"))
    made = [await observation(house) for _ in range(3)]
    await until(lambda: notifications(house, "/gap"))

    async def erring():
        return (await shown(house, name))["status"] == "error"

    await until(erring)
    failing[0] = False

    async def all_told():
        await house.sql("UPDATE integration.delivery SET next_at = now() WHERE state = 'waiting'")
        return {n for b in notifications(house, "/gap") for n in numbers(b)} >= {1, 2, 3}

    await until(all_told)
    heard = list(dict.fromkeys(n for b in notifications(house, "/gap") for n in numbers(b)))
    assert heard == [1, 2, 3], "in order, without gaps"
    path = f"/fhir/Subscription/{name}"
    told = (await house.ask("GET", f"{path}/$events?eventsSinceNumber=2", token=token)).json()
    assert parameter(told, "type")["valueCode"] == "query-event"
    assert numbers(told) == [2, 3]
    assert [e["request"]["url"] for e in told["entry"][1:]] == [
        f"Observation/{m}" for m in made[1:]
    ]
    one = (
        await house.ask(
            "GET", f"{path}/$events?eventsSinceNumber=1&eventsUntilNumber=1", token=token
        )
    ).json()
    assert numbers(one) == [1]
    status = (await house.ask("GET", f"{path}/$status", token=token)).json()
    assert status["entry"][0]["resource"]["parameter"][-1]["valueString"] == "3"
    many = (await house.ask("GET", f"/fhir/Subscription/$status?id={name}", token=token)).json()
    assert many["total"] == 1


async def test_ten_failures_in_a_row_turn_it_off_and_a_request_turns_it_on_again(house):
    house.receiver.answer = lambda _: 500
    token = await lab_token(house)
    body = subscription(house, "/ten", "Observation?code=8867-4")
    name = (await house.ask("POST", "/fhir/Subscription", body, token=token)).json()["id"]

    async def off():
        await house.sql("UPDATE integration.destination SET rests_until = '-infinity'")
        await house.sql("UPDATE integration.delivery SET next_at = now() WHERE state = 'waiting'")
        return (await shown(house, name))["status"] == "off"

    await until(off, 60)
    assert len(house.receiver.at("/ten")) == 10
    house.receiver.answer = lambda _: 204
    value = {**await shown(house, name), "status": "requested"}
    assert (await house.ask("PUT", f"/fhir/Subscription/{name}", value, token)).status_code == 200

    async def active():
        return (await shown(house, name))["status"] == "active"

    await until(active)


async def test_a_heartbeat_is_heard_when_nothing_else_is(house):
    beat = [{"url": f"{BACKPORT}/backport-heartbeat-period", "valueUnsignedInt": 10}]
    await subscribed(house, subscription(house, "/beat", "Observation?code=8867-4", extension=beat))
    await house.sql("UPDATE integration.subscription SET heard = now() - interval '11 seconds'")

    def beaten():
        kinds = [parameter(h.json, "type")["valueCode"] for h in house.receiver.at("/beat")]
        return "heartbeat" in kinds

    await until(beaten)


async def test_one_whose_time_is_over_is_off(house):
    body = {
        **subscription(house, "/over", "Observation?code=8867-4"),
        "end": "2026-01-01T00:00:00Z",
    }
    token = await lab_token(house)
    name = (await house.ask("POST", "/fhir/Subscription", body, token=token)).json()["id"]

    async def off():
        return (await shown(house, name))["status"] == "off"

    await until(off)


async def test_a_subscription_is_its_clients_own(house):
    before = await house.sql("SELECT hash FROM identity.delegation")
    name, token = await subscribed(house, subscription(house, "/own", "Observation?code=8867-4"))
    other = await lab_token(house, client="somebody-else")
    path = f"/fhir/Subscription/{name}"
    value = await shown(house, name)
    assert (await house.ask("PUT", path, {**value, "status": "off"}, other)).status_code == 403
    assert (await house.ask("DELETE", path, token=other)).status_code == 403
    assert (await house.ask("GET", f"{path}/$events", token=other)).status_code == 403
    assert (await house.ask("PUT", path, {**value, "status": "off"}, token)).status_code == 200
    assert (await house.ask("DELETE", path, token=token)).status_code == 204
    assert (await house.ask("GET", path)).status_code == 410
    after = await house.sql("SELECT hash FROM identity.delegation")
    assert after == before, "the right to ask in its name ended with it"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"criteria": "Observation"}, 400), ({"criteria": "Nothing?code=1"}, 400),
        ({"criteria": "Observation?nonsense=1"}, 400),
        ({"criteria": "Observation?_sort=code"}, 400),
        ({"criteria": "https://other.example/topic"}, 422), ({"status": "off"}, 422),
    ],
)  # fmt: skip
async def test_criteria_that_make_no_sense_are_refused(house, change, status):
    body = {**subscription(house, "/bad", "Observation?code=1"), **change}
    answer = await house.ask("POST", "/fhir/Subscription", body, token=await lab_token(house))
    assert answer.status_code == status, answer.text
    assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    ("channel", "status"),
    [
        ({"type": "email"}, 422), ({"endpoint": "http://elsewhere.example/"}, 400),
        ({"endpoint": "https://127.0.0.1/"}, 400), ({"header": ["Host: evil.example"]}, 400),
        ({"header": ["x: a\r\nHost: evil"]}, 400), ({"header": ["nonsense"]}, 400),
    ],
)  # fmt: skip
async def test_channels_that_we_do_not_take_are_refused(house, channel, status):
    body = subscription(house, "/bad", "Observation?code=1", **channel)
    answer = await house.ask("POST", "/fhir/Subscription", body, token=await lab_token(house))
    assert answer.status_code == status, answer.text


def test_every_topic_is_described():
    page = (Path(__file__).parents[3] / "docs/guides/subscribe.md").read_text()
    assert all(url.rpartition("/")[2] in page for url in TOPICS)


async def test_a_number_given_before_a_death_is_the_number_that_is_told(house):
    """Dies after the number was given, before anything was sent."""
    courier, died = house.engine.courier, []
    post = house.engine.outward.post

    async def die_once(url, headers, body):
        if b"event-notification" in body and len(died) < 2:
            died.append(body)
            raise asyncio.CancelledError
        return await post(url, headers, body)

    await subscribed(house, subscription(house, "/die", "Observation?code=8867-4"))
    house.engine.outward.post = die_once
    try:
        for _ in range(3):
            await observation(house)

        async def all_told():
            await house.sql("UPDATE integration.delivery SET taken_until = '-infinity'")
            courier.wake.set()
            return {n for b in notifications(house, "/die") for n in numbers(b)} == {1, 2, 3}

        await until(all_told)
    finally:
        house.engine.outward.post = post
    assert len(died) == 2
