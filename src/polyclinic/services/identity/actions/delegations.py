"""Delegations: a service of ours asks later in the name of whoever asked it to (RFC 8693).

Begun with a live access token, so nobody is spoken for who did not ask for it. Each use looks
again: an unknown client gets nothing, and one whose registration was narrowed gets what is left.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from polyclinic.foundation import ids
from polyclinic.services.identity.actions import introspection
from polyclinic.services.identity.actions.clients import find_client
from polyclinic.services.identity.actions.signing import signing_key
from polyclinic.services.identity.actions.state import Identity, new_secret, note, secret_hash
from polyclinic.services.identity.domain import scopes, tokens
from polyclinic.services.identity.domain.clients import Client
from polyclinic.services.identity.domain.problems import (
    InvalidGrant,
    InvalidRequest,
    UnauthorizedClient,
)
from polyclinic.services.identity.domain.tokens import Holder
from polyclinic.services.identity.store import delegations as store
from polyclinic.services.identity.store.delegations import Delegation

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS = "urn:ietf:params:oauth:token-type:access_token"
DELEGATION = "urn:polyclinic:token-type:delegation"
MINUTES = 2  # it is asked for again at each delivery


async def exchange(
    identity: Identity, client: Client, given: Mapping[str, str], now: datetime
) -> dict[str, Any]:
    """An access token for a delegation, or a delegation for an access token."""
    if scopes.DELEGATIONS not in client.scopes:
        raise UnauthorizedClient("Only services of ours ask in the name of others.")
    match (given.get("subject_token_type"), given.get("requested_token_type", ACCESS)):
        case (one, other) if (one, other) == (ACCESS, DELEGATION):
            return await _begin(identity, client, given, now)
        case (one, other) if (one, other) == (DELEGATION, ACCESS):
            return await _use(identity, client, given.get("subject_token", ""), now)
        case _:
            raise InvalidRequest("That kind of token is not exchanged.", place="subject_token_type")


async def end(identity: Identity, client: Client, handle: str, now: datetime) -> bool:
    """Whether there was such a delegation to end."""
    if not await store.remove(identity.database, secret_hash(handle), client.id):
        return False
    await note(identity.database, "delegation-ended", now, client=client.id)
    return True


async def _begin(
    identity: Identity, client: Client, given: Mapping[str, str], now: datetime
) -> dict[str, Any]:
    claims = await introspection.live_claims(identity, given.get("subject_token", ""), now)
    if claims is None:
        raise InvalidGrant
    asked = scopes.for_delegation(
        scopes.parse(given.get("scope", "")), tuple(claims["scope"].split())
    )
    if claims["role"] != "system":
        raise InvalidGrant("Only clients that act for themselves let others ask in their name.")
    handle = new_secret()
    made = Delegation(client.id, claims["client_id"], asked)
    await store.add(identity.database, secret_hash(handle), made, now)
    await note(identity.database, "delegation", now, client=made.client_id)
    return {
        "access_token": handle,
        "issued_token_type": DELEGATION,
        "token_type": "N_A",
        "scope": " ".join(asked),
    }


async def _use(identity: Identity, client: Client, handle: str, now: datetime) -> dict[str, Any]:
    found = await store.find(identity.database, secret_hash(handle), client.id)
    holder = None if found is None else await _holder(identity, found)
    if holder is None or not holder.scopes:
        raise InvalidGrant
    key = await signing_key(identity, now)
    claims = tokens.access_claims(
        holder, issuer=identity.issuer, token_id=ids.new_id(), now=now, minutes=MINUTES
    )
    return {
        "access_token": tokens.sign_access(claims, key),
        "issued_token_type": ACCESS,
        "token_type": "Bearer",
        "expires_in": MINUTES * 60,
        "scope": " ".join(holder.scopes),
    }


async def _holder(identity: Identity, found: Delegation) -> Holder | None:
    """Who it is today, and what is left of the scopes."""
    known = await find_client(identity, found.client_id)
    if known is None:
        return None
    # A client of the operator's has no scopes of its own; each of its tokens names them.
    left = scopes.left_of(found.scopes, known.scopes or found.scopes)
    return Holder(known.id, known.id, "system", left)
