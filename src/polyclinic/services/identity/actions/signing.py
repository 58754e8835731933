"""The keys that sign tokens: made by generation, kept public for as long as their tokens live."""

import secrets
from datetime import datetime, timedelta
from typing import Any

from polyclinic.foundation import jose
from polyclinic.foundation.vault import Place
from polyclinic.services.identity.actions.state import Identity, note
from polyclinic.services.identity.domain.tokens import SigningKey
from polyclinic.services.identity.store import keys as store
from polyclinic.services.identity.store.keys import StoredKey

# Another process may have made a newer key; each notices within this time.
NOTICED_AFTER = timedelta(seconds=60)
# The longest-lived token is far shorter; the rest is for clocks and caches.
KEPT_AFTER = timedelta(days=1)


async def signing_key(identity: Identity, now: datetime) -> SigningKey:
    """The key that signs now; made when there is none or the last one is old."""
    if identity.signing is not None and abs(now - identity.signing[1]) < NOTICED_AFTER:
        return identity.signing[0]
    # Counted before it is looked: whoever makes one meanwhile has made the same generation.
    generation = await store.last_generation(identity.database)
    newest = await _newest(identity, now)
    if newest is None:
        await _make(identity, generation + 1, now)
        newest = await _newest(identity, now)
        assert newest is not None
    identity.signing = (await _opened(identity, newest), now)
    return identity.signing[0]


async def public_keys(identity: Identity, now: datetime) -> dict[str, Any]:
    """The JWKS: every key under which a token may still be valid."""
    await signing_key(identity, now)
    shared = {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA"}
    return {
        "keys": [
            {**shared, "kid": key.kid, "x": key.public_x}
            for key in await store.list_signing_keys(identity.database, _horizon(identity, now))
        ]
    }


async def public_key(identity: Identity, kid: str, now: datetime) -> jose.PublicKey:
    """One public key by its id; raises BadToken for an id that is not, or no longer, ours."""
    for key in (await public_keys(identity, now))["keys"]:
        if key["kid"] == kid:
            return jose.public_ed25519(key["x"])
    raise jose.BadToken("The token is signed with a key that is not ours.")


async def _newest(identity: Identity, now: datetime) -> StoredKey | None:
    young = now - timedelta(days=identity.settings.key_days)
    found = await store.list_signing_keys(identity.database, young)
    return found[0] if found else None


async def _make(identity: Identity, generation: int, now: datetime) -> None:
    seed = secrets.token_bytes(32)
    key = jose.ed25519(seed)
    # RFC 7638: the key's own fingerprint, so that an id never means two keys.
    kid = key.thumbprint()
    cipher = await identity.data_key("signing-keys")
    sealed = identity.vault.seal(cipher, _place(generation, kid), seed)
    public_x = str(key.as_dict(private=False)["x"])
    await store.add_signing_key(
        identity.database, StoredKey(generation, kid, public_x, sealed, now)
    )
    await note(identity.database, "signing-key-made", now)


async def _opened(identity: Identity, stored: StoredKey) -> SigningKey:
    cipher = await identity.data_key("signing-keys")
    seed = identity.vault.unseal(cipher, _place(stored.generation, stored.kid), stored.sealed)
    return SigningKey(stored.kid, jose.ed25519(seed), stored.created_at)


def _place(generation: int, kid: str) -> Place:
    return Place("signing_key", "ed25519", kid, generation)


def _horizon(identity: Identity, now: datetime) -> datetime:
    return now - timedelta(days=identity.settings.key_days) - KEPT_AFTER
