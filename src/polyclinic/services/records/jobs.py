"""What the clock does for records."""

from polyclinic.foundation import once
from polyclinic.foundation.service import Running


async def sweep(running: Running) -> None:
    await once.sweep(running.database, running.settings.idempotency_hours)


async def count_terms(running: Running) -> None:
    """Counts index terms anew, so that searches choose their path well."""
    await running.state.search.frequencies.measure()


async def keep_log_months(running: Running) -> None:
    """Makes the access log's partitions of this month and the next."""
    await running.state.store.log.keep_months()
