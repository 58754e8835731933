"""What is promised survives the loss of the database's machine: each commit waits for a standby.

A wait that is given up ends in a commit that one machine alone has. PostgreSQL warns and says that
it succeeded; told as kept, as 51 were before the services heard the warning, it was lost with that
machine. That run is the control: the ledger sees such a loss.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from apart_world import Apart
from ledger import Ledger, nothing_lost
from standby_world import Pair

pytestmark = pytest.mark.fault
GIVE_UP = """
    SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity
    WHERE wait_event = 'SyncRep' AND application_name LIKE 'polyclinic %'
"""


@pytest.fixture
def pair(data: Path, free_port: Callable[[], int]) -> Pair:
    data.mkdir(mode=0o711)
    return Pair(data, free_port)


@pytest.fixture
def services(
    pair: Pair, key_file: Path, tmp_path: Path, free_port: Callable[[], int]
) -> Callable[[], Apart]:
    """Starts them, once the pair stands."""
    return lambda: Apart(pair.url, key_file, tmp_path, free_port, copies=1)


@pytest.mark.parametrize(
    ("take_over", "fault"),
    [
        (Pair.lose_first, "F02 the primary's machine is lost, its standby takes over"),
        (Pair.cut_off_first, "F04 the primary is cut off, its standby takes over"),
    ],
)
async def test_a_standby_takes_over_with_all_that_was_promised(
    pair: Pair, services, take_over: Callable[[Pair], None], fault: str, record_property
):
    async with pair:
        with services() as apart:
            with Ledger(apart.url, apart.token()) as ledger:
                ledger.await_more(40)
                take_over(pair)
                ledger.await_more(40)
            nothing_lost(ledger, record_property, fault, 1)


async def test_f06_f07_without_its_standby_nothing_is_promised(
    pair: Pair, services, record_property
):
    """The waits are given up again and again, as a time limit or an operator does."""
    async with pair:
        with services() as apart:
            with Ledger(apart.url, apart.token()) as ledger:
                ledger.await_more(20)
                pair.lose_standby()
                await asyncio.sleep(1)  # what it still took is told by then
                told, given_up = len(ledger.told), 0
                while given_up < 40:
                    await asyncio.sleep(0.3)
                    given_up += await pair.say(GIVE_UP)
                assert len(ledger.told) == told
                pair.follow()
                ledger.await_more(20)
                pair.lose_first()
                ledger.await_more(20)
            fault = "F06, F07 the standby is lost and waits for it are given up; then the primary"
            nothing_lost(ledger, record_property, fault, given_up)
