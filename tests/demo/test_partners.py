"""Whom the demo clinic does business with is there for as long as the platform is."""

import asyncio
import time
from pathlib import Path

import httpx
import psutil

from polyclinic.cli.partners import demo_partners


def gateways(folder: Path) -> list[psutil.Process]:
    mine = psutil.Process().children(recursive=True)
    return [each for each in mine if str(folder) in " ".join(each.cmdline())]


async def answers(url: str) -> bool:
    until = time.monotonic() + 60
    async with httpx.AsyncClient(trust_env=False) as client:
        while time.monotonic() < until:
            try:
                return (await client.get(f"{url}/control/events")).status_code == 200
            except httpx.TransportError:
                await asyncio.sleep(0.05)
    return False


async def test_a_card_gateway_that_ends_is_started_again_and_ends_with_the_platform(tmp_path):
    async with demo_partners(tmp_path, "http://127.0.0.1:9") as settings:
        url = settings["POLYCLINIC_BILLING_CARDS_URL"]
        assert await answers(url)
        [first] = gateways(tmp_path)
        first.kill()
        assert await answers(url)
        [second] = gateways(tmp_path)
        assert second.pid != first.pid
    assert gateways(tmp_path) == []
