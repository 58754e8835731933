"""Billing as its clients meet it: over HTTP, each person with a token of their own."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from service_door import ServiceDoor, at_work, caller, clinician, opened, patient

from polyclinic.foundation.http import App

__all__ = ("BILL", "SYSTEM", "TOM", "Door", "caller", "clinician", "open_door", "patient")
BILL = caller("billing", "Practitioner/bill", "user/*.cruds")
TOM = caller("front-desk", "Practitioner/tom", "user/*.cruds")
SYSTEM = caller("system", None, "system/*.cruds")


@dataclass(repr=False)
class Door(ServiceDoor):
    """Billing at work on a database of its own."""

    @property
    def books(self) -> Any:
        return self.running.state

    async def proof(self) -> dict[str, Any]:
        return (await self.ask(BILL, "GET", "/billing/ledger/proof")).json()


@asynccontextmanager
async def open_door(
    postgres_url: str, key_file: Path, *, beside: "Door | None" = None, **environ: str
) -> AsyncIterator[Door]:
    """Billing on a new database, or a second process on that of another."""
    cluster = (postgres_url, key_file)
    async with at_work("billing", cluster, beside, environ) as (running, url):
        door = Door(running, App(running), url)
        async with opened(door):
            yield door
