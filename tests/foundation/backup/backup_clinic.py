"""A small clinic's database that archives, and a folder of backups; real servers, real files."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from polyclinic.fhirserver import dictionary
from polyclinic.foundation import migrations
from polyclinic.foundation.backup.builtin import BuiltIn
from polyclinic.foundation.backup.catalog import Catalog
from polyclinic.foundation.backup.restoring import Hearing
from polyclinic.foundation.postgres import EmbeddedPostgres
from polyclinic.foundation.postgres.place import wheel_binaries
from polyclinic.foundation.vault import Place, RootKey, Vault

# A crash of the machine is not what is tried here; the tools' own syncs stay.
QUICK = {"fsync": "off", "shared_buffers": "32MB"}


@dataclass
class Clinic:
    """A living database with sealed rows, and where its backups go."""

    base: Path
    root: RootKey
    url: str = ""
    server: EmbeddedPostgres | None = None
    said: list[str] = field(default_factory=list)

    @property
    def data(self) -> Path:
        return self.base / "living"

    @property
    def folder(self) -> Path:
        return self.base / "backups"

    @property
    def vault(self) -> Vault:
        return Vault(self.root, "kept")

    @property
    def provider(self) -> BuiltIn:
        return BuiltIn(Catalog(self.folder), wheel_binaries(), self.said.append)

    @property
    def hearing(self) -> Hearing:
        return Hearing(self.said.append, lambda share: None)

    async def start(self, **settings: str) -> None:
        self.server = EmbeddedPostgres(
            self.data, settings={**QUICK, **settings}, archive=self.folder
        )
        self.url = await self.server.start()
        await migrations.migrate(self.url, "kept", "secret", [dictionary.SCHEMA])
        await self.run("CREATE TABLE IF NOT EXISTS kept.note (word text, sealed bytea)")

    async def run(self, query: str, *values: object) -> object:
        return await ask(self.url, query, *values)

    async def seal(self, word: str) -> bytes:
        """A row under a key of its own; answers the key's id."""
        key = self.vault.new_key(word.encode())
        await self.run(
            "INSERT INTO kept.data_key (key_id, owner, generation, wrapping, wrapped, commitment) "
            "VALUES ($1, $2, $3, $4, $5, $6)",
            key.id, key.owner, key.generation, key.wrapping, key.wrapped, key.commitment,
        )  # fmt: skip
        sealed = self.vault.seal(self.vault.unwrap(key), Place("note", "word", word, 1), b"said")
        await self.run("INSERT INTO kept.note VALUES ($1, $2)", word, sealed)
        return key.id

    async def archived(self) -> str:
        """Closes the piece of the log that is written, and waits until it is kept."""
        name = await self.run("SELECT pg_walfile_name(pg_current_wal_lsn())")
        await self.run("SELECT pg_switch_wal()")
        until = time.monotonic() + 60
        while not (self.folder / "wal" / f"{name}.gz").exists():
            assert time.monotonic() < until, "the log is not archived"
            await asyncio.sleep(0.05)
        return str(name)

    async def moment(self):
        return await self.run("SELECT clock_timestamp()")


async def ask(url: str, query: str, *values: object) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query, *values)
    finally:
        await connection.close()


async def words_in(data: Path, query: str = "SELECT word FROM kept.note ORDER BY 1") -> list[str]:
    """What a data folder's database says when it is started."""
    server = EmbeddedPostgres(data, settings=QUICK)
    try:
        connection = await asyncpg.connect(await server.start())
        rows = await connection.fetch(query)
        await connection.close()
    finally:
        await server.stop()
    return [row[0] for row in rows]
