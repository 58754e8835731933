"""Data keys in the mounting schema: one per patient, one per type of what has no patient."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import LiteralString

from polyclinic.foundation.database import Database
from polyclinic.foundation.vault import (
    LOADED_SECONDS,
    DataKey,
    Unreadable,
    Vault,
    WrappedKey,
)

_ADD: LiteralString = """
    INSERT INTO data_key (key_id, owner, generation, wrapping, wrapped, commitment)
    SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::int[], $4::int[], $5::bytea[], $6::bytea[])
    ON CONFLICT (owner, generation) DO NOTHING"""
_COLUMNS: LiteralString = "key_id, owner, generation, wrapping, wrapped, commitment"
_OF_OWNERS: LiteralString = (
    f"SELECT DISTINCT ON (owner) {_COLUMNS} FROM data_key WHERE owner = ANY ($1)"
    " ORDER BY owner, generation DESC"
)
_BY_ID: LiteralString = f"SELECT {_COLUMNS} FROM data_key WHERE key_id = ANY ($1)"
_ADD_SHARES: LiteralString = """
    INSERT INTO shared_key (key_id, holder, wrapped)
    SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[]) ON CONFLICT DO NOTHING"""
_SHARES: LiteralString = """
    SELECT s.key_id AS shared, s.wrapped AS share, k.key_id, k.owner, k.generation, k.wrapping,
           k.wrapped, k.commitment
    FROM shared_key s JOIN data_key k ON k.key_id = s.holder WHERE s.key_id = ANY ($1)"""


class Keys:
    """Finds and makes data keys; what was opened once stays in memory for five minutes."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def owner(self, resource_type: str, patients: Sequence[str]) -> bytes:
        """A patient's key for what lies in one chart, else the type's own."""
        if len(patients) == 1:
            return self._vault.owner("patient", patients[0])
        return self._vault.owner("type", resource_type)

    async def of_owners(self, owners: Iterable[bytes]) -> dict[bytes, DataKey]:
        """The current key of each owner; new owners get one. A key without use does no harm."""
        found: dict[bytes, DataKey] = {}
        unknown: list[bytes] = []
        for owner in set(owners):
            key = self._vault.known_owner(owner)
            if key is None:
                unknown.append(owner)
            else:
                found[owner] = key
        if unknown:
            stored = {row["owner"] for row in await self._database.fetch(_OF_OWNERS, unknown)}
            await self._add([self._vault.new_key(o) for o in sorted(unknown) if o not in stored])
            for row in await self._database.fetch(_OF_OWNERS, unknown):
                found[row["owner"]] = self._vault.unwrap(WrappedKey(*row.values()))
        return found

    async def _add(self, new: list[WrappedKey]) -> None:
        if new:
            columns = ([k.id for k in new], [k.owner for k in new], [k.generation for k in new])
            wraps = ([k.wrapping for k in new], [k.wrapped for k in new])
            await self._database.execute(_ADD, *columns, *wraps, [k.commitment for k in new])

    async def load(self, key_ids: Iterable[bytes]) -> None:
        """Brings keys into memory, so that `known` finds them for a minute."""
        wanted, stays = set(key_ids), LOADED_SECONDS
        unknown = [key_id for key_id in wanted if self._vault.known(key_id, stays) is None]
        if not unknown:
            return
        for row in await self._database.fetch(_BY_ID, unknown):
            with suppress(Unreadable):  # `known` tells it to whoever asks for this key
                self._vault.unwrap(WrappedKey(*row.values()))
        shared = [key_id for key_id in unknown if self._vault.known(key_id, stays) is None]
        if shared:
            for row in await self._database.fetch(_SHARES, shared):
                with suppress(Unreadable):
                    holder = self._vault.unwrap(WrappedKey(*tuple(row.values())[2:]))
                    self._vault.unwrap_share(row["shared"], holder, row["share"])

    def known(self, key_id: bytes) -> DataKey:
        key = self._vault.known(key_id)
        if key is None:
            raise Unreadable("The key of this record does not open or was destroyed.")
        return key

    async def shared(self, patients: Sequence[str]) -> DataKey:
        """A new key for one resource of several patients: each of them holds a wrap of it."""
        owners = [self._vault.owner("patient", patient) for patient in patients]
        holders = await self.of_owners(owners)
        key_id, wraps, key = self._vault.new_shared([holders[owner] for owner in owners])
        ids = [holders[owner].id for owner in owners]
        await self._database.execute(_ADD_SHARES, [key_id] * len(ids), ids, wraps)
        return key
