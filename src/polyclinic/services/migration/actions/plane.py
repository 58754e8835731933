"""What the gateway holds while it runs: rules, promises and counts; all of it is safe to lose."""

import asyncio
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal

from polyclinic.foundation import clock, telemetry
from polyclinic.foundation.batching import Lane
from polyclinic.foundation.errors import Problem
from polyclinic.foundation.service import Running
from polyclinic.services.migration.actions.meters import Meters, meters_of
from polyclinic.services.migration.domain.routing import RouteRule, Side, Table
from polyclinic.services.migration.gateways.upstreams import Upstreams
from polyclinic.services.migration.settings import MigrationSettings
from polyclinic.services.migration.store import counts, rules
from polyclinic.services.migration.store.counts import Counted

# A change of a rule is felt on every replica within five seconds; most of that is in hand.
LOOK_SECONDS = 1.0
TELL_SECONDS = 2.0
REMEMBERED_MAX = 50_000
# How long a comparison waits for a moment without requests: then it has its turn all the same.
CALM_SECONDS = 0.05
# Mismatched is a serious difference that lasts.
Outcome = Literal["same", "different", "mismatched", "dropped"]


def keyed_name(running: Running, kind: str, *parts: str) -> bytes:
    """The hash under which a unit, a visit or a key is known here."""
    whole = "\x1f".join(parts).encode()
    return blake2b(whole, digest_size=16, key=running.vault.secret(f"gateway {kind}")).digest()


@dataclass(slots=True)
class Plane:
    """One replica's gateway."""

    running: Running
    upstreams: Upstreams
    table: Table = field(default_factory=lambda: Table(()))
    serial: int = -1
    promised: dict[bytes, tuple[Side, float]] = field(default_factory=dict)
    counted: dict[tuple[str, Side], Counted] = field(default_factory=dict)
    used: dict[tuple[str, str, str], int] = field(default_factory=dict)
    let_in: dict[bytes, float] = field(default_factory=dict)
    busy: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    telling: asyncio.Lock = field(default_factory=asyncio.Lock)
    promises: "Lane[rules.Promise, Side]" = field(init=False)
    meters: Meters = field(init=False)

    def __post_init__(self) -> None:
        self.meters = meters_of(self.running.metrics)
        self.promises = Lane("promise", self._promise, self.running.metrics)

    @property
    def settings(self) -> MigrationSettings:
        return self.running.settings

    async def _promise(self, asked: list[rules.Promise]) -> Sequence[Side]:
        seconds = self.settings.visit_idle_minutes * 60
        return await rules.promise(self.running.database, asked, seconds)

    def name(self, kind: str, *parts: str) -> bytes:
        return keyed_name(self.running, kind, *parts)

    @contextmanager
    def answering(self) -> Generator[None]:
        """While a request is under way, comparisons stand back."""
        self.busy += 1
        self.idle.clear()
        try:
            yield
        finally:
            self.busy -= 1
            if not self.busy:
                self.idle.set()

    async def calm(self) -> None:
        """Returns when no request is under way, or after a moment."""
        if self.busy:
            with suppress(TimeoutError):
                async with asyncio.timeout(CALM_SECONDS):
                    await self.idle.wait()

    async def look(self) -> None:
        """Takes up rules that changed, of whichever replica."""
        newest = await rules.newest(self.running.database)
        if newest != self.serial:
            kept = await rules.current(self.running.database)
            self.table, self.serial = Table(each.rule for each in kept), newest

    def count(self, rule: RouteRule | None, side: Side, **more: int) -> None:
        at = (rule.capability if rule else "", side)
        before = self.counted.get(at, Counted())
        self.counted[at] = Counted(
            *(have + more.get(name, 0) for name, have in before._asdict().items())
        )

    def answered(self, rule: RouteRule | None, side: Side, status: int, seconds: float) -> None:
        capability = rule.capability if rule else ""
        self.meters.answers.labels(capability, side, str(status)).observe(seconds)
        slow_ms = rule.slo.slow_ms if rule else 1000
        self.count(
            rule, side, requests=1, failed=int(status >= 500), slow=int(seconds * 1000 > slow_ms)
        )

    def compared(self, rule: RouteRule, outcome: Outcome) -> None:
        self.meters.shadows.labels(rule.capability, outcome).inc()
        is_dropped = outcome == "dropped"
        mismatched = int(outcome == "mismatched")
        self.count(
            rule, "candidate", compared=int(not is_dropped), mismatched=mismatched,
            dropped=int(is_dropped),
        )  # fmt: skip

    def use(self, capability: str, kind: str, name: str) -> None:
        at = (capability, kind, name)
        self.used[at] = self.used.get(at, 0) + 1

    async def tell(self) -> None:
        """Adds what was counted to what all replicas counted."""
        async with self.telling:
            counted, self.counted = self.counted, {}
            used, self.used = self.used, {}
            if counted:
                await counts.add(self.running.database, clock.now(), counted)
            if used:
                await counts.add_uses(self.running.database, clock.now(), used)

    def recall(self, visit: bytes) -> Side | None:
        """What a visit was promised, as far as this replica knows without asking."""
        known = self.promised.get(visit)
        return known[0] if known is not None and time.monotonic() < known[1] else None

    def remember(self, visit: bytes, side: Side) -> None:
        """For half of the time: then the promise is made to last longer."""
        if len(self.promised) >= REMEMBERED_MAX:
            self.promised.clear()
        half = self.settings.visit_idle_minutes * 30
        self.promised[visit] = (side, time.monotonic() + half)

    async def keep_fresh(self) -> None:
        """Looks for new rules and tells counts for as long as the gateway runs."""
        told = time.monotonic()
        while True:
            try:
                await self.look()
                if time.monotonic() - told >= TELL_SECONDS:
                    told = time.monotonic()
                    await self.tell()
            except Problem:
                # What is known goes on to hold: nobody can change a rule either.
                telemetry.log("rules not seen", service="migration")
            except Exception as bug:  # noqa: BLE001 - a loop that ends would freeze the rules
                telemetry.log_bug("rules not seen", bug, service="migration")
            await asyncio.sleep(LOOK_SECONDS)

    async def last_word(self) -> None:
        with suppress(Problem):
            await self.tell()
