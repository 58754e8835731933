"""Keys in memory grow old under reads and writes in two processes: nothing is unreadable meanwhile.

What takes five minutes in a clinic takes two seconds here, so that keys grow old all the time.
"""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from apart_world import Apart, Readers
from ledger import Ledger, nothing_lost

pytestmark = pytest.mark.fault
KEPT_SECONDS, LONG_SECONDS = 2.0, 15.0


@pytest.fixture
async def database_url(new_database) -> str:
    return await new_database()


@pytest.fixture
def two_of_each(
    margin: float,
    database_url: str,
    key_file: Path,
    tmp_path: Path,
    free_port: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> Apart:
    (tmp_path / "sitecustomize.py").write_text(
        "from polyclinic.foundation import vault\n"
        f"vault._CACHED_SECONDS, vault.LOADED_SECONDS = {KEPT_SECONDS}, {margin}\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return Apart(database_url, key_file, tmp_path, free_port, copies=2)


def unreadable(apart: Apart) -> int:
    """Both replicas say it into one file."""
    return sum(line.get("event") == "unreadable" for line in apart.replicas[0].lines())


def read_and_write(apart: Apart) -> tuple[Ledger, Readers]:
    ledger = Ledger(apart.url, apart.token())
    with Readers(apart.url, ledger.token, "/fhir/Patient?_count=100") as readers, ledger:
        time.sleep(LONG_SECONDS)
    return ledger, readers


@pytest.mark.parametrize("margin", [KEPT_SECONDS / 2])
def test_f13_keys_that_grow_old_make_nothing_unreadable(two_of_each, record_property):
    with two_of_each as apart:
        ledger, readers = read_and_write(apart)
        fault = "F13 keys in memory grow too old while people read and write"
        nothing_lost(ledger, record_property, fault, 1)
        assert unreadable(apart) == 0
    assert not readers.failed, readers.words
    assert len(readers.answers) > 50


@pytest.mark.parametrize("margin", [0.0])
def test_keys_that_are_not_brought_along_anew_are_seen(two_of_each):
    """Control: as it was until keys were asked how long they stay, a record did not open."""
    with two_of_each as apart:
        read_and_write(apart)
        assert unreadable(apart) > 0
