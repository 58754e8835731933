"""Many at once do not wait for themselves: what is sealed in a transaction needs a key, too."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from billing_door import BILL, Door, open_door
from claims_world import SETTINGS, coded, open_clinic


@pytest.fixture(scope="module")
async def door(postgres_url: str, key_file: Path) -> AsyncIterator[Door]:
    async with open_door(postgres_url, key_file, **SETTINGS) as opened:
        await open_clinic(opened)
        yield opened


async def test_twenty_requests_at_once_that_seal_find_their_keys(
    door: Door, postgres_url: str, key_file: Path
):
    several = [await coded(door, ("Z1001", 15_000)) for _ in range(20)]
    # A replica that has just started: no key is in its memory yet.
    async with open_door(postgres_url, key_file, beside=door, **SETTINGS) as fresh:
        asked = [
            fresh.ask(BILL, "POST", f"/billing/claims/{each.claim}/authorization", {"number": "A"})
            for each in several
        ]
        answers = await asyncio.wait_for(asyncio.gather(*asked), 9)
    assert [each.status_code for each in answers] == [200] * 20
