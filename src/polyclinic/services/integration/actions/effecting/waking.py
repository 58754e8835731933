"""Has messages tried again once there is what they wait for: their order, or their person."""

from collections.abc import Sequence

from polyclinic.services.integration.actions.effecting.work import Work
from polyclinic.services.integration.actions.state import Engine
from polyclinic.services.integration.store import matching as rows
from polyclinic.services.integration.store import queue

ORDER, UNKNOWN = "order", "unknown person"
# What came without a message of ours (an order written here, a patient registered at the desk)
# wakes nobody: it is found by looking again.
AGAIN_SECONDS = 600.0


async def await_(work: Work, *terms: bytes) -> None:
    """Before it is looked for, so that what comes meanwhile wakes the message."""
    await rows.await_(work.running.database, work.message, terms)


async def wake(work: Work, terms: Sequence[bytes]) -> None:
    if not terms:
        return
    if await rows.is_awaited(work.running.database, terms):
        async with work.running.database.transaction() as tx:
            if found := await rows.no_longer_awaited(tx, terms):
                await queue.again(tx, found, ("waiting",))
        work.engine.more.set()


async def look_again(engine: Engine) -> None:
    """What waits for an order or a person is tried every ten minutes, and costs little."""
    async with engine.running.database.transaction() as tx:
        if found := await rows.long_awaiting(tx, (ORDER, UNKNOWN), AGAIN_SECONDS):
            await queue.again(tx, found, ("waiting",))
    engine.more.set()
