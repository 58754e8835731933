"""Authorization codes: a signed-in person lets a client of ours act for them."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from polyclinic.foundation import ids
from polyclinic.services.identity.actions.clients import find_client
from polyclinic.services.identity.actions.state import Identity, new_secret, note, secret_hash
from polyclinic.services.identity.domain import authorization, clients
from polyclinic.services.identity.domain.authorization import AuthorizationRequest, Code
from polyclinic.services.identity.domain.problems import UnknownClient
from polyclinic.services.identity.store import grants
from polyclinic.services.identity.store.accounts import SessionRow


async def check_return_address(
    identity: Identity, given: Mapping[str, str], base: str | None
) -> None:
    """Before this holds, nothing may be sent to the address; raises UnknownClient."""
    client = await find_client(identity, given.get("client_id", ""))
    # Only our own clients ask people to sign in so far; others act for themselves.
    if client is None or client.kind != "first-party":
        raise UnknownClient
    if not clients.is_return_address(client, given.get("redirect_uri", ""), base):
        raise UnknownClient


async def grant_code(
    identity: Identity, request: AuthorizationRequest, session: SessionRow, now: datetime
) -> str:
    """Makes a code and returns where the browser takes it (with `iss`, RFC 9207)."""
    secret = new_secret()
    code = Code(
        client_id=request.client_id,
        account_id=session.account_id,
        session_hash=session.hash,
        redirect_uri=request.redirect_uri,
        challenge=request.challenge,
        scopes=request.scopes,
        nonce=request.nonce,
        signed_in_at=session.signed_in_at,
        expires_at=now + timedelta(seconds=identity.settings.code_seconds),
        used_at=None,
        grant_id=ids.new_uuid(),
    )
    await grants.add_code(identity.database, secret_hash(secret), code)
    await note(identity.database, "code", now, account=session.account_id, client=request.client_id)
    values = {"code": secret, "state": request.state, "iss": identity.issuer}
    return authorization.answer_url(request.redirect_uri, values)
