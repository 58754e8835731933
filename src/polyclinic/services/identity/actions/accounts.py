"""Making accounts and opening what is sealed about them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import msgspec

from polyclinic.foundation import ids
from polyclinic.foundation.errors import NotFound, Stale
from polyclinic.foundation.vault import Place
from polyclinic.services.identity.actions.state import Identity, note
from polyclinic.services.identity.domain.accounts import Account, NewAccount, checked, plain_name
from polyclinic.services.identity.store import accounts as store
from polyclinic.services.identity.store.accounts import AccountRow


class Particulars(msgspec.Struct, frozen=True):
    """What is sealed about an account."""

    user: str
    display: str
    person: str | None
    password_hash: str


@dataclass(frozen=True, slots=True)
class Made:
    """What became of an account that was asked for."""

    id: UUID
    is_new: bool


async def make_accounts(identity: Identity, wanted: list[NewAccount], now: datetime) -> list[Made]:
    """Makes the accounts that do not exist yet, all or none; existing ones stay as they are."""
    asked = [checked(new, f"accounts[{number}]") for number, new in enumerate(wanted)]
    rows: dict[bytes, AccountRow] = {}
    for new in asked:
        name = name_hash(identity, new.user)
        # Looked up first, because a second seed should not pay for Argon2 again.
        if name not in rows and await store.find_account(identity.database, name) is None:
            rows[name] = await _new_row(identity, name, new)
    new_ids: set[UUID] = set()
    async with identity.database.transaction() as tx:
        # In one order, so that two seeds at once wait for each other instead of deadlocking.
        for _, row in sorted(rows.items()):
            if await store.add_account(tx, row, now):
                new_ids.add(row.id)
                await note(tx, "account-made", now, account=row.id)
    made: list[Made] = []
    for new in asked:
        row = await store.find_account(identity.database, name_hash(identity, new.user))
        assert row is not None
        made.append(Made(row.id, is_new=row.id in new_ids))
    return made


def name_hash(identity: Identity, user: str) -> bytes:
    """Under which an account is found, however its name was typed."""
    return identity.keyed_hash("account-name", plain_name(user))


async def opened(identity: Identity, row: AccountRow) -> Account:
    """The account with its particulars unsealed."""
    kept = await _unseal(identity, row)
    return Account(row.id, row.role, kept.person, kept.display, kept.password_hash, row.is_disabled)


async def people(identity: Identity, account_ids: Sequence[UUID]) -> list[Account]:
    """Who is behind these accounts; unknown ones are left out."""
    rows = await store.list_accounts(identity.database, account_ids)
    return [await opened(identity, row) for row in rows]


async def change_password_hash(identity: Identity, row: AccountRow, password_hash: str) -> None:
    """Keeps a dearer hash of the same password once the cost was raised."""
    kept = msgspec.structs.replace(await _unseal(identity, row), password_hash=password_hash)
    await store.save_account(identity.database, await _seal(identity, row, kept))


async def disable_account(identity: Identity, user: str, now: datetime) -> UUID:
    """Closes an account: it signs in nowhere, and its tokens are not renewed."""
    row = await store.find_account(identity.database, name_hash(identity, user))
    if row is None:
        raise NotFound("There is no such account.", place="user")
    kept = await _unseal(identity, row)
    closed = await _seal(identity, replace(row, is_disabled=True), kept)
    if not await store.save_account(identity.database, closed):
        raise Stale
    await note(identity.database, "account-disabled", now, account=row.id)
    return row.id


async def _new_row(identity: Identity, name: bytes, new: NewAccount) -> AccountRow:
    password_hash = await identity.passwords.hash(new.password)
    kept = Particulars(new.user.strip(), new.display, new.person, password_hash)
    empty = AccountRow(ids.new_uuid(), name, b"", new.role, is_disabled=False, version=0)
    return await _seal(identity, empty, kept)


async def _seal(identity: Identity, row: AccountRow, kept: Particulars) -> AccountRow:
    """The row's next version; it is bound in, so an older row does not open in its place."""
    key = await identity.data_key("accounts")
    following = replace(row, version=row.version + 1)
    sealed = identity.vault.seal(key, _place(following), msgspec.json.encode(kept))
    return replace(following, particulars=sealed)


async def _unseal(identity: Identity, row: AccountRow) -> Particulars:
    key = await identity.data_key("accounts")
    plain = identity.vault.unseal(key, _place(row), row.particulars)
    return msgspec.json.decode(plain, type=Particulars)


def _place(row: AccountRow) -> Place:
    # The role is bound too: a changed role in the database is a row that does not open.
    state = "disabled" if row.is_disabled else "open"
    return Place("account", f"{row.role}|{state}", str(row.id), row.version)
