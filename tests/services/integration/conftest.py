"""Integration for each module, on a database of its own."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

# Tests are imported one by one, not as a package; what they share lies beside them.
sys.path.insert(0, str(Path(__file__).parent))
from integration_door import Door, open_door


@pytest.fixture(scope="module")
async def door(postgres_url: str, key_file: Path) -> AsyncIterator[Door]:
    environ = {"POLYCLINIC_INTEGRATION_RETRY_FIRST_SECONDS": "0.05"}
    async with open_door(postgres_url, key_file, **environ) as opened:
        yield opened


@pytest.fixture
def samples() -> Path:
    folder = Path(__file__).parents[4] / "shared" / "data" / "hl7v2" / "samples"
    if not folder.exists():
        pytest.skip("the sample messages lie beside the repository, in ../shared")
    return folder
