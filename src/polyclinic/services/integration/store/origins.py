"""Where a change came from: the messages that caused versions of ours, by their lineage."""

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString

from polyclinic.foundation.database import Database

_CAUSED: LiteralString = """
    SELECT EXISTS (
        SELECT FROM integration.effect e JOIN integration.message m ON m.id = e.message
        WHERE e.name = $1 AND e.version = $2 AND e.did <> 'unchanged' AND m.channel = ANY ($3))"""
# A message that came before the event and is not worked off may be what caused it.
_UNSURE: LiteralString = """
    SELECT EXISTS (
        SELECT FROM integration.message m
        WHERE m.channel = ANY ($1) AND m.state IN ('received', 'failed')
          AND m.at <= $2 AND m.at > $2 - interval '15 minutes')"""


async def caused(where: Database, name: str, version: str, channels: Sequence[str]) -> bool:
    """Whether this version was made by a message that came by one of the channels."""
    return await where.fetchval(_CAUSED, name, version, list(channels))


async def unsure(where: Database, channels: Sequence[str], at: datetime) -> bool:
    return await where.fetchval(_UNSURE, list(channels), at)
