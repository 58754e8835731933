"""An identity at work on a database of its own."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from joserfc.jwk import OKPKey

from polyclinic.foundation import clock
from polyclinic.foundation.caller import Callers
from polyclinic.foundation.database import Database
from polyclinic.foundation.http import App
from polyclinic.foundation.peers import Peers
from polyclinic.foundation.service import Running, Service
from polyclinic.foundation.settings import Platform
from polyclinic.foundation.telemetry import Metrics
from polyclinic.foundation.tokens import ServiceTokens
from polyclinic.foundation.vault import RootKey, Vault
from polyclinic.services.identity import service
from polyclinic.services.identity.settings import IdentitySettings

# Tests are imported one by one, not as a package; what they share lies beside them.
sys.path.insert(0, str(Path(__file__).parent))
from identity_door import CHEAP, PUBLIC_URL, Door, Hands


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    hands = Hands()
    monkeypatch.setattr(clock, "now", hands)
    return hands


Open = Callable[..., Awaitable[Door]]


@pytest.fixture
async def open_door(
    database_of: Callable[[Service], Awaitable[Database]], root_key: RootKey, hands: Hands
) -> AsyncIterator[Open]:
    """Starts identity; given another door's database, as a second process would."""
    async with AsyncExitStack() as stack:

        async def start(
            database: Database | None = None,
            *,
            public_url: str | None = PUBLIC_URL,
            settings: IdentitySettings = CHEAP,
        ) -> Door:
            peers = Peers()
            stack.push_async_callback(peers.close)
            running = Running(
                service,
                Platform(public_url=public_url),
                settings,
                database or await database_of(service),
                root_key,
                Vault(root_key, "identity"),
                peers,
                Callers(peers, public_url, wall=lambda: clock.now().timestamp()),
                Metrics("identity"),
                ServiceTokens(peers, root_key, "identity", public_url),
            )
            assert service.start is not None
            running.state = await stack.enter_async_context(service.start(running))
            app = App(running)
            peers.add_local("identity", app)
            client = httpx.AsyncClient(
                transport=httpx.ASGITransport(app=app, client=("203.0.113.7", 5555)),  # pyright: ignore
                base_url=public_url or "http://127.0.0.1:8080",
            )
            await stack.enter_async_context(client)
            return Door(running, root_key, hands, client)

        yield start


@pytest.fixture
async def door(open_door: Open) -> Door:
    return await open_door()


@pytest.fixture
def stranger_key() -> OKPKey:
    return OKPKey.generate_key("Ed25519")
