"""Records at work: one for all tests that leave it well, one of their own for those that do not."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

# Tests are imported one by one, not as a package; what they share lies beside them.
sys.path.insert(0, str(Path(__file__).parent))
from records_door import SERVICES, Door, opened

from databases import database


@pytest.fixture(scope="session")
async def door(postgres_url: str, key_file: Path) -> AsyncIterator[Door]:
    """Shared by many tests: each makes the resources that it speaks of."""
    async with database(postgres_url, key_file, SERVICES) as url, opened(url, key_file) as door:
        yield door


@pytest.fixture
async def own_door(postgres_url: str, key_file: Path) -> AsyncIterator[Door]:
    """For a test that breaks something."""
    async with database(postgres_url, key_file, SERVICES) as url, opened(url, key_file) as door:
        yield door
