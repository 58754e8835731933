"""The old clinic in memory, with its truth beside it."""

import base64
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import httpx
import yaml

from polyclinic.demo import legacy
from polyclinic.demo.legacy import Settings, legacy_clinic

TODAY = date(2026, 3, 2)
TRUTH = yaml.safe_load((Path(legacy.__file__).parent / "truth.yaml").read_text())


def basic(login="skim"):
    return {"authorization": "Basic " + base64.b64encode(f"{login}:harbor".encode()).decode()}


@asynccontextmanager
async def clinic(folder, *faults, rows=1500, **more):
    app = legacy_clinic(Settings(data=folder, rows=rows, today=TODAY, faults=faults, **more))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://harbor.test", headers=basic()
    ) as client:
        yield client
    app.state.clinic.close()
