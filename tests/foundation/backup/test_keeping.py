"""The log is kept in time, and what cannot be kept is told."""

import asyncio
import time

import asyncpg
import pytest
from backup_clinic import Clinic

from polyclinic.foundation.vault import RootKey


@pytest.fixture
def small(room):
    RootKey.create(room / "small" / "root.key")
    (room / "small").chmod(0o711)
    return Clinic(room / "small", RootKey.read(room / "small" / "root.key"))


async def test_a_piece_is_kept_soon_after_a_start_and_after_a_kill(small):
    """The checkpointer once slept through the start, and closed no piece for ten minutes."""
    await small.start(archive_timeout="1")
    try:
        await small.run("INSERT INTO kept.note VALUES ('one', '')")
        await kept_by_itself(small)
        small.server._process.kill()
        await asyncio.sleep(0.5)
        until = time.monotonic() + 60
        while True:
            try:
                await small.run("INSERT INTO kept.note VALUES ('two', '')")
                break
            except (asyncpg.PostgresError, OSError):
                assert time.monotonic() < until, "the server is not started again"
                await asyncio.sleep(0.2)
        await kept_by_itself(small)
        count = await small.run("SELECT failed_count FROM pg_stat_archiver")
        assert count == 0
    finally:
        await small.server.stop()


async def kept_by_itself(small):
    """Nobody asks for it: the piece that is written now is closed and kept."""
    name = await small.run("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")
    until = time.monotonic() + 60
    while not (small.folder / "wal" / f"{name}.gz").exists():
        assert time.monotonic() < until, f"{name} is not kept"
        await asyncio.sleep(0.1)
    assert small.provider.catalog.reaches() is not None


async def test_an_incremental_backup_that_cannot_be_is_said_and_a_full_one_taken(clinic):
    await clinic.run("ALTER SYSTEM SET summarize_wal = off")
    await clinic.run("SELECT pg_reload_conf()")
    until = time.monotonic() + 60
    while await clinic.run("SHOW summarize_wal") != "off":
        assert time.monotonic() < until, "the settings are not read again"
        await asyncio.sleep(0.05)
    first = await clinic.provider.take(clinic.url, {}, incremental=True)
    assert first.kind == "full"
    assert any("summarize_wal" in said for said in clinic.said)
    await clinic.run("ALTER SYSTEM RESET summarize_wal")
    await clinic.run("SELECT pg_reload_conf()")
    assert clinic.provider.catalog.newest() == first
