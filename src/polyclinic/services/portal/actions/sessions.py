"""Sessions: signing in by code, staying signed in while tokens are renewed, signing out."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from polyclinic.foundation.errors import Invalid, Problem, Unauthenticated
from polyclinic.foundation.vault import DataKey, Place, Unreadable
from polyclinic.services.portal import store
from polyclinic.services.portal.actions.state import Portal
from polyclinic.services.portal.domain import session as rules
from polyclinic.services.portal.domain.session import Session, Signed, SignedOut, Tokens

# Renewed this long before its end, an access token never ends on its way to records.
RENEW_SECONDS = 60
# Being seen is written down at most this often.
TOUCH_SECONDS = 30


def begin_sign_in(portal: Portal, wanted: str) -> rules.Attempt:
    return rules.begin(portal.vault.secret("sign-in"), wanted)


async def finish_sign_in(
    portal: Portal, cookie: str, given: Mapping[str, str], base: str, now: datetime
) -> tuple[str, str]:
    """Turns identity's answer into a session; returns its new cookie and where to go."""
    attempted = rules.attempt(portal.vault.secret("sign-in"), cookie)
    code = rules.answered_code(attempted, given, portal.issuer)
    tokens, claims = await portal.identity.exchange(code, attempted.verifier, f"{base}/signed-in")
    subject, name = rules.check_id_token(claims, attempted, portal.issuer, now.timestamp())
    caller = await portal.callers.verify(tokens.access)
    if caller.subject != subject or caller.client != rules.CLIENT:
        raise Invalid("The sign-in cannot be checked.")
    session = Session(subject, caller.role, caller.person, name, rules.new_secret(), tokens)
    return await open_session(portal, session, now), attempted.next


async def open_session(portal: Portal, session: Session, now: datetime) -> str:
    """Keeps a session under a new cookie, which is returned and kept nowhere."""
    secret = rules.new_secret()
    key = rules.session_id(secret)
    ends_at = now + timedelta(hours=portal.settings.session_hours)
    sealed = _sealed(portal, secret, session)
    row = store.SessionRow(key, sealed, session.subject, now, now, ends_at)
    await store.add_session(portal.database, row)
    return secret


async def current(portal: Portal, secret: str | None, now: datetime) -> Signed:
    """The session of a cookie, its tokens fresh; raises SignedOut."""
    found = await peek(portal, secret, now)
    if found.session.tokens.expires_at - now.timestamp() < RENEW_SECONDS:
        session = await _renewed(portal, found.secret, now)
        found = Signed(found.id, found.secret, session, found.theme, found.seen_at, found.ends_at)
    if (now - found.seen_at).total_seconds() >= TOUCH_SECONDS:
        await store.touch_session(portal.database, found.id, now)
    return found


async def peek(portal: Portal, secret: str | None, now: datetime) -> Signed:
    """The session of a cookie without counting as being there; raises SignedOut."""
    if secret is None or not rules.is_secret(secret):
        raise SignedOut
    idle = timedelta(minutes=portal.settings.idle_minutes)
    key = rules.session_id(secret)
    row = await store.find_session(portal.database, key, now, now - idle)
    if row is None:
        raise SignedOut
    try:
        session = _opened(portal, secret, row.sealed)
    except Unreadable as foreign:
        raise SignedOut from foreign
    return Signed(key, secret, session, row.theme, row.seen_at, row.ends_at)


async def extend(portal: Portal, signed: Signed, now: datetime) -> None:
    await store.touch_session(portal.database, signed.id, now)


async def sign_out(portal: Portal, signed: Signed) -> None:
    """Ends the session here first; that identity cannot be told does not keep anybody signed in."""
    await store.remove_session(portal.database, signed.id)
    try:
        await portal.identity.revoke(signed.session.tokens.refresh)
    except Problem:
        # The tokens end by themselves within minutes, and their only copy has just been deleted.
        portal.outages.failed("identity")


async def forget_ended(portal: Portal, now: datetime) -> None:
    idle = timedelta(minutes=portal.settings.idle_minutes)
    await store.remove_ended_sessions(portal.database, now, now - idle)


async def choose_theme(portal: Portal, signed: Signed, theme: str) -> None:
    if theme not in rules.THEMES:
        raise Invalid("A theme is light, dark or system.", place="theme")
    await store.save_theme(portal.database, signed.session.subject, theme)


def seconds_left(portal: Portal, signed: Signed, now: datetime) -> int:
    """How long this session lasts if nobody does anything."""
    idle = signed.seen_at + timedelta(minutes=portal.settings.idle_minutes)
    return max(0, int((min(idle, signed.ends_at) - now).total_seconds()))


async def _renewed(portal: Portal, secret: str, now: datetime) -> Session:
    # Under the row's lock: two tabs must not both use the one refresh token.
    key = rules.session_id(secret)
    async with portal.database.transaction() as tx:
        sealed = await store.lock_sealed(tx, key)
        if sealed is None:
            raise SignedOut
        session = _opened(portal, secret, sealed)
        if session.tokens.expires_at - now.timestamp() >= RENEW_SECONDS:
            return session
        tokens = await _renew(portal, session)
        session = msgspec.structs.replace(session, tokens=tokens)
        await store.save_sealed(tx, key, _sealed(portal, secret, session))
        return session


async def _renew(portal: Portal, session: Session) -> Tokens:
    try:
        return await portal.identity.renew(session.tokens.refresh)
    except Unauthenticated as ended:
        raise SignedOut from ended


def _key(portal: Portal, secret: str) -> DataKey:
    """A key that needs the browser's cookie as well as the root key."""
    ours = portal.vault.secret("session tokens")
    raw = hashlib.blake2b(secret.encode(), key=ours, digest_size=48).digest()
    return DataKey(raw[32:], 1, AESGCM(raw[:32]))


def _place(secret: str) -> Place:
    return Place("session", "tokens", rules.session_id(secret).hex(), 1)


def _sealed(portal: Portal, secret: str, session: Session) -> bytes:
    plain = msgspec.json.encode(session)
    return portal.vault.seal(_key(portal, secret), _place(secret), plain)


def _opened(portal: Portal, secret: str, sealed: bytes) -> Session:
    plain = portal.vault.unseal(_key(portal, secret), _place(secret), sealed)
    return msgspec.json.decode(plain, type=Session)
