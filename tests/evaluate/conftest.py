"""Where the project is."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def root_of_project() -> Path:
    return Path(__file__).resolve().parents[2]
