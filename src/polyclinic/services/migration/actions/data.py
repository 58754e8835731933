"""Sources and pairs as people set them up, and the steps that the clock takes along them."""

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Invalid, NotFound
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.migration.actions import moving, reconciling
from polyclinic.services.migration.actions.deciding import decide
from polyclinic.services.migration.actions.moving import Way
from polyclinic.services.migration.actions.state import Passage
from polyclinic.services.migration.domain import crossing
from polyclinic.services.migration.domain.crossing import Source
from polyclinic.services.migration.gateways.charts import Charts
from polyclinic.services.migration.store import moving as store

if TYPE_CHECKING:
    from polyclinic.services.migration.gateways.old_rows import OldRows

# How long the clock goes on while there is something to do.
BUSY_SECONDS = 5.0


class NoSource(NotFound):
    """No such old system is set up."""


async def ways(passage: Passage) -> dict[str, Way]:
    """Each source that is set up, opened once and anew when it was changed."""
    rows = await store.sources(passage.database)
    for row in rows:
        known = passage.ways.get(row["system"])
        if known is None or known[0] != row["version"]:
            source = crossing.read(row["document"])
            passage.ways[row["system"]] = (row["version"], _way(passage, source, row["url"]))
    return {row["system"]: passage.ways[row["system"]][1] for row in rows}


def _way(passage: Passage, source: Source, url: str) -> Way:
    running = passage.running
    secret = running.vault.secret("crosswalk")
    return Way(source, _opened(source, url), Charts(running), running.database, secret)


def _opened(source: Source, url: str) -> "OldRows":
    # A third of what a process takes to start, and most clinics have no old database.
    from polyclinic.services.migration.gateways.old_rows import OldRows  # noqa: PLC0415

    return OldRows(url, source.log)


async def need(passage: Passage, system: str) -> Way:
    found = (await ways(passage)).get(system)
    if found is None:
        raise NoSource(place="system")
    return found


async def set_up(passage: Passage, caller: Caller, text: str, url: str, key: Once | None) -> Stored:
    """Keeps what stands for what; moving begins when a pair is given a direction."""
    source = crossing.read(text.encode())
    _check_url(url)
    newest = await _opened(source, url).newest()

    async def act(tx: Any) -> tuple[int, object]:
        version = await store.save_source(
            tx, source.system, text.encode(), url, caller.subject, newest
        )
        await store.save_pairs(tx, source.system, [pair.name for pair in source.pairs])
        value = {"system": source.system, "version": version}
        await decide(tx, caller.subject, "source", source.system, value)
        return 200, value

    return await passage.carried(key, act)


def _check_url(url: str) -> None:
    """A password belongs into the environment of the process, not into a table."""
    try:
        parts = urlsplit(url)
        has_password = parts.password is not None
    except ValueError:
        raise Invalid("This is no address of a database.", place="url") from None
    if not parts.scheme or has_password:
        raise Invalid("An address such as sqlite:////srv/old.db, no password.", place="url")
    if parts.scheme.partition("+")[0] != "sqlite":
        # Elsewhere lines of a log are committed out of order, keys come from sequences, and others
        # write between our look and our change: none of that is provided for yet.
        text = "Rows are moved from and to SQLite only; mirror another database's tables into one."
        raise Invalid(text, place="url")


async def direct(
    passage: Passage, caller: Caller, name: str, direction: str, key: Once | None
) -> Stored:
    """off, forward (old to new), or both (what is written here goes back). `name`: system/pair."""
    system, _, pair = name.partition("/")
    await need(passage, system)

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
    """Goes on along every source while there is something to do, for a few seconds.

    Answers whether any source is set up.
    """
    async with passage.moving:
        end = time.monotonic() + BUSY_SECONDS
        known = (await ways(passage)).values()
        for way in known:
            while time.monotonic() < end and await moving.step(way):
                pass
        return bool(known)
