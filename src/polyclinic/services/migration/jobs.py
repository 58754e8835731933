"""What the clock does for migration."""

from polyclinic.foundation import once
from polyclinic.foundation.service import Job, Running


async def sweep(running: Running) -> None:
    await once.sweep(running.database, running.settings.idempotency_hours)


jobs = (Job("sweep", 600, sweep),)
