"""Brings integration to life."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from polyclinic.fhirserver.door import FhirServer
from polyclinic.foundation.service import Running
from polyclinic.services.integration.actions import speaking
from polyclinic.services.integration.actions.answering import Answering
from polyclinic.services.integration.actions.delivering import Courier
from polyclinic.services.integration.actions.effecting.carrying import carry_out
from polyclinic.services.integration.actions.fhir import registered
from polyclinic.services.integration.actions.outbound import outbound_ways
from polyclinic.services.integration.actions.receiving import Receiver
from polyclinic.services.integration.actions.state import Engine
from polyclinic.services.integration.actions.watching import Gauges
from polyclinic.services.integration.actions.working import Worker
from polyclinic.services.integration.domain import addresses
from polyclinic.services.integration.domain.mapping import translate
from polyclinic.services.integration.gateways.converting import converter
from polyclinic.services.integration.gateways.folders import Folders
from polyclinic.services.integration.gateways.lines import Lines
from polyclinic.services.integration.gateways.looking import Looking
from polyclinic.services.integration.gateways.outward import Outward


@asynccontextmanager
async def open_engine(running: Running) -> AsyncGenerator[Engine, None]:
    engine: Engine
    server = FhirServer.over(running, registered=registered(lambda: engine))
    async with converter() as converting:
        engine = Engine(running, server, translate, carry_out, converting)
        engine.folders = Folders(Path(root)) if (root := running.settings.folders) else None
        engine.gauges = Gauges(running.metrics)
        engine.receive = Receiver(engine).receive
        engine.outward = Outward(addresses.origins(running.settings.outward_allowed))
        engine.lines = Lines(engine.outward, speaking.trusted(running.settings))
        engine.looking = Looking(running)
        engine.courier = Courier(running, outbound_ways(lambda: engine))
        engine.answering = Answering(engine)
        await server.search.frequencies.load()
        work = Worker(engine).running()
        lines, answering = aclosing(engine.lines), engine.answering.at_work()
        async with lines, work, engine.courier.at_work(), answering:
            yield engine
