"""Drafts: what somebody has answered, sealed under a key of their own, for a day."""

import hashlib
from datetime import datetime, timedelta

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from polyclinic.foundation.vault import DataKey, Place, Unreadable
from polyclinic.services.portal import store
from polyclinic.services.portal.actions.state import Portal
from polyclinic.services.portal.domain.draft import Draft, NoDraft, check_id
from polyclinic.services.portal.domain.session import Session, new_secret

KEPT = timedelta(hours=24)


def new_draft_id() -> str:
    return new_secret()


async def save(portal: Portal, session: Session, draft: Draft, now: datetime) -> None:
    name = _name(portal, session, draft.id)
    sealed = portal.vault.seal(_key(portal, session), _place(name), msgspec.json.encode(draft))
    await store.save_draft(portal.database, name, sealed, now + KEPT)


async def load(portal: Portal, session: Session, draft_id: str, now: datetime) -> Draft:
    """A draft of this person; of anybody else there is none. Raises NoDraft."""
    check_id(draft_id)
    name = _name(portal, session, draft_id)
    sealed = await store.find_draft(portal.database, name, now)
    if sealed is None:
        raise NoDraft
    try:
        plain = portal.vault.unseal(_key(portal, session), _place(name), sealed)
    except Unreadable as foreign:
        raise NoDraft from foreign
    return msgspec.json.decode(plain, type=Draft)


async def forget_ended(portal: Portal, now: datetime) -> None:
    await store.remove_ended_drafts(portal.database, now)


def _name(portal: Portal, session: Session, draft_id: str) -> bytes:
    text = f"{session.subject}|{draft_id}".encode()
    return hashlib.blake2b(text, key=portal.vault.secret("draft names"), digest_size=32).digest()


def _key(portal: Portal, session: Session) -> DataKey:
    # Bound to the person rather than to the browser's cookie: whoever signs in again goes on
    # where they stopped.
    ours = portal.vault.secret("drafts")
    raw = hashlib.blake2b(session.subject.encode(), key=ours, digest_size=48).digest()
    return DataKey(raw[32:], 1, AESGCM(raw[:32]))


def _place(name: bytes) -> Place:
    return Place("draft", "answers", name.hex(), 1)
