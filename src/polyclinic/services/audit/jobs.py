"""What the clock does for audit."""

from polyclinic.foundation.service import Job, Running
from polyclinic.foundation.trail.door import PAGE_MAX
from polyclinic.services.audit.actions import gathering, signing


async def gather(running: Running) -> bool:
    """Takes in what was logged since; goes on at once while pages are full.

    Under load there is always some new row: going on for each took a fifth of the processor.
    """
    found = False
    while count := await gathering.gather(running.state):
        found = True
        if count < PAGE_MAX:
            break
    return found


async def sign(running: Running) -> None:
    await signing.sign(running.state)


async def keep_log_months(running: Running) -> None:
    """Makes the partitions of audit's own access log."""
    await running.state.server.store.log.keep_months()


jobs = (
    Job("gather", 1, gather, idle_seconds=4),
    Job("sign", 10, sign),
    Job("keep log months", 6 * 3600, keep_log_months),
)
