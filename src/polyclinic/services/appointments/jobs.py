"""What the clock does for appointments."""

from polyclinic.foundation import clock, telemetry
from polyclinic.foundation.service import Running
from polyclinic.services.appointments.actions import holding
from polyclinic.services.appointments.actions.auditing import audit as look_for_overlaps
from polyclinic.services.appointments.actions.auditing import settle


async def sweep(running: Running) -> None:
    """Takes away what ended: holds, offers, the answers of old requests."""
    await holding.sweep(running.state)
    await settle(running.state)


async def audit(running: Running) -> None:
    """Looks every night for what must never be; each finding is a bug of ours and is logged."""
    for what, count in (await look_for_overlaps(running.state, clock.now())).items():
        telemetry.log("double booking found", kind=what, count=count)


async def count_terms(running: Running) -> None:
    """Counts index terms anew, so that searches choose their path well."""
    await running.state.server.search.frequencies.measure()


async def keep_log_months(running: Running) -> None:
    """Makes the access log's partitions of this month and the next."""
    await running.state.server.store.log.keep_months()
