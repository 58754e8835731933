"""Sources and pairs as people set them up, and the steps that the clock takes along them."""

import time
from typing import Any

import msgspec

from polyclinic.foundation import telemetry
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.database import Row
from polyclinic.foundation.errors import Conflict, NotFound, Problem
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.migration.actions import moving, reconciling, returning
from polyclinic.services.migration.actions.deciding import decide
from polyclinic.services.migration.actions.moving import Way
from polyclinic.services.migration.actions.state import Passage
from polyclinic.services.migration.domain import crossing
from polyclinic.services.migration.domain.crossing import Source
from polyclinic.services.migration.domain.old_address import check_address
from polyclinic.services.migration.gateways.old_database import open_rows
from polyclinic.services.migration.gateways.owners import Owners
from polyclinic.services.migration.store import moving as store

# How long the clock goes on while there is something to do.
BUSY_SECONDS = 5.0


class NoSource(NotFound):
    """No such old system is set up."""


class NoOwner(Conflict):
    """Bookings are kept by the appointments service, which is not part of this installation."""


async def ways(passage: Passage) -> dict[str, Way]:
    """Each source that is set up, opened once and anew when it was changed."""
    rows = await store.sources(passage.database)
    for row in rows:
        known = passage.ways.get(row["system"])
        if known is None or known[0] != row["version"]:
            source = crossing.read(row["document"])
            passage.ways[row["system"]] = (row["version"], _way(passage, source, row))
            if known is not None:
                await known[1].rows.close()
    return {row["system"]: passage.ways[row["system"]][1] for row in rows}


def _way(passage: Passage, source: Source, row: Row) -> Way:
    running = passage.running
    secret = running.vault.secret("crosswalk")
    rows = open_rows(row["url"], source)
    return Way(
        source, rows, Owners(running), running.database, secret, row["version"], running.vault
    )


async def need(passage: Passage, system: str) -> Way:
    found = (await ways(passage)).get(system)
    if found is None:
        raise NoSource(place="system")
    return found


async def set_up(passage: Passage, caller: Caller, text: str, url: str, key: Once | None) -> Stored:
    """Keeps what stands for what; moving begins when a pair is given a direction."""
    source = crossing.read(text.encode())
    check_address(url)
    rows = open_rows(url, source)
    try:
        await rows.check()
        newest = await rows.newest()
    finally:
        await rows.close()

    async def act(tx: Any) -> tuple[int, object]:
        version = await store.save_source(
            tx, source.system, text.encode(), url, caller.subject, newest
        )
        await store.save_pairs(tx, source.system, [pair.name for pair in source.pairs])
        value = {"system": source.system, "version": version}
        await decide(tx, caller.subject, "source", source.system, value)
        return 200, value

    return await passage.carried(key, act)


async def direct(
    passage: Passage, caller: Caller, name: str, direction: str, key: Once | None
) -> Stored:
    """off, forward (old to new), or both (what is written here goes back). `name`: system/pair."""
    system, _, pair = name.partition("/")
    way = await need(passage, system)
    found = way.source.pair(pair)
    if found is not None and direction != "off" and not way.owners.is_there(found.type):
        raise NoOwner(place="pair")
    if found is not None and direction == "both":
        await way.rows.check_back(found)

    async def act(tx: Any) -> tuple[int, object]:
        if not await store.direct(tx, system, pair, direction):
            raise NoSource("There is no such pair.", place="pair")
        value = {"pair": name, "direction": direction}
        await decide(tx, caller.subject, "direction", name, value)
        return 200, value

    return await passage.carried(key, act)


async def listed(passage: Passage) -> list[dict[str, Any]]:
    rows = await store.sources(passage.database)
    return [{"system": row["system"], "version": row["version"]} for row in rows]


async def shown(passage: Passage, system: str) -> dict[str, Any]:
    """How far each pair is, what was put aside and why, and what the last comparison found."""
    await need(passage, system)
    pairs = await store.pairs(passage.database, system)
    reasons = await store.reasons(passage.database, system)
    report = await store.last_report(passage.database, system)
    return {
        "system": system,
        "pairs": [dict(row) for row in pairs],
        "quarantine": [dict(row) for row in reasons],
        "reconciled": None
        if report is None
        else {"at": report["at"], "report": msgspec.Raw(report["report"])},
    }


async def reconcile(passage: Passage, caller: Caller, system: str) -> dict[str, Any]:
    way = await need(passage, system)
    async with passage.moving:
        return await reconciling.reconcile(way, caller.subject)


async def step(passage: Passage) -> bool:
    """Goes on along every source while there is something to do, for a few seconds each.

    Answers whether any source is set up.
    """
    async with passage.moving:
        known = (await ways(passage)).values()
        for way in known:
            try:
                await _go_on(way)
            except Problem as problem:
                telemetry.log("source not moved", error=type(problem).__name__)
            except Exception as bug:  # noqa: BLE001 - one source's row must not stop the others
                telemetry.log_bug("source not moved", bug)
        return bool(known)


async def _go_on(way: Way) -> None:
    end = time.monotonic() + BUSY_SECONDS
    while time.monotonic() < end and await step_of(way):
        pass


async def step_of(way: Way) -> bool:
    """A step there, and one back of what waited; false when there is nothing to do now."""
    is_busy = await moving.step(way)
    return await returning.wake(way) or is_busy
