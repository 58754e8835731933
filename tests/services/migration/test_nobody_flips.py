"""Whoever is being seen stays on one side, while percentages go up and down and replicas restart.

People go through visits over two replicas, both asked at the same moment, one of which always
hears of a change of the rules later than the other. The oracle is one line: a visit has one side,
and it is the side whose answer came.
"""

import asyncio
import itertools
import random
import sys
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from gateway_world import QUICK, World, open_world

from polyclinic.services.migration.actions import choosing
from polyclinic.services.migration.actions.plane import Plane

PEOPLE = 48
ASKED_IN_A_VISIT = 50
# From each to the next the ladder lets one go: one step up, or down to anywhere.
PERCENTS = (5, 25, 50, 100, 25, 50, 100, 1)
STANDS_SECONDS = 1.0
# By capability: what its percentage counts, where that stands, and how many of them there are.
UNITS = {
    "charts": ("patient", "path:unit", 400),
    "desk": ("clinic", "header:x-unit", 60),
    "pilot": ("cohort", "header:x-unit", 40),
}


def side_named(name: str) -> Any:
    """A system that answers everything with its own name."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(name))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": name.encode()})

    return app


async def side_of(gateway: Any, method: str, path: str, headers: dict[str, str]) -> str:
    """Which system answered; the gateway is called as its server calls it."""
    said: list[bytes] = []
    body = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        if body:
            return body.pop()
        return await asyncio.get_running_loop().create_future()  # the caller stays

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200
        said.append(message.get("body", b""))

    named = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http", "http_version": "1.1", "method": method, "scheme": "http", "path": path,
        "raw_path": path.encode(), "query_string": b"", "headers": named, "client": None,
    }  # fmt: skip
    await gateway(scope, receive, send)
    return b"".join(said).decode()


@dataclass
class Visits:
    """What was seen of all visits."""

    world: World
    wanted: int
    asked: int = 0
    flips: int = 0
    visits: int = 0
    under_change: int = 0
    changes: Counter[str] = field(default_factory=Counter[str])
    sides: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])

    async def person(self, number: int) -> None:
        chance = random.Random(number)
        for visit in itertools.count():
            if self.asked >= self.wanted:
                return
            capability = chance.choice(list(UNITS))
            unit = f"u{chance.randrange(UNITS[capability][2])}"
            await self.visit(capability, unit, f"{number}.{visit}")

    async def visit(self, capability: str, unit: str, name: str) -> None:
        """Reads and changes of one visit, each time at both replicas at once."""
        began, seen = self.changes[capability], Counter[str]()
        headers = {"x-unit": unit, "x-visit": name}
        for turn in range(ASKED_IN_A_VISIT // 2):
            method = "POST" if turn % 5 == 4 else "GET"
            path = f"/{capability}/{unit}"
            seen.update(
                await asyncio.gather(
                    *(side_of(each, method, path, headers) for each in self.world.gateways)
                )
            )
        self.asked += seen.total()
        self.visits += 1
        self.under_change += self.changes[capability] > began
        # Whoever saw another side than most of the visit did was flipped.
        self.flips += seen.total() - max(seen.values())
        self.sides.update((capability, side) for side in seen.elements())

    async def rules_move(self) -> None:
        """Percentages up and down, cohorts in and out; one replica hears at once, one restarts."""
        for turn, percent in enumerate(itertools.cycle(PERCENTS)):
            for capability in ("charts", "desk"):
                body = {"percent": percent, "reason": "test"}
                await self._lead(capability, f"/routes/{capability}/step", body)
            for unit in range(turn % 4, UNITS["pilot"][2], 4):
                body = {"who": f"u{unit}", "is_unit": True, "leaves": bool(turn // 4 % 2)}
                await self._lead("pilot", "/routes/pilot/members", {**body, "reason": "test"})
            await self.world.gateways[turn % 2].plane.look()
            self.world.gateways[turn // 2 % 2].plane.promised.clear()
            await asyncio.sleep(STANDS_SECONDS)

    async def _lead(self, capability: str, path: str, body: Any) -> None:
        answer = await self.world.lead("POST", path, body)
        assert answer.status_code == 200, answer.text
        self.changes[capability] += 1


@asynccontextmanager
async def rolling_out(postgres_url, key_file):
    """Three capabilities on their way, each by another unit; changes go with their visit's side."""
    apps = side_named("legacy"), side_named("candidate")
    async with open_world(postgres_url, key_file, apps) as world:
        for capability, (unit, place, _) in UNITS.items():
            path = f"/{capability}/{{unit}}"
            routes = [
                {"name": method, "method": method, "path": path, "unit": [place]}
                for method in ("GET", "POST")
            ]
            await world.declare(
                capability, routes=routes, unit=unit, visit=["header:x-visit"], writer="side",
                shadow_percent=0, ladder=QUICK,
            )  # fmt: skip
            await world.move("shadow", "canary", capability=capability)
        yield world


async def gone_through(world: World, wanted: int) -> Visits:
    visits = Visits(world, wanted)
    moving = asyncio.create_task(visits.rules_move())
    async with asyncio.TaskGroup() as people:
        for number in range(PEOPLE):
            people.create_task(visits.person(number))
    assert not moving.done(), "the rules stopped moving"
    moving.cancel()
    return visits


@pytest.mark.long
@pytest.mark.timeout(1200)
async def test_a_hundred_thousand_requests_over_two_replicas_flip_nobody(
    postgres_url, key_file, record_property
):
    async with rolling_out(postgres_url, key_file) as world:
        visits = await gone_through(world, 100_000)
    record_property("requests", visits.asked)
    record_property("visits", visits.visits)
    record_property("of them while the rule changed", visits.under_change)
    record_property("changes of rules", visits.changes.total())
    record_property("flips", visits.flips)
    assert visits.asked >= 100_000
    assert visits.under_change > visits.visits / 4
    for capability, side in itertools.product(UNITS, ("legacy", "candidate")):
        assert visits.sides[capability, side] > 1000, "both sides were on"
    assert visits.flips == 0


async def nothing_promised(_: Plane, promise: Any) -> str:
    return promise.side


async def promised_by_each_for_itself(_: Plane, asked: list[Any]) -> list[str]:
    return [promise.side for promise in asked]


@pytest.mark.long
@pytest.mark.parametrize(
    ("where", "name", "broken"),
    [
        (choosing, "_promised", nothing_promised),
        (Plane, "_promise", promised_by_each_for_itself),
    ],
)
@pytest.mark.timeout(300)
async def test_the_same_count_sees_a_stickiness_that_is_broken(
    postgres_url, key_file, monkeypatch, record_property, where, name, broken
):
    """What the test above would say if visits were promised nothing, or not by all replicas."""
    monkeypatch.setattr(where, name, broken)
    async with rolling_out(postgres_url, key_file) as world:
        visits = await gone_through(world, 5000)
    record_property("flips", visits.flips)
    assert visits.flips > 20
