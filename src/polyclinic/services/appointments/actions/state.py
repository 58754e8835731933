"""What a running appointments service holds: its FHIR server, and later its caches and lanes."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from polyclinic.fhirserver.door import FhirServer
from polyclinic.fhirserver.rest.registered import Registered
from polyclinic.foundation.service import Running


@dataclass(slots=True)
class Desk:
    """The state of the service."""

    server: FhirServer


@asynccontextmanager
async def open_desk(running: Running) -> AsyncGenerator[Desk, None]:
    owned = {kind: Registered() for kind in running.service.owns}
    server = FhirServer.over(running, registered=owned)
    await server.search.frequencies.load()
    yield Desk(server)
