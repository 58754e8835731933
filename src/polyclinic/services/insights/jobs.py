"""What the clock does for insights."""

from polyclinic.foundation import once
from polyclinic.foundation.service import Job, Running
from polyclinic.services.insights.actions import drifting
from polyclinic.services.insights.actions.working import ask_what_is_due, measure
from polyclinic.services.insights.store import exposures, proofs


async def sweep(running: Running) -> None:
    """Forgets answers whose time is over."""
    await once.sweep(running.database, running.settings.idempotency_hours)
    await proofs.forget(running.database)


async def forget(running: Running) -> None:
    """What was shown to whom, once its time is over."""
    await exposures.forget(running.database, running.settings.keep_days)


async def measure_queue(running: Running) -> None:
    """How much waits to be scored, and since when."""
    await measure(running.state)


async def ask_due(running: Running) -> None:
    """Questions whose time has come: who will not come tomorrow."""
    await ask_what_is_due(running.state)


async def judge_models(running: Running) -> None:
    """Settles what was foretold, and silences who is wrong too often or not validated any more."""
    await drifting.mature(running.state)
    await drifting.measure(running.state)


jobs = (
    Job("sweep", 600, sweep),
    Job("forget exposures", 24 * 3600, forget),
    Job("measure queue", 15, measure_queue),
    Job("ask what is due", 20, ask_due),
    Job("judge models", 300, judge_models),
)
