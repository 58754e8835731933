"""Canaries: rows of our own, written around a moment, so that a restore to it can be told apart.

They live in a schema of their own, with keys and a ledger of destroyed keys like every service's.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from polyclinic.fhirserver import dictionary
from polyclinic.foundation.starting import CannotStart
from polyclinic.foundation.vault import Place, RootKey, Unreadable, Vault, WrappedKey

SCHEMA = "drill"
TABLES = """
CREATE SCHEMA drill;
CREATE TABLE drill.data_key (
    key_id bytea PRIMARY KEY, owner bytea NOT NULL, generation integer NOT NULL,
    wrapping integer NOT NULL, wrapped bytea NOT NULL, commitment bytea NOT NULL);
CREATE TABLE drill.canary (
    word text PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(),
    hash bytea NOT NULL, key_id bytea NOT NULL, sealed bytea NOT NULL);
"""
# The very trigger that the services' keys have.
LEDGER = next(dictionary.SCHEMA.glob("*_shredded_keys.sql"))
KEPT_DAYS = 30
# A piece of the log is closed after a minute; what takes three is not kept at all.
KEEPING_SECONDS = 180


@dataclass(frozen=True)
class Canaries:
    """What was written: kept before the moment, erased after it, and late behind it."""

    moment: datetime
    kept: str
    erased: str
    late: str
    piece: str  # of the log, in which the moment lies
    entries: int | None  # leaves of the audit tree at the moment; None without audit


class NotKept(CannotStart):
    """The log is not kept, so nothing after the last backup could come back."""


async def prepare_canaries(connection: Any) -> None:
    """Makes their tables once, and lets old ones go."""
    if await connection.fetchval("SHOW archive_mode") != "on":
        raise NotKept(
            "The log is not kept: set POLYCLINIC_BACKUP_FOLDER and start `up` again; "
            "a drill tries what a restore needs."
        )
    async with connection.transaction():
        if await connection.fetchval("SELECT to_regclass('drill.canary')") is None:
            await connection.execute("SET LOCAL search_path = drill")
            await connection.execute(TABLES)
            await connection.execute(LEDGER.read_text())
        old = "at < now() - make_interval(days => $1)"
        await connection.execute(f"DELETE FROM drill.canary WHERE {old}", KEPT_DAYS)  # noqa: S608 (fixed words)
        await connection.execute(
            "DELETE FROM drill.data_key k WHERE NOT EXISTS "
            "(SELECT FROM drill.canary c WHERE c.key_id = k.key_id)"
        )


async def write_canaries(connection: Any, root: RootKey) -> Canaries:
    """Two before the moment and one after it; the key of one is destroyed after it."""
    stamp = await connection.fetchval("SELECT to_char(clock_timestamp(), 'YYYYMMDD\"T\"HH24MISS')")
    kept, erased, late = (f"{stamp} {word}" for word in ("kept", "erased", "late"))
    await _write(connection, root, kept)
    key = await _write(connection, root, erased)
    entries = None
    if await connection.fetchval("SELECT to_regclass('audit.entry')") is not None:
        entries = await connection.fetchval("SELECT coalesce(max(seq) + 1, 0) FROM audit.entry")
    moment, piece = await connection.fetchrow(
        "SELECT clock_timestamp(), pg_walfile_name(pg_current_wal_lsn())"
    )
    # What comes after the moment comes at another time on the server's clock.
    await connection.execute("SELECT pg_sleep(0.05)")
    await connection.execute("DELETE FROM drill.data_key WHERE key_id = $1", key)
    await _write(connection, root, late)
    return Canaries(moment, kept, erased, late, piece, entries)


async def wait_until_kept(connection: Any, wal: Path) -> float:
    """Seconds until all that is written now is kept: what would be lost with the disk now."""
    began = time.monotonic()
    piece = await connection.fetchval("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")
    while not (wal / f"{piece}.gz").exists():
        failed = await connection.fetchval(
            "SELECT failed_count > 0 AND last_failed_time > coalesce(last_archived_time, "
            "'-infinity') FROM pg_stat_archiver"
        )
        if time.monotonic() - began > KEEPING_SECONDS:
            why = "the archiver fails" if failed else "it is not kept"
            raise NotKept(f"{piece} has waited for {KEEPING_SECONDS} s: {why}.")
        await asyncio.sleep(0.1)
    return time.monotonic() - began


async def check_canaries(connection: Any, canaries: Canaries) -> str:
    """Those before the moment are there as they were written, none from after it is."""
    rows = await connection.fetch("SELECT word, at, hash, sealed FROM drill.canary")
    found = {row["word"]: row for row in rows}
    assert_that(canaries.kept in found, "the canary from before the moment is missing")
    assert_that(canaries.late not in found, "the canary from after the moment is there")
    later = [word for word, row in found.items() if row["at"] > canaries.moment]
    assert_that(not later, f"{len(later)} rows from after the moment are there")
    changed = [word for word, row in found.items() if sha256(row["sealed"]).digest() != row["hash"]]
    assert_that(not changed, f"{len(changed)} canaries are not as they were written")
    return f"{len(found)} canaries from before, none from after"


async def open_canary(connection: Any, root: RootKey, word: str) -> bool:
    """Whether a canary opens with the keys that are there."""
    row = await connection.fetchrow(
        "SELECT k.key_id, k.owner, k.generation, k.wrapping, k.wrapped, k.commitment, c.sealed "
        "FROM drill.canary c JOIN drill.data_key k USING (key_id) WHERE c.word = $1",
        word,
    )
    if row is None:
        return False
    vault = Vault(root, SCHEMA)
    try:
        key = vault.unwrap(WrappedKey(*list(row)[:6]))
        return vault.unseal(key, _place(word), row["sealed"]) == word.encode()
    except Unreadable:
        return False


class Failed(CannotStart):
    """A step of the drill failed."""


def assert_that(so: object, otherwise: str) -> None:
    if not so:
        raise Failed(otherwise)


async def _write(connection: Any, root: RootKey, word: str) -> bytes:
    """One canary under a key of its own; answers the key's id."""
    vault = Vault(root, SCHEMA)
    key = vault.new_key(vault.owner(word))
    sealed = vault.seal(vault.unwrap(key), _place(word), word.encode())
    async with connection.transaction():
        await connection.execute(
            "INSERT INTO drill.data_key VALUES ($1, $2, $3, $4, $5, $6)",
            *(key.id, key.owner, key.generation, key.wrapping, key.wrapped, key.commitment),
        )
        await connection.execute(
            "INSERT INTO drill.canary (word, hash, key_id, sealed) VALUES ($1, $2, $3, $4)",
            *(word, sha256(sealed).digest(), key.id, sealed),
        )
    return key.id


def _place(word: str) -> Place:
    return Place("canary", SCHEMA, word, 1)
