"""Whom the demo clinic does business with: an insurer and a card gateway, neither of them real."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from polyclinic.demo import billing, payer

HOST = "127.0.0.1"


@asynccontextmanager
async def demo_partners(folder: Path, url: str) -> AsyncGenerator[dict[str, str], None]:
    """Keeps them at work, and says the settings with which billing finds them."""
    port = _free_port()
    settings = billing.settings(folder, url, f"http://{HOST}:{port}")
    exchange = Path(settings["POLYCLINIC_BILLING_EXCHANGE_FOLDER"])
    insurer = asyncio.create_task(payer.serve_folder(exchange, payer.read_rules()))
    cards = await _cards(folder, port, url)
    try:
        yield settings
    finally:
        insurer.cancel()
        with contextlib.suppress(ProcessLookupError):
            cards.terminate()
        await cards.wait()
        with contextlib.suppress(asyncio.CancelledError):
            await insurer


async def _cards(folder: Path, port: int, url: str) -> asyncio.subprocess.Process:
    """A process of its own, as a real gateway is: what it keeps outlives ours."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "polyclinic.demo.cards",
        "--port", str(port),
        "--file", str(folder / "demo-cards.sqlite"),
        "--hook", f"{url}/billing/webhooks/cards",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        # A second Ctrl-C on the terminal must not reach it before we end it ourselves.
        start_new_session=True,
    )  # fmt: skip


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind((HOST, 0))
        return trial.getsockname()[1]
