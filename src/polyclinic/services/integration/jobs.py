"""What the clock does for integration."""

from polyclinic.foundation import once, telemetry
from polyclinic.foundation.service import Job, Running
from polyclinic.services.integration.actions import collecting, notifying, watching
from polyclinic.services.integration.actions.effecting import waking
from polyclinic.services.integration.store import deliveries, messages

DELIVERY_DAYS_MIN = 7  # so long a subscriber may ask for what it missed


async def sweep(running: Running) -> None:
    await once.sweep(running.database, running.settings.idempotency_hours)
    await messages.forget_claims(running.database, running.settings.duplicate_days)


async def collect(running: Running) -> bool:
    """Takes what other systems dropped into the folders; False when there is no folder."""
    return await collecting.collect(running.state)


async def watch(running: Running) -> None:
    """Measures the queues and listens for channels that are silent."""
    await watching.watch(running.state, running.state.gauges)


async def forget(running: Running) -> None:
    """Destroys what messages say once their time is over."""
    if count := await watching.forget(running.state):
        telemetry.log("messages emptied", service="integration", count=count)


async def forget_deliveries(running: Running) -> None:
    """What waits or is dead stays until somebody decides."""
    days = max(running.settings.delivery_days, DELIVERY_DAYS_MIN)
    await deliveries.forget(running.database, days)


async def tend_subscriptions(running: Running) -> None:
    """Shows how they stand, and lets those hear a heartbeat that asked for one."""
    await notifying.show(running.state)
    await notifying.beat(running.state)


async def look_again(running: Running) -> None:
    """Tries what waits for an order or a person that may have come another way."""
    await waking.look_again(running.state)


async def count_terms(running: Running) -> None:
    """Counts index terms anew, so that searches choose their path well."""
    await running.state.server.search.frequencies.measure()


async def keep_log_months(running: Running) -> None:
    """Makes the access log's partitions of this month and the next."""
    await running.state.server.store.log.keep_months()


jobs = (
    Job("look again", 120, look_again),
    Job("collect files", 2, collect, idle_seconds=8),
    Job("watch channels", 15, watch),
    Job("forget messages", 3600, forget),
    Job("sweep", 600, sweep),
    Job("forget deliveries", 3600, forget_deliveries),
    Job("tend subscriptions", 2, tend_subscriptions),
    Job("count terms", 120, count_terms),
    Job("keep log months", 6 * 3600, keep_log_months),
)
