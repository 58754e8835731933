"""What integration does when others speak: whoever wants to be told is told."""

import uuid
from collections.abc import Sequence

from polyclinic.foundation.database import Transaction
from polyclinic.foundation.events import Told
from polyclinic.foundation.service import Reaction, Running
from polyclinic.services.integration.actions.state import Engine
from polyclinic.services.integration.domain import telling
from polyclinic.services.integration.store import deliveries


async def tell(running: Running, tx: Transaction, told: Sequence[Told]) -> None:
    """One row for each receiver, in the transaction that notes the event: neither is lost."""
    engine: Engine = running.state
    await deliveries.tell(
        tx,
        [
            telling.said(
                uuid.UUID(each.id), (each.source, each.kind, each.subject), each.at, each.data
            )
            for each in told
        ],
    )
    engine.courier.wake.set()


reactions = tuple(
    Reaction(source, kind, tell) for source, kinds in telling.SAID.items() for kind in kinds
)
