"""What the clock does for integration."""

from polyclinic.foundation import once
from polyclinic.foundation.service import Job, Running


async def sweep(running: Running) -> None:
    await once.sweep(running.database, running.settings.idempotency_hours)


async def count_terms(running: Running) -> None:
    """Counts index terms anew, so that searches choose their path well."""
    await running.state.server.search.frequencies.measure()


async def keep_log_months(running: Running) -> None:
    """Makes the access log's partitions of this month and the next."""
    await running.state.server.store.log.keep_months()


jobs = (
    Job("sweep", 600, sweep),
    Job("count terms", 120, count_terms),
    Job("keep log months", 6 * 3600, keep_log_months),
)
