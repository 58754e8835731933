"""Whom the demo clinic does business with: an insurer and a card gateway, neither of them real."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from polyclinic.demo import billing, payer
from polyclinic.foundation.work import meanwhile

HOST = "127.0.0.1"
RESTART_SECONDS = 1.0  # one that cannot run at all must not keep a core busy


@asynccontextmanager
async def demo_partners(folder: Path, url: str) -> AsyncGenerator[dict[str, str], None]:
    """Keeps them at work, and says the settings with which billing finds them."""
    port = _free_port()
    settings = billing.settings(folder, url, f"http://{HOST}:{port}")
    exchange = Path(settings["POLYCLINIC_BILLING_EXCHANGE_FOLDER"])
    insurer = payer.serve_folder(exchange, payer.read_rules())
    async with meanwhile(insurer, _keep_cards(folder, port, url)):
        yield settings


async def _keep_cards(folder: Path, port: int, url: str) -> None:
    """Starts the gateway, and again whenever it ends before the platform does."""
    while True:
        cards = await _cards(folder, port, url)
        try:
            await cards.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                cards.terminate()
            await cards.wait()
        await asyncio.sleep(RESTART_SECONDS)


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
