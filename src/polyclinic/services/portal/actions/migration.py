"""What those who lead the move see and do: the overview, rules, differences, data, decisions."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from polyclinic.foundation.errors import Invalid, NotFound
from polyclinic.services.portal.actions.state import Portal, answered
from polyclinic.services.portal.domain import migration_words as words
from polyclinic.services.portal.domain.session import Session
from polyclinic.services.portal.gateways.migration import NAME, Body

PAGE = 50
# Each difference is asked for its examples.
DIFFERENCES = 20
Listed = list[Body]


@dataclass(frozen=True)
class Overview:
    """Where the whole move stands."""

    rules: Listed
    numbers: Listed
    incidents: Listed
    sources: Listed

    @property
    def days(self) -> Listed:
        return [day for each in self.numbers for day in each["burn_down"]["days"]]

    @property
    def aside(self) -> int:
        return sum(pair["quarantined"] for each in self.sources for pair in each["pairs"])

    @property
    def needs(self) -> list[words.Need]:
        """What waits for a person, capability by capability."""
        of = {each["capability"]: each for each in self.numbers}
        return [need for rule in self.rules for need in words.needs(rule, of[rule["capability"]])]

    @property
    def open(self) -> Listed:
        """The newest incident of each capability that somebody has to release yet."""
        held = {rule["capability"] for rule in self.rules if rule["held"]}
        newest = {each["capability"]: each for each in reversed(self.incidents)}
        return [each for name, each in newest.items() if name in held]


async def get(portal: Portal, session: Session, *path: str, **asked: str) -> Body:
    work = portal.migration.get(session.tokens.access, *path, **asked)
    return await answered(portal, NAME, work)


async def post(portal: Portal, session: Session, key: str, body: Body, *path: str) -> Body:
    """A change that is made once, however often it is pressed."""
    work = portal.migration.post(session.tokens.access, key, body, *path)
    return await answered(portal, NAME, work)


async def put(portal: Portal, session: Session, version: str, body: Body, *path: str) -> Body:
    work = portal.migration.put(session.tokens.access, version, body, *path)
    return await answered(portal, NAME, work)


async def open_overview(portal: Portal, session: Session) -> Overview:
    rules, incidents, sources = await asyncio.gather(
        get(portal, session, "routes"), get(portal, session, "incidents"), data(portal, session)
    )
    names = [rule["capability"] for rule in rules["routes"]]
    found = await asyncio.gather(*(get(portal, session, "routes", n) for n in names))
    numbers = [each["numbers"] for each in found]
    return Overview(rules["routes"], numbers, incidents["incidents"], sources)


async def data(portal: Portal, session: Session) -> Listed:
    """Every old database with its pairs."""
    listed = (await get(portal, session, "sources"))["sources"]
    return list(
        await asyncio.gather(*(get(portal, session, "sources", e["system"]) for e in listed))
    )


async def open_plan(portal: Portal, session: Session, asked: str) -> tuple[Listed, str, Body]:
    """The old systems, the one that is looked at, and its plan (empty where there is none)."""
    listed = (await get(portal, session, "inventories"))["inventories"]
    names = [each["name"] for each in listed]
    if asked and asked not in names:
        raise NotFound("There is no such old system.")
    if not names:
        return listed, "", {}
    name = asked or names[0]
    return listed, name, await get(portal, session, "inventories", name, "plan")


async def set_term(
    portal: Portal, session: Session, name: str, place: tuple[str, str], value: float
) -> None:
    """Puts one term of one capability's score; everything else stays as it is."""
    capability, term = place
    plan = await get(portal, session, "inventories", name, "plan")
    inputs = plan["plan"]["inputs"]
    values = {**inputs["values"]}
    values[capability] = {**values.get(capability, {}), term: value}
    body = {**inputs, "values": values}
    await put(portal, session, str(plan["version"]), body, "inventories", name, "plan")


async def open_route(portal: Portal, session: Session, capability: str) -> dict[str, Any]:
    """A rule with its numbers, what people say of it, and what went wrong."""
    found, said, incidents = await asyncio.gather(
        get(portal, session, "routes", capability),
        get(portal, session, "routes", capability, "feedback"),
        get(portal, session, "incidents", capability=capability),
    )
    rule, numbers = found["rule"], found["numbers"]
    return {
        "rule": rule,
        "numbers": numbers,
        "steps": words.steps(rule),
        "signals": words.signals(numbers["sides"], rule["slo"]),
        "forward": words.forward(rule),
        "backward": words.backward(rule),
        "waits": words.waits_for(rule, numbers),
        "gates": words.holding_gates(rule, numbers),
        "feedback": said,
        "incidents": incidents["incidents"],
    }


@dataclass(frozen=True)
class Deed:
    """What a button does: where it is said, with which body, and what that means.

    `gates` are those of the plan that stay open all the same.
    """

    path: tuple[str, ...]
    body: Body
    means: str
    gates: Sequence[Mapping[str, Any]] = ()

    def because(self, reason: str) -> Body:
        """The body with its reason; for open gates it is why they may stay open, too."""
        more = {"override": reason} if self.gates else {}
        return {**self.body, "reason": reason, **more}


async def deed(portal: Portal, session: Session, capability: str, verb: str) -> Deed:
    """What a button of a route means now; raises Invalid where there is no such step."""
    if verb == "kill":
        means = "Everybody is back on the old side at once."
        return Deed(("kill",), {"capability": capability}, means)
    if verb in ("hold", "release"):
        text = "Nobody more comes to the new side." if verb == "hold" else "It may go on."
        return Deed(("routes", capability, verb), {}, text)
    shown = await get(portal, session, "routes", capability)
    rule = shown["rule"]
    ways = {"next": words.forward, "override": words.forward, "back": words.backward}
    found = ways.get(verb, lambda _: None)(rule)
    gates = words.holding_gates(rule, shown["numbers"]) if verb == "override" else []
    if found is None or (verb == "override" and not gates):
        raise Invalid("There is no such step from here.")
    return Deed(("routes", capability, found.path), dict(found.body), found.words, gates)


@dataclass(frozen=True)
class Differences:
    """A page of differences with the shapes of their examples, and where the next one begins."""

    found: Listed
    total: int
    after: int
    later: int | None


async def open_differences(
    portal: Portal, session: Session, capability: str, after: int
) -> Differences:
    """The most serious first."""
    asked = {"capability": capability} if capability else {}
    listed = (await get(portal, session, "differences", **asked))["differences"]
    found = listed[after : after + DIFFERENCES]
    shown = await asyncio.gather(
        *(get(portal, session, "differences", each["id"], "examples") for each in found)
    )
    full = [{**each, "examples": one["examples"]} for each, one in zip(found, shown, strict=True)]
    end = after + len(found)
    return Differences(full, len(listed), after, end if end < len(listed) else None)


async def open_decisions(portal: Portal, session: Session, before: str) -> Listed:
    asked = {"newest": "true", "limit": str(PAGE), **({"before": before} if before else {})}
    return (await get(portal, session, "decisions", **asked))["decisions"]
