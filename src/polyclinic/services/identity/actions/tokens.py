"""Tokens: a code, a refresh token or a proof is turned into an access token."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from polyclinic.foundation import ids
from polyclinic.foundation.database import Transaction
from polyclinic.services.identity.actions import accounts
from polyclinic.services.identity.actions.clients import know_client
from polyclinic.services.identity.actions.signing import signing_key
from polyclinic.services.identity.actions.state import Identity, new_secret, note, secret_hash
from polyclinic.services.identity.domain import scopes, tokens
from polyclinic.services.identity.domain.accounts import Account
from polyclinic.services.identity.domain.authorization import Code, Grant, check_exchange
from polyclinic.services.identity.domain.clients import Client
from polyclinic.services.identity.domain.problems import InvalidGrant
from polyclinic.services.identity.domain.tokens import Holder, SigningKey
from polyclinic.services.identity.store import accounts as account_store
from polyclinic.services.identity.store import grants as store

# Two tabs may renew at the same moment; the slower one is refused, but is not a thief.
SAME_MOMENT = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class _Fresh:
    """A grant that has just been made or renewed, and its new refresh token."""

    grant: Grant
    account: Account
    refresh_token: str
    nonce: str | None = None


async def exchange_code(
    identity: Identity, client: Client, given: Mapping[str, str], now: datetime
) -> dict[str, Any]:
    """A code for tokens, once; a second exchange withdraws what the first one got."""
    key = await _keys_at_hand(identity, now)
    code_hash = secret_hash(given.get("code", ""))
    async with identity.database.transaction() as tx:
        # The refusal is raised after the commit: what it withdraws must stay withdrawn.
        done = await _exchange(identity, tx, client, code_hash, given, now)
    if isinstance(done, InvalidGrant):
        raise done
    return _answer(identity, key, done, now)


async def renew(
    identity: Identity, client: Client, given: Mapping[str, str], now: datetime
) -> dict[str, Any]:
    """A refresh token for new tokens, once; an old one presented again ends the whole grant."""
    key = await _keys_at_hand(identity, now)
    token_hash = secret_hash(given.get("refresh_token", ""))
    async with identity.database.transaction() as tx:
        done = await _renew(identity, tx, client, token_hash, now)
        if isinstance(done, _Fresh) and "scope" in given:
            done = _less(done, given["scope"])
    if isinstance(done, InvalidGrant):
        raise done
    return _answer(identity, key, done, now)


async def token_for_client(
    identity: Identity, client: Client, asked: str, now: datetime
) -> dict[str, Any]:
    """An access token for a client that acts for itself (SMART Backend Services)."""
    granted = scopes.for_system(scopes.parse(asked), client.scopes)
    return await _system_token(identity, client.id, granted, now, identity.settings.access_minutes)


async def token_for_operator(
    identity: Identity, name: str, asked: str, now: datetime
) -> dict[str, Any]:
    """An access token that the operator of this installation asks for, under a client's name."""
    granted = scopes.parse(asked)
    known = await know_client(identity, name, now)
    minutes = identity.settings.system_access_minutes
    return await _system_token(identity, known, granted, now, minutes)


async def _system_token(
    identity: Identity, name: str, granted: tuple[str, ...], now: datetime, minutes: int
) -> dict[str, Any]:
    holder = Holder(name, name, "system", granted)
    key = await signing_key(identity, now)
    claims = tokens.access_claims(
        holder, issuer=identity.issuer, token_id=ids.new_id(), now=now, minutes=minutes
    )
    await note(identity.database, "token-system", now, client=name)
    return {
        "access_token": tokens.sign_access(claims, key),
        "token_type": "Bearer",
        "expires_in": minutes * 60,
        "scope": " ".join(granted),
    }


async def _keys_at_hand(identity: Identity, now: datetime) -> SigningKey:
    # Before the transaction begins: one that had to fetch a key would need a second connection,
    # and as many of them as the pool has would wait for each other.
    await identity.data_key("accounts")
    return await signing_key(identity, now)


