"""What the clock does for integration."""

from polyclinic.foundation import once, telemetry
from polyclinic.foundation.service import Job, Running
from polyclinic.services.integration.actions import watching
from polyclinic.services.integration.store import messages


async def sweep(running: Running) -> None:
    await once.sweep(running.database, running.settings.idempotency_hours)
    await messages.forget_claims(running.database, running.settings.duplicate_days)


async def watch(running: Running) -> None:
    """Measures the queues and listens for channels that are silent."""
    await watching.watch(running.state, running.state.gauges)


async def forget(running: Running) -> None:
    """Destroys what messages say once their time is over."""
    if count := await watching.forget(running.state):
        telemetry.log("messages emptied", service="integration", count=count)


async def count_terms(running: Running) -> None:
    """Counts index terms anew, so that searches choose their path well."""
    await running.state.server.search.frequencies.measure()


async def keep_log_months(running: Running) -> None:
    """Makes the access log's partitions of this month and the next."""
    await running.state.server.store.log.keep_months()


jobs = (
    Job("watch channels", 15, watch),
    Job("forget messages", 3600, forget),
    Job("sweep", 600, sweep),
    Job("count terms", 120, count_terms),
    Job("keep log months", 6 * 3600, keep_log_months),
)
