"""Audit for each module, on a database of its own."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

# Tests are imported one by one, not as a package; what they share lies beside them.
sys.path.insert(0, str(Path(__file__).parent))
from audit_house import House, open_house


@pytest.fixture(scope="module")
async def house(
    postgres_url: str, key_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    anchors = tmp_path_factory.mktemp("anchors") / "anchors.txt"
    async with open_house(postgres_url, key_file, anchors) as opened:
        yield opened
