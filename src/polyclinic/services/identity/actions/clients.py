"""Knowing clients: registering them, and making each prove itself once per request."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from polyclinic.foundation.errors import Invalid
from polyclinic.services.identity.actions.state import Identity, note
from polyclinic.services.identity.domain import clients, scopes
from polyclinic.services.identity.domain.clients import Client, Proof
from polyclinic.services.identity.domain.problems import InvalidClient
from polyclinic.services.identity.store import clients as store
from polyclinic.services.identity.store import grants


async def find_client(identity: Identity, client_id: str) -> Client | None:
    if client_id == clients.PORTAL:
        return identity.portal_client()
    if client_id in clients.READERS:
        return identity.service_client(client_id)
    if not clients.CLIENT_ID.fullmatch(client_id):
        return None
    return await store.find_client(identity.database, client_id)


async def authenticate_client(
    identity: Identity, given: Mapping[str, str], base: str | None, now: datetime
) -> Client:
    """The client of a form with a signed assertion (private_key_jwt); raises InvalidClient."""
    if given.get("client_assertion_type") != clients.ASSERTION_TYPE or "client_secret" in given:
        raise InvalidClient("A client proves itself with a signed client_assertion.")
    assertion = given.get("client_assertion", "")
    claimed = clients.claimed_client(assertion)
    if given.get("client_id", claimed) != claimed:
        raise InvalidClient
    client = await find_client(identity, claimed)
    if client is None:
        raise InvalidClient
    audiences = (identity.issuer, *((f"{base}/identity/token",) if base else ()))
    proof = clients.check_assertion(client, assertion, audiences, int(now.timestamp()))
    await _use_once(identity, proof)
    return client


async def authenticate_operator(identity: Identity, assertion: str, now: datetime) -> None:
    """The operator of this installation, by the key of its data folder; raises InvalidClient."""
    key = identity.operator_key()
    await _use_once(identity, clients.check_operator(assertion, key, int(now.timestamp())))


async def register_client(
    identity: Identity, name: str, asked: str, keys: tuple[Mapping[str, Any], ...], now: datetime
) -> Client:
    """Registers (again) a client that acts for itself, with the public keys it sent."""
    known = _checked_name(name)
    client = Client(known, "system", scopes.parse(asked), clients.read_keys(keys))
    scopes.for_system(client.scopes, client.scopes)
    await store.save_client(identity.database, client, now)
    await note(identity.database, "client-registered", now, client=known)
    return client


async def know_client(identity: Identity, name: str, now: datetime) -> str:
    """Makes an operator's client known by name; without keys it can ask for nothing by itself."""
    known = _checked_name(name)
    await store.add_client(identity.database, Client(known, "system", (), ()), now)
    return known


def _checked_name(name: str) -> str:
    if not clients.CLIENT_ID.fullmatch(name):
        raise Invalid("A client's name has letters, digits and . _ : - only.", place="client")
    if name in {clients.PORTAL, clients.OPERATOR, *clients.READERS}:
        raise Invalid("This client's name is taken by the platform.", place="client")
    return name


async def _use_once(identity: Identity, proof: Proof) -> None:
    name = f"assertion|{proof.client_id}|{proof.token_id}".encode("utf-8", "surrogatepass")
    spent = hashlib.sha256(name).digest()
    until = datetime.fromtimestamp(proof.expires, UTC) + timedelta(minutes=1)
    if not await grants.spend(identity.database, spent, until):
        raise InvalidClient("This assertion was used before.")
