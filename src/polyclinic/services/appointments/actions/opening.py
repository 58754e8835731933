"""Opens the desk: FHIR server, caches and lanes of a process."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from polyclinic.fhirserver.door import FhirServer
from polyclinic.foundation.batching import Lane
from polyclinic.foundation.errors import Problem
from polyclinic.foundation.once import Once, Stored
from polyclinic.foundation.service import Running
from polyclinic.services.appointments.actions.batches import Batched, book_batch, remember
from polyclinic.services.appointments.actions.calendar import Calendar
from polyclinic.services.appointments.actions.fhir import registered
from polyclinic.services.appointments.actions.state import Desk, Lanes
from polyclinic.services.appointments.actions.world import Worlds


@asynccontextmanager
async def open_desk(running: Running) -> AsyncGenerator[Desk, None]:
    """Two batches of bookings and one of refusals are on their way at a time."""
    database, metrics = running.database, running.metrics
    desk: Desk

    async def together(asks: list[Batched]) -> Sequence[Stored | Problem]:
        return await book_batch(desk, asks)

    async def refusals(given: list[tuple[Once, Stored]]) -> Sequence[Stored | Problem]:
        return await remember(desk, given)

    book = Lane("book", together, metrics, parallel=2)
    refuse = Lane("refuse", refusals, metrics)
    desk = Desk(
        running,
        FhirServer.over(running, registered=registered(lambda: desk)),
        Worlds(database.aside),
        Calendar(database, running.settings.opening_cache_ms / 1000),
        Lanes(book, refuse),
    )
    await desk.server.search.frequencies.load()
    yield desk
