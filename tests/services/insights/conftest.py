"""Insights for each module, on a database of its own."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

# Tests are imported one by one, not as a package; what they share lies beside them.
sys.path.insert(0, str(Path(__file__).parent))
from insights_house import House, open_house


@pytest.fixture(scope="module")
async def house(postgres_url: str, key_file: Path) -> AsyncIterator[House]:
    environ = {"POLYCLINIC_INSIGHTS_RETRY_FIRST_SECONDS": "0.05"}
    async with open_house(postgres_url, key_file, **environ) as opened:
        yield opened


@pytest.fixture(scope="module")
async def quiet(postgres_url: str, key_file: Path) -> AsyncIterator[House]:
    """A house whose worker leaves the queue alone."""
    async with open_house(postgres_url, key_file, POLYCLINIC_INSIGHTS_WORKERS="0") as opened:
        yield opened
