"""Asking about a token (RFC 7662) and withdrawing it (RFC 7009)."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from polyclinic.foundation import jose
from polyclinic.foundation.caller import TOKEN_TYPE, read_claims
from polyclinic.foundation.revocations import name_of
from polyclinic.services.identity.actions.signing import public_key
from polyclinic.services.identity.actions.state import Identity, note, secret_hash
from polyclinic.services.identity.domain.clients import Client
from polyclinic.services.identity.store import accounts as account_store
from polyclinic.services.identity.store import grants as store

INACTIVE: dict[str, Any] = {"active": False}


async def introspect(
    identity: Identity, client: Client, token: str, now: datetime
) -> dict[str, Any]:
    """What a client's own token still allows; of other clients' tokens nothing is told."""
    claims = await _access_claims(identity, token, now)
    if claims is None:
        return await _introspect_refresh(identity, client, token, now)
    if claims["client_id"] != client.id or not await _is_open(identity, claims, now):
        return INACTIVE
    told = ("iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "role", "fhirUser")
    return {"active": True, "token_type": "Bearer", **{n: claims[n] for n in told if n in claims}}


async def live_claims(identity: Identity, token: str, now: datetime) -> Mapping[str, Any] | None:
    """The claims of an access token that counts at this moment; None for anything else."""
    claims = await _access_claims(identity, token, now)
    return claims if claims is not None and await _is_open(identity, claims, now) else None


async def revoke(identity: Identity, client: Client, token: str, now: datetime) -> None:
    """Withdraws a token; of a refresh token the whole grant, and for our own clients the sign-in.

    An unknown token or another client's is no error (RFC 7009 section 2.2), and nothing happens.
    """
    found = await store.find_grant_of(identity.database, secret_hash(token))
    if found is not None and found[0].client_id == client.id:
        grant = found[0]
        async with identity.database.transaction() as tx:
            await store.revoke_grant(tx, grant.id, now)
            if client.kind == "first-party":
                # Signing out of the portal on a shared computer must not leave a way back in.
                await account_store.end_session(tx, grant.session_hash, now)
            await note(tx, "token-revoked", now, account=grant.account_id, client=client.id)
        return
    claims = await _access_claims(identity, token, now)
    if claims is not None and claims["client_id"] == client.id:
        until = datetime.fromtimestamp(claims["exp"], UTC) + timedelta(minutes=1)
        await store.spend_access(identity.database, _spent(claims), until)
        await note(identity.database, "token-revoked", now, client=client.id)


async def withdrawn(identity: Identity, now: datetime) -> list[str]:
    """The names of all that was withdrawn and that somebody may still hold a token of."""
    # A token made in the moment of a revocation lives its whole life after it.
    since = now - timedelta(minutes=identity.settings.access_minutes + 2)
    accounts, grants, tokens = await store.list_withdrawn(identity.database, now, since)
    return [
        *(name_of("account", str(account)) for account in accounts),
        *(name_of("grant", str(grant)) for grant in grants),
        *(token.hex()[:32] for token in tokens),
    ]


async def _introspect_refresh(
    identity: Identity, client: Client, token: str, now: datetime
) -> dict[str, Any]:
    found = await store.find_grant_of(identity.database, secret_hash(token))
    if found is None or found[1] or found[0].client_id != client.id:
        return INACTIVE
    grant = found[0]
    if not await store.is_grant_open(identity.database, grant.id, now):
        return INACTIVE
    return {
        "active": True,
        "token_type": "refresh_token",
        "client_id": grant.client_id,
        "sub": str(grant.account_id),
        "scope": " ".join(grant.scopes),
        "exp": int(grant.expires_at.timestamp()),
    }


async def _access_claims(identity: Identity, token: str, now: datetime) -> Mapping[str, Any] | None:
    """The claims of an access token of ours that has not expired; None for anything else."""
    try:
        seen = jose.peek(token)
        if seen.typ != TOKEN_TYPE or seen.kid is None:
            return None
        claims = jose.verify(seen, await public_key(identity, seen.kid, now), "EdDSA")
        read_claims(claims, issuer=identity.issuer, now=now.timestamp())
    except jose.BadToken:
        return None
    return claims


async def _is_open(identity: Identity, claims: Mapping[str, Any], now: datetime) -> bool:
    if await store.is_spent(identity.database, _spent(claims)):
        return False
    grant_id = claims.get("grant_id")
    return grant_id is None or await store.is_grant_open(identity.database, UUID(grant_id), now)


def _spent(claims: Mapping[str, Any]) -> bytes:
    return hashlib.sha256(f"access|{claims['jti']}".encode()).digest()
