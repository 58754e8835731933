"""The ledger of destroyed keys, and how a restore destroys them again before anybody is served.

A trigger notes each deleted data key in its schema's `shredded`, in the same transaction. A copy
from before that moment still has the key; the newest copy and the log behind it have the note.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from polyclinic.foundation.vault import RootKey, Unreadable, Vault, WrappedKey

SAMPLED = 20  # keys a schema that are opened to see whether a root key is theirs


@dataclass(frozen=True, slots=True)
class Shredded:
    """One destroyed key: its id, whose it was (a keyed hash), when."""

    key_id: bytes
    owner: bytes
    at: datetime


Ledger = Mapping[str, Sequence[Shredded]]  # by schema


async def read_ledger(connection: Any) -> Ledger:
    """What was destroyed, in every schema that keeps data keys."""
    found: dict[str, list[Shredded]] = {}
    for schema in await _schemas_with(connection, "shredded"):
        query = f"SELECT key_id, owner, at FROM {_quoted(schema)}.shredded ORDER BY at"  # noqa: S608 (a quoted name of the catalogue)
        found[schema] = [Shredded(*row) for row in await connection.fetch(query)]
    return found


async def replay(connection: Any, ledger: Ledger) -> int:
    """Destroys again what was destroyed; answers how many keys were still there."""
    count = 0
    noted = set(await _schemas_with(connection, "shredded"))
    for schema in await _schemas_with(connection, "data_key"):
        rows = ledger.get(schema, ())
        if not rows:
            continue
        ids = [row.key_id for row in rows]
        column = await _id_column(connection, schema)
        async with connection.transaction():
            if schema in noted:
                # First, so that the time it was really destroyed stays.
                await connection.executemany(
                    f"INSERT INTO {_quoted(schema)}.shredded (key_id, owner, at) "  # noqa: S608 (as above)
                    "VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                    [(row.key_id, row.owner, row.at) for row in rows],
                )
            gone = await connection.fetch(
                f"DELETE FROM {_quoted(schema)}.data_key WHERE {column} = ANY ($1) RETURNING 1",  # noqa: S608 (as above)
                ids,
            )
        count += len(gone)
    return count


async def check_keys(connection: Any, root: RootKey) -> tuple[int, int]:
    """(keys that open, keys that do not) under this root key, of a sample in each schema."""
    opened = refused = 0
    for schema in await _schemas_with(connection, "data_key"):
        vault = Vault(root, schema)
        column = await _id_column(connection, schema)
        query = (
            f"SELECT {column}, owner, generation, wrapping, wrapped, commitment "  # noqa: S608 (as above)
            f"FROM {_quoted(schema)}.data_key ORDER BY {column} LIMIT $1"
        )
        for row in await connection.fetch(query, SAMPLED):
            try:
                vault.unwrap(WrappedKey(*row))
                opened += 1
            except Unreadable:
                refused += 1
    return opened, refused


async def _schemas_with(connection: Any, table: str) -> list[str]:
    rows = await connection.fetch(
        "SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind = 'r' AND c.relname = $1 AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1",
        table,
    )
    return [row["nspname"] for row in rows]


async def _id_column(connection: Any, schema: str) -> str:
    """Identity's table was there before the others' and calls it `id`."""
    named = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass($1) "
        "AND attname = 'key_id' AND NOT attisdropped)",
        f"{_quoted(schema)}.data_key",
    )
    return "key_id" if named else "id"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
