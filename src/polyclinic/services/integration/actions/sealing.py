"""What is secret of a receiver: sealed under a key of all receivers, opened to be used."""

from uuid import UUID

import msgspec

from polyclinic.foundation.vault import Place, key_id_of
from polyclinic.services.integration.actions.state import Engine
from polyclinic.services.integration.domain.destinations import Particulars


async def seal(engine: Engine, name: UUID, particulars: Particulars) -> bytes:
    keys = engine.server.store.keys
    owner = keys.owner("Destination", [])
    key = (await keys.of_owners([owner]))[owner]
    return engine.running.vault.seal(key, _place(name), msgspec.json.encode(particulars))


async def unseal(engine: Engine, name: UUID, sealed: bytes) -> Particulars:
    keys = engine.server.store.keys
    await keys.load([key_id_of(sealed)])
    plain = engine.running.vault.unseal(keys.known(key_id_of(sealed)), _place(name), sealed)
    return msgspec.json.decode(plain, type=Particulars)


def _place(name: UUID) -> Place:
    return Place("destination", "sealed", str(name), 1)
