"""Forgetting codes, tokens, sessions and tries that no longer matter."""

from datetime import datetime

from polyclinic.services.identity.actions.state import Identity
from polyclinic.services.identity.store import events


async def forget_expired(identity: Identity, now: datetime) -> None:
    await events.delete_expired(identity.database, now)
