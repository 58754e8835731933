"""Harbor Street Clinic: a made-up old system, as a clinic has one before it moves.

A monolith over one SQLite file: JSON and forms, three kinds of ids, US units and dates, soft
deletes, links that are only meant, an access log. Its data come from a seed; faults can be
switched on (`faults.py`). What is true of it stands in truth.yaml, which no tool reads.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware

from polyclinic.demo.legacy import answers, kept
from polyclinic.demo.legacy.door import Door, State
from polyclinic.demo.legacy.settings import Settings
from polyclinic.foundation import clock

__all__ = ["Settings", "legacy_clinic"]


def legacy_clinic(settings: Settings) -> Starlette:
    """The clinic as an app; its file is made and filled when there is none."""
    settings.data.mkdir(parents=True, exist_ok=True)
    file = settings.data / kept.FILE
    today = settings.today or clock.today()
    kept.make(file, rows=settings.rows, seed=settings.seed, today=today)
    state = State.of(settings, kept.Kept(file))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None, None]:
        yield
        state.close()

    app = Starlette(
        routes=answers.routes, lifespan=lifespan, middleware=[Middleware(Door, state=state)]
    )
    app.state.clinic = state
    return app
