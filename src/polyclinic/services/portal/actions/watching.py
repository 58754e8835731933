"""Looks at every service each quarter of a minute and remembers the last ten minutes of it."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from polyclinic.foundation import telemetry
from polyclinic.foundation.work import meanwhile
from polyclinic.services.portal.domain import watching
from polyclinic.services.portal.domain.watching import Look, Vitals
from polyclinic.services.portal.gateways.health import Health


@dataclass(slots=True)
class Watch:
    """What this process saw of the services; safe to lose."""

    health: Health
    looks: dict[str, deque[Look]] = field(default_factory=dict[str, deque[Look]])

    async def look(self) -> None:
        """One look at everybody; who does not answer is remembered from the beginning again."""
        names = self.health.names()
        texts = await asyncio.gather(*(self.health.numbers(name) for name in names))
        for name, text in zip(names, texts, strict=True):
            if text is None:
                self.looks.pop(name, None)
                continue
            look = watching.read_plain(watching.read(text, time.monotonic()), text)
            kept = self.looks.setdefault(name, deque(maxlen=watching.LOOKS_MAX))
            kept.append(look)

    def vitals(self, name: str) -> Vitals | None:
        return watching.vitals(tuple(self.looks.get(name, ())))

    async def run(self) -> None:
        while True:
            try:
                await self.look()
            except Exception as bug:  # noqa: BLE001 - a picture that is missing stops nothing else
                telemetry.log_bug("services not looked at", bug, service="portal")
            await asyncio.sleep(watching.EVERY_SECONDS)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        async with meanwhile(self.run()):
            yield
