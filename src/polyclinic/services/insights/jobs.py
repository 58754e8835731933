"""What the clock does for insights."""

from polyclinic.foundation import once
from polyclinic.foundation.service import Job, Running


async def sweep(running: Running) -> None:
    """Forgets answers whose time is over."""
    await once.sweep(running.database, running.settings.idempotency_hours)


jobs = (Job("sweep", 600, sweep),)
