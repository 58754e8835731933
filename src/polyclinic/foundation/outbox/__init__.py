"""How events travel: a row beside its cause, a number after the commit, and a feed to read from.

A service announces in the transaction of the cause. The sequencer numbers what is committed,
without gaps. Others read the feed over HTTP (in memory when they share the process) and note each
event in the transaction of its effect: at least once on the wire, once in effect, in order.
Why not `id > last`, nor LISTEN/NOTIFY: decisions/0010.
"""

from pathlib import Path
from typing import LiteralString

import msgspec

from polyclinic.foundation import tracing
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.events import Event

SCHEMA = Path(__file__).parent / "schema"

_ADD: LiteralString = """
    INSERT INTO outbox (kind, subject, data, trace)
    SELECT *, $4::text FROM unnest($1::text[], $2::text[], $3::bytea[])"""


async def announce(tx: Transaction, *events: tuple[str, Event]) -> None:
    """Keeps events, each with its subject (`Appointment/<id>`), or nothing if `tx` fails."""
    if events:
        await tx.execute(
            _ADD,
            [type(event).__name__ for _, event in events],
            [subject for subject, _ in events],
            [msgspec.json.encode(event) for _, event in events],
            tracing.here(),
        )
        tx.said()
