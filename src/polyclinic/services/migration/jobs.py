"""What the clock does for migration."""

from polyclinic.foundation import clock, once
from polyclinic.foundation.service import Job, Running
from polyclinic.services.migration.actions import data, rolling
from polyclinic.services.migration.store import counts, differences, rules


async def sweep(running: Running) -> None:
    await once.sweep(running.database, running.settings.idempotency_hours)


async def watch_rollouts(running: Running) -> None:
    """Looks whether a canary burns its error budget, or is due for its next step."""
    await rolling.watch(running, clock.now())


async def sweep_gateway(running: Running) -> None:
    """Takes away promises and keys that ended, old counts and old examples."""
    await rules.sweep(running.database, running.settings.idempotency_hours)
    await counts.sweep(running.database, clock.now())
    await differences.sweep(running.database, clock.now())


async def move(running: Running) -> bool:
    """Moves what is to be moved between old systems and owners here; False when none is set up."""
    return await data.step(running.state)


jobs = (
    Job("sweep", 600, sweep),
    Job("watch rollouts", 5, watch_rollouts),
    Job("sweep gateway", 3600, sweep_gateway),
    Job("move data", 1, move, idle_seconds=8),
)
