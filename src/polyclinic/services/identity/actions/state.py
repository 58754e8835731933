"""What identity's actions work with: its database, its keys, its settings, its password check."""

import hashlib
import hmac
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import argon2
from joserfc.jwk import OKPKey

from polyclinic.foundation import jose, telemetry
from polyclinic.foundation.caller import NO_ISSUER
from polyclinic.foundation.database import Database, Transaction
from polyclinic.foundation.errors import Overloaded
from polyclinic.foundation.service import Running
from polyclinic.foundation.vault import DataKey, RootKey, Vault
from polyclinic.foundation.work import in_thread
from polyclinic.services.identity.domain import clients
from polyclinic.services.identity.domain.tokens import SigningKey
from polyclinic.services.identity.settings import IdentitySettings
from polyclinic.services.identity.store import events
from polyclinic.services.identity.store import keys as key_store

# Two threads check some 50 passwords a second; who would wait longer is told to come back.
WAITING_MAX = 64


class Passwords:
    """Argon2id, away from the event loop; an absent account costs what a present one does."""

    def __init__(self, settings: IdentitySettings) -> None:
        self._hasher = argon2.PasswordHasher(
            time_cost=settings.argon2_passes,
            memory_cost=settings.argon2_memory_kib,
            parallelism=1,
        )
        self._waiting = 0
        # Made with the same cost, of a password that nobody has.
        self._nobody = self._hasher.hash(secrets.token_urlsafe(32))

    def check_room(self) -> None:
        """Raises Overloaded before a try is counted that would wait for seconds."""
        if self._waiting >= WAITING_MAX:
            raise Overloaded

    async def hash(self, password: str) -> str:
        return await in_thread(self._hasher.hash, password)

    async def is_right(self, kept: str | None, password: str) -> bool:
        """Whether the password fits; for nobody's account the same work and always no."""
        self._waiting += 1
        try:
            fits = await in_thread(self._verify, kept or self._nobody, password)
        finally:
            self._waiting -= 1
        return fits and kept is not None

    def is_outdated(self, kept: str) -> bool:
        return self._hasher.check_needs_rehash(kept)

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except argon2.exceptions.VerifyMismatchError:
            return False


@dataclass
class Identity:
    """Identity at work."""

    database: Database
    vault: Vault
    root: RootKey
    settings: IdentitySettings
    public_url: str | None
    passwords: Passwords
    document_scopes: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict[str, tuple[str, ...]]
    )
    signing: tuple[SigningKey, datetime] | None = field(default=None)

    @property
    def issuer(self) -> str:
        return self.public_url.rstrip("/") if self.public_url else NO_ISSUER

    def keyed_hash(self, purpose: str, text: str) -> bytes:
        """A hash that nobody can compute or check without this installation's keys."""
        key = self.vault.secret(f"hash|{purpose}")
        return hmac.digest(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256)

    def operator_key(self) -> OKPKey:
        return jose.ed25519(self.root.derive("operator"))

    def portal_client(self) -> clients.Client:
        key = jose.ed25519(self.root.derive(f"client|{clients.PORTAL}"))
        return clients.portal(key.as_dict(private=False))

    def service_client(self, name: str) -> clients.Client:
        key = jose.ed25519(self.root.derive(f"client|{name}"))
        documents = self.document_scopes.get(name, ())
        return clients.service(name, documents, key.as_dict(private=False))

    async def data_key(self, label: str) -> DataKey:
        """The key under which identity seals one kind of thing; made when first needed."""
        owner = self.vault.owner(label)
        known = self.vault.known_owner(owner)
        if known is not None:
            return known
        wrapped = await key_store.find_data_key(self.database, owner)
        if wrapped is None:
            await key_store.add_data_key(self.database, self.vault.new_key(owner))
            wrapped = await key_store.find_data_key(self.database, owner)
            assert wrapped is not None
        return self.vault.unwrap(wrapped)


@asynccontextmanager
async def open_identity(running: Running) -> AsyncGenerator[Identity, None]:
    """Identity's state for as long as the service runs."""
    settings: IdentitySettings = running.settings
    yield Identity(
        running.database,
        running.vault,
        running.root,
        settings,
        running.platform.public_url,
        await in_thread(Passwords, settings),
        running.document_scopes,
    )


def new_secret() -> str:
    """256 random bits as text, for codes, refresh tokens and sessions."""
    return secrets.token_urlsafe(32)


def secret_hash(secret: str) -> bytes:
    """How such a secret is kept: nothing slower is needed against 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


async def note(
    db: Database | Transaction,
    kind: str,
    now: datetime,
    *,
    account: UUID | None = None,
    client: str | None = None,
    source: bytes | None = None,
) -> None:
    """Keeps a security event and logs it; neither ever holds a user name."""
    event = events.SecurityEvent(kind, now, telemetry.request_id.get(), account, client, source)
    await events.add_event(db, event)
    telemetry.log(kind, account=str(account) if account else None, client=client)
