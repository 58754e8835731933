"""A portal with Maria's record behind it."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from polyclinic.foundation.database import Database
from polyclinic.foundation.service import Service
from polyclinic.foundation.vault import RootKey
from polyclinic.services.portal import service
from polyclinic.services.portal.settings import PortalSettings

# Tests are imported one by one, not as a package; what they share lies beside them.
sys.path.insert(0, str(Path(__file__).parent))
import sample
from portal_door import Door, RecordsInMemory, open_portal


@pytest.fixture
async def portal_door(
    database_of: Callable[[Service], Awaitable[Database]], root_key: RootKey
) -> AsyncIterator[Door]:
    records = RecordsInMemory([*sample.record(), *sample.others()], related={sample.MARIA})
    door = await open_portal(await database_of(service), root_key, records, PortalSettings())
    yield door
    await door.running.peers.close()
