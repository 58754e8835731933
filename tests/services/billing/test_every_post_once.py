"""Every POST of billing is carried out once for each key: pressed twice, lost, or both at once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from billing_door import BILL, Door, open_door
from billing_setup import prices
from cards_at_work import cards_at_work
from claims_world import SETTINGS, came, coded, open_clinic, replies, submitted
from money_requests import REQUESTS, Sent

from polyclinic.foundation import ids
from polyclinic.services.billing import service

# These have another way of being done once, or do nothing that could be done twice.
NO_KEY = {
    "/billing/files": "its own bytes are its key",
    "/billing/webhooks/cards": "the gateway's event id is its key",
    "/billing/pay-links/open": "it changes nothing but the count of attempts",
    "/billing/adopt": "each resource's own id and version are its key",
    "/billing/adopted": "it asks only",
}


@pytest.fixture(scope="module")
async def door(postgres_url: str, key_file: Path) -> AsyncIterator[Door]:
    with cards_at_work() as cards:
        async with open_door(postgres_url, key_file, **SETTINGS, **cards.settings) as opened:
            await open_clinic(opened)
            await prices(opened)
            yield opened


async def send(door: Door, sent: Sent, body: Any, key: str) -> httpx.Response:
    if sent.who is None:
        headers = {"idempotency-key": key}
        return await door.client.post(sent.path, json=body, headers=headers)
    return await door.ask(sent.who, "POST", sent.path, body, idempotency_key=key)


def test_every_post_of_billing_is_held_here():
    """A new one is added to REQUESTS, or to NO_KEY with a reason."""
    posts = {
        route.path
        for route in service.routes
        if "POST" in (route.methods or ()) and route.path.startswith("/billing/")
    }
    assert posts == REQUESTS.keys() | NO_KEY.keys()


@pytest.mark.parametrize("path", REQUESTS)
async def test_the_same_request_gets_the_same_answer_and_another_is_refused(door: Door, path):
    sent, key = await REQUESTS[path](door), ids.new_id()
    first = await send(door, sent, sent.body, key)
    assert first.is_success or path.endswith("from-chart"), first.text
    entries = await door.sql("SELECT count(*) AS n FROM billing.ledger_entry")
    again = await send(door, sent, sent.body, key)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    other = await send(door, sent, sent.other, key)
    assert (other.status_code, other.json()["kind"]) == (422, "KeyReused")
    assert await door.sql("SELECT count(*) AS n FROM billing.ledger_entry") == entries
    if sent.who is not None:
        bare = await door.client.post(sent.path, json=sent.body, headers={
            "authorization": f"Bearer {sent.who.token_id}"})  # fmt: skip
        assert (bare.status_code, bare.json()["kind"]) == (400, "KeyMissing")
    assert (await door.proof())["holds"]


@pytest.mark.parametrize("path", REQUESTS)
async def test_pressed_at_the_same_moment_one_is_carried_out_and_the_others_hear_of_it(door, path):
    sent, key = await REQUESTS[path](door), ids.new_id()
    answers = await asyncio.gather(*(send(door, sent, sent.body, key) for _ in range(5)))
    done = {each.content for each in answers if each.status_code != 409}
    assert len(done) == 1
    kinds = {each.json()["kind"] for each in answers if each.status_code == 409}
    assert kinds <= {"StillRunning"}
    assert (await send(door, sent, sent.body, key)).content in done
    assert (await door.proof())["holds"]


async def test_a_file_is_taken_once_with_any_key_or_none(door: Door):
    made = await coded(door, ("Z1001", 15_000))
    content = replies(await submitted(door, made))["835"]
    answers = await asyncio.gather(*(came(door, content) for _ in range(5)))
    assert sorted(each.status_code for each in answers) == [200, 200, 200, 200, 201]
    query = "SELECT count(*) AS n FROM billing.remittance_line WHERE claim = $1"
    assert (await door.sql(query, made.claim))[0]["n"] == 1
    assert (await door.proof())["holds"]
    assert (await door.ask(BILL, "GET", "/billing/files")).status_code == 200
