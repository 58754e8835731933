"""A commit is said to be kept only when it is kept where it was promised to be."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest

from polyclinic.foundation.database import Database, Transaction
from polyclinic.foundation.errors import Unavailable
from polyclinic.foundation.once import SCHEMA, Once, carried
from polyclinic.foundation.postgres import EmbeddedPostgres

REPEATED = Once(b"the key", b"what was asked")
INSERT = "INSERT INTO kept VALUES ('here')"
GIVE_UP = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.fixture(scope="module")
async def without_standby(data_folder: Path) -> AsyncIterator[str]:
    """A server whose commits wait for a standby that is away."""
    folder = data_folder / "without-standby"
    folder.mkdir(mode=0o711)
    server = EmbeddedPostgres(folder, settings={"synchronous_standby_names": "away"})
    yield await server.start()
    await server.stop()


async def in_a_transaction(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(INSERT)


async def by_itself(database: Database) -> None:
    await database.execute(INSERT)


async def answered_before(database: Database) -> None:
    """What is repeated finds the answer of a first one that stopped waiting."""

    async def act(tx: Transaction) -> tuple[int, object]:
        raise AssertionError("it was done before")

    await carried(database, REPEATED, act)


@pytest.mark.parametrize("write", [in_a_transaction, by_itself, answered_before])
async def test_a_commit_that_stopped_waiting_for_its_standby_is_not_said_to_be_kept(
    without_standby: str, write: Callable[[Database], Awaitable[None]]
):
    """It was, as a success; with the first machine it would have been lost."""
    operator = await asyncpg.connect(
        without_standby, server_settings={"synchronous_commit": "local"}
    )
    await operator.execute("DROP TABLE IF EXISTS kept, answered; CREATE TABLE kept (what text)")
    await operator.execute((SCHEMA / "0001_once.sql").read_text())
    await operator.execute("INSERT INTO answered VALUES ($1, $2, 201, '')", *REPEATED)
    database = await Database.connect(without_standby, "public", size=1)
    writing = asyncio.create_task(write(database))
    end = time.monotonic() + 60
    while not await operator.fetchval(GIVE_UP):
        assert time.monotonic() < end, "no commit waits for the standby"
        await asyncio.sleep(0.02)
    with pytest.raises(Unavailable):
        await writing
    assert await database.fetchval("SELECT count(*) FROM kept") == (write is not answered_before)
    await database.close()
    await operator.close()
