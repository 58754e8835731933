"""Brings audit to life."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from polyclinic.fhirserver.door import FhirServer
from polyclinic.fhirserver.rest.registered import Registered
from polyclinic.foundation.service import Running
from polyclinic.services.audit.actions.state import Engine, Gauges
from polyclinic.services.audit.gateways.anchors import Anchors
from polyclinic.services.audit.gateways.people import People
from polyclinic.services.audit.gateways.trails import Trails
from polyclinic.standards.transparency.note import Signer

# The key never lies in the database: it comes from the root key's file.
KEY_PURPOSE = "audit checkpoints"
OWNED = ("AuditEvent",)


@asynccontextmanager
async def open_engine(running: Running) -> AsyncGenerator[Engine, None]:
    server = FhirServer.over(running, registered={kind: Registered() for kind in OWNED})
    signer = Signer.of(running.settings.origin, running.root.derive(KEY_PURPOSE))
    gauges = Gauges(running.metrics)
    engine = Engine(running, server, signer, Trails(running), People(running), gauges)
    if file := running.settings.anchor_file:
        engine.anchors = Anchors(Path(file))
    yield engine
