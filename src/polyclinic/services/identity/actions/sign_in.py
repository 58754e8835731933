"""Signing in and out: the password, the counting of tries, the browser's session."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from polyclinic.foundation.database import Transaction
from polyclinic.services.identity.actions import accounts
from polyclinic.services.identity.actions.state import Identity, new_secret, note, secret_hash
from polyclinic.services.identity.domain.accounts import Account, can_be_right
from polyclinic.services.identity.domain.lockout import Policy, Tries, count_try, forgive_one
from polyclinic.services.identity.domain.problems import TooManyTries, WrongPassword
from polyclinic.services.identity.store import accounts as store
from polyclinic.services.identity.store.accounts import AccountRow, SessionRow


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A browser that is signed in; the secret is known to its cookie alone."""

    secret: str
    session: SessionRow


@dataclass(frozen=True, slots=True)
class _Tried:
    account: bytes
    source: bytes


async def sign_in(
    identity: Identity, user: str, password: str, source: str, now: datetime
) -> SignedIn:
    """Opens a session; raises WrongPassword or TooManyTries, alike for known and unknown names."""
    identity.passwords.check_room()
    tried = _Tried(
        identity.keyed_hash("tried-name", accounts.name_hash(identity, user).hex()),
        identity.keyed_hash("tried-source", source),
    )
    row = await store.find_account(identity.database, accounts.name_hash(identity, user))
    await _count(identity, tried, row, now)
    account = await _checked(identity, row, password)
    if row is None or account is None:
        known = row.id if row else None
        await note(identity.database, "sign-in-failed", now, account=known, source=tried.source)
        raise WrongPassword
    if identity.passwords.is_outdated(account.password_hash):
        better = await identity.passwords.hash(password)
        await accounts.change_password_hash(identity, row, better)
    return await _open_session(identity, account, tried, now)


async def current_session(
    identity: Identity, secret: str | None, now: datetime
) -> SessionRow | None:
    """The session of a browser's cookie, if it is open."""
    if not secret:
        return None
    return await store.find_session(identity.database, secret_hash(secret), now)


async def sign_out(identity: Identity, secret: str | None, now: datetime) -> None:
    """Ends the browser's session and what clients were granted through it."""
    if not secret:
        return
    async with identity.database.transaction() as tx:
        account_id = await store.end_session(tx, secret_hash(secret), now)
        if account_id is not None:
            await note(tx, "sign-out", now, account=account_id)


async def _count(identity: Identity, tried: _Tried, row: AccountRow | None, now: datetime) -> None:
    """Counts the try before it is looked at, so that guesses at the same moment count too."""
    by_name, by_source = _policies(identity)
    try:
        async with identity.database.transaction() as tx:
            found = await store.lock_tries(tx, (tried.account, tried.source), now)
            counted = {
                tried.account: count_try(found[tried.account], by_name, now),
                tried.source: count_try(found[tried.source], by_source, now),
            }
            await store.save_tries(tx, counted)
    except TooManyTries:
        known = row.id if row else None
        await note(identity.database, "sign-in-locked", now, account=known, source=tried.source)
        raise


async def _checked(identity: Identity, row: AccountRow | None, password: str) -> Account | None:
    account = await accounts.opened(identity, row) if row else None
    kept = account.password_hash if account and can_be_right(password) else None
    # An over-long password is cut: it is wrong anyway, and must not cost more than others.
    is_right = await identity.passwords.is_right(kept, password[:256])
    return account if is_right and account and not account.is_disabled else None


async def _open_session(
    identity: Identity, account: Account, tried: _Tried, now: datetime
) -> SignedIn:
    secret = new_secret()
    until = now + timedelta(minutes=identity.settings.session_minutes)
    session = SessionRow(secret_hash(secret), account.id, now, until)
    async with identity.database.transaction() as tx:
        await _forgive(tx, tried, now)
        await store.add_session(tx, session)
        await note(tx, "sign-in", now, account=account.id, source=tried.source)
    return SignedIn(secret, session)


async def _forgive(tx: Transaction, tried: _Tried, now: datetime) -> None:
    found = await store.lock_tries(tx, (tried.account, tried.source), now)
    # The address loses one try only: a thief with one good account must not reset its count.
    forgiven = {
        tried.account: Tries(0, now),
        tried.source: forgive_one(found[tried.source]),
    }
    await store.save_tries(tx, forgiven)


def _policies(identity: Identity) -> tuple[Policy, Policy]:
    of = identity.settings
    return (
        Policy(of.tries_free, of.lock_first_seconds, of.lock_longest_seconds, timedelta(days=1)),
        Policy(
            of.source_tries_free,
            of.lock_first_seconds,
            of.lock_longest_seconds,
            timedelta(hours=1),
        ),
    )