async def _exchange(
    identity: Identity,
    tx: Transaction,
    client: Client,
    code_hash: bytes,
    given: Mapping[str, str],
    now: datetime,
) -> _Fresh | InvalidGrant:
    code = await store.lock_code(tx, code_hash)
    if code is None or code.client_id != client.id:
        return InvalidGrant()
    if code.used_at is not None:
        await store.revoke_grant(tx, code.grant_id, now)
        await note(tx, "code-reused", now, account=code.account_id, client=client.id)
        return InvalidGrant()
    # Used up even by a wrong verifier: a code gets one guess.
    await store.mark_code_used(tx, code_hash, now)
    try:
        check_exchange(code, given.get("redirect_uri", ""), given.get("code_verifier", ""), now)
    except InvalidGrant as refused:
        return refused
    account = await _account(identity, tx, code.account_id)
    # Who has signed out in between does not want to be signed in by a late exchange.
    if account is None or not await account_store.is_session_open(tx, code.session_hash):
        return InvalidGrant()
    return await _first(identity, tx, code, account, now)


async def _first(
    identity: Identity, tx: Transaction, code: Code, account: Account, now: datetime
) -> _Fresh:
    grant = Grant(
        id=code.grant_id,
        account_id=code.account_id,
        client_id=code.client_id,
        session_hash=code.session_hash,
        scopes=scopes.for_person(account.role, code.scopes),
        signed_in_at=code.signed_in_at,
        expires_at=now + timedelta(hours=identity.settings.refresh_hours),
        revoked_at=None,
    )
    await store.add_grant(tx, grant)
    refresh_token = await _next_refresh_token(tx, grant, now)
    await note(tx, "token", now, account=account.id, client=grant.client_id)
    return _Fresh(grant, account, refresh_token, code.nonce)


async def _renew(
    identity: Identity, tx: Transaction, client: Client, token_hash: bytes, now: datetime
) -> _Fresh | InvalidGrant:
    found = await store.lock_renewal(tx, token_hash)
    if found is None or found.grant.client_id != client.id:
        return InvalidGrant()
    grant = found.grant
    if grant.revoked_at is not None or now >= grant.expires_at:
        return InvalidGrant()
    if found.used_at is not None:
        if now - found.used_at > SAME_MOMENT:
            await store.revoke_grant(tx, grant.id, now)
            await note(tx, "token-reused", now, account=grant.account_id, client=client.id)
        return InvalidGrant()
    account = await _account(identity, tx, grant.account_id)
    if account is None:
        return InvalidGrant()
    await store.mark_refresh_token_used(tx, token_hash, now)
    return _Fresh(grant, account, await _next_refresh_token(tx, grant, now))


def _less(fresh: _Fresh, asked: str) -> _Fresh:
    granted = scopes.narrowed(scopes.parse(asked), fresh.grant.scopes)
    return replace(fresh, grant=replace(fresh.grant, scopes=granted))


async def _account(identity: Identity, tx: Transaction, account_id: UUID) -> Account | None:
    """The account as it is now: a disabled one gets nothing, a changed role counts at once."""
    row = await account_store.find_account_by_id(tx, account_id)
    if row is None or row.is_disabled:
        return None
    return await accounts.opened(identity, row)


async def _next_refresh_token(tx: Transaction, grant: Grant, now: datetime) -> str:
    secret = new_secret()
    await store.add_refresh_token(tx, secret_hash(secret), grant.id, now)
    return secret


def _answer(identity: Identity, key: SigningKey, fresh: _Fresh, now: datetime) -> dict[str, Any]:
    account, grant = fresh.account, fresh.grant
    holder = Holder(
        subject=str(account.id),
        client_id=grant.client_id,
        role=account.role,
        scopes=grant.scopes,
        person=account.person,
        grant_id=str(grant.id),
    )
    minutes = identity.settings.access_minutes
    claims = tokens.access_claims(
        holder, issuer=identity.issuer, token_id=ids.new_id(), now=now, minutes=minutes
    )
    answer: dict[str, Any] = {
        "access_token": tokens.sign_access(claims, key),
        "token_type": "Bearer",
        "expires_in": minutes * 60,
        "refresh_token": fresh.refresh_token,
        "scope": claims["scope"],
    }
    if patient := tokens.patient_of(account.person):
        answer["patient"] = patient
    if "openid" in grant.scopes:
        about = tokens.id_claims(
            claims, name=account.display, nonce=fresh.nonce, signed_in_at=grant.signed_in_at
        )
        answer["id_token"] = tokens.sign_id(about, key)
    return answer
