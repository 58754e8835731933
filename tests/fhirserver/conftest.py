"""A clinic for each module: a FHIR server on a database of its own."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

# Tests are imported one by one, not as a package; what they share lies beside them.
sys.path.insert(0, str(Path(__file__).parent))
from fhir_clinic import Clinic, open_clinic


@pytest.fixture(scope="module")
async def clinic(postgres_url: str, key_file: Path) -> AsyncIterator[Clinic]:
    async with open_clinic(postgres_url, key_file) as opened:
        yield opened
