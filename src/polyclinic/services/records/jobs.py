"""What the clock does for records."""

from polyclinic.foundation.service import Running


async def count_terms(running: Running) -> None:
    """Counts index terms anew, so that searches choose their path well."""
    await running.state.search.frequencies.measure()
