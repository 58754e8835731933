"""Brings integration to life."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from polyclinic.fhirserver.door import FhirServer
from polyclinic.foundation.service import Running
from polyclinic.services.integration.actions.fhir import registered
from polyclinic.services.integration.actions.state import Engine


@asynccontextmanager
async def open_engine(running: Running) -> AsyncGenerator[Engine, None]:
    engine: Engine
    server = FhirServer.over(running, registered=registered(lambda: engine))
    engine = Engine(running, server)
    await server.search.frequencies.load()
    yield engine
