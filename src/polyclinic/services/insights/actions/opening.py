"""Brings insights to life."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from polyclinic.foundation.service import Running
from polyclinic.services.insights.actions.following import Follower
from polyclinic.services.insights.actions.introducing import introduce
from polyclinic.services.insights.actions.learning import Teacher
from polyclinic.services.insights.actions.meters import Meters
from polyclinic.services.insights.actions.model_meters import ModelMeters
from polyclinic.services.insights.actions.state import Engine
from polyclinic.services.insights.actions.working import Worker
from polyclinic.services.insights.gateways import issuers


@asynccontextmanager
async def open_engine(running: Running) -> AsyncGenerator[Engine, None]:
    metrics = running.metrics
    listed = issuers.read(running.settings.cds_issuers)
    engine = Engine(running, Meters(metrics), ModelMeters(metrics), listed)
    engine.followers.append(Follower(engine).follow)
    await introduce(engine)
    async with Worker(engine).running(), Teacher(engine).running():
        yield engine
