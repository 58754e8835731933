"""Takes back to the old system what was written here, so that a step can be taken back whole.

Every write of ours names its resource in the old system's own log: after a crash the row that was
made is found again by that name, and our own changes do not come back as news.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

from polyclinic.foundation import clock
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Unavailable
from polyclinic.services.migration.actions.moving import Way, put
from polyclinic.services.migration.domain.crossing import (
    BOOKING,
    Columns,
    Pair,
    Refused,
    back,
    columns,
    digest,
    laid,
)
from polyclinic.services.migration.domain.crossing.pairs import Field
from polyclinic.services.migration.domain.crossing.rows import Back, of_key, read_path
from polyclinic.services.migration.domain.old_keys import OURS, Row, typed
from polyclinic.services.migration.gateways.batches import Ask, Said
from polyclinic.services.migration.store import moving as store
from polyclinic.services.migration.store.moving import Crossed

LOOKS, LOOK_SECONDS = 40, 0.05
VERSIONS = 20  # back from now, among which is the one that we wrote before a crash


async def take_back(way: Way, tx: Transaction, kind: str, name: str, version: int) -> None:
    """One change of a resource; raises Unavailable while either side does not answer.

    Owners are heard apart: without a turn for each, a booking that finds its patient unknown and
    the patient who looks for what waits could miss each other.
    """
    going = await _going_back(way)
    for pair in way.source.of_type(kind):
        if pair.name in going:
            await store.turn(tx, way.system)
            await _take_back(way, tx, pair, name, version)


async def _going_back(way: Way) -> set[str]:
    """Names of the pairs of which changes go back."""
    found = await store.directions(way.database, way.system)
    return {name for name, direction in found.items() if direction == "both"}


async def _take_back(way: Way, tx: Transaction, pair: Pair, name: str, version: int) -> None:
    before = await store.crossed_by(tx, way.system, pair.name, name)
    if before is not None and version <= before.version:
        return  # ours, or known already
    (said,) = await way.owners.ask([Ask("GET", pair.type, name)])
    if said.resource is None:
        await _end(way, tx, pair, name, before)
        return
    if before is None and await _is_coming_over(way, pair, name, said.resource):
        before = await _crossing(way, tx, pair, name)
        if before is None or version <= before.version:
            return
    await _carry(way, tx, pair, name, said, before)
    if pair.type == BOOKING:
        await store.left_a_time(tx, way.system, pair.name)


async def _carry(
    way: Way, tx: Transaction, pair: Pair, name: str, said: Said, before: Crossed | None
) -> None:
    assert said.resource is not None
    links = await back_links(way, pair, said.resource)
    try:
        cols = back(pair, said.resource, links)
        if before is None:
            await _new(way, tx, pair, name, said, cols)
        else:
            await _change(way, tx, pair, before, said, cols)
    except Refused as refused:
        if before is not None or not await _is_a_strangers(way, tx, pair, said.resource, links):
            key = before.key if before is not None else way.hash(pair, name)
            await _aside(tx, way, pair, key, (refused.column, refused.reason), name)


async def _is_a_strangers(
    way: Way, tx: Transaction, pair: Pair, resource: dict[str, Any], links: Back
) -> bool:
    """Whether it is of a patient whom the old system never had: then it is not its.

    Who was put aside is no stranger: what is theirs waits with them. Nor is who may go there yet:
    another owner tells of them in its own time.
    """
    going = await _going_back(way)
    for field, target, reference in _references(way, pair, resource):
        if target.type != "Patient" or (field.table, field.by, reference) in links:
            continue
        if pair.type == BOOKING and target.name in going:
            continue
        if not await store.waits(tx, way.system, target.name, _id(reference)):
            return True
    return False


async def _is_coming_over(way: Way, pair: Pair, name: str, resource: dict[str, Any]) -> bool:
    """Whether it stands for a row that we did not make: then it was not begun here."""
    if of_key(way.system, pair, resource) is None:
        return False
    return await way.rows.written(pair, f"{OURS}{pair.type}/{name}") is None


async def _crossing(way: Way, tx: Transaction, pair: Pair, name: str) -> Crossed | None:
    """What the way over keeps a moment after it wrote; None if it broke off and will come again."""
    for _ in range(LOOKS):
        if (found := await store.crossed_by(tx, way.system, pair.name, name)) is not None:
            return found
        await asyncio.sleep(LOOK_SECONDS)
    return None


async def _change(
    way: Way, tx: Transaction, pair: Pair, before: Crossed, said: Said, cols: Columns
) -> None:
    assert said.resource is not None
    key = of_key(way.system, pair, said.resource)
    row = await _row(way, pair, key) if key is not None else None
    now = columns(pair, row) if row is not None else None
    if key is None or row is None or now is None:
        raise Refused("", "the row is gone")
    changed = _differing(pair, now, cols)
    if changed and digest(now) != before.digest:
        raise Refused("", "changed on both sides")
    if changed:
        row = await _write(way, pair, row, cols, f"{before.resource}/{said.version}")
    made = columns(pair, row) if row is not None else None
    kept = Crossed(before.key, before.resource, said.version, digest(made))
    await store.cross(tx, way.system, pair.name, [kept])
    for side in ("back", "forward"):  # both say the same again
        await store.release(tx, way.system, pair.name, side, [before.key])


async def _write(way: Way, pair: Pair, was: Row, cols: Columns, version: str) -> Row | None:
    """The row as it is then. Raises Refused where somebody wrote after our look; the log brings
    theirs."""
    key, tag = str(was[pair.key]), f"{OURS}{pair.type}/{version}"
    changed = _differing(pair, columns(pair, was) or {}, cols)
    written = await way.rows.update(pair, was, changed | _touched(pair), tag)
    row = await _row(way, pair, key)
    if not written and (row is None or _differing(pair, columns(pair, row) or {}, cols)):
        raise Refused("", "changed on both sides")
    return row


async def _new(way: Way, tx: Transaction, pair: Pair, name: str, said: Said, cols: Columns) -> None:
    """A resource that was begun here becomes a row, and learns its key. Raises Refused."""
    assert said.resource is not None
    if missing := [f.column for f in pair.fields if f.need and f.column not in cols]:
        raise Refused(missing[0], "empty")
    tag = f"{OURS}{pair.type}/{name}"
    key = await way.rows.written(pair, tag)
    if key is None:
        own = None if pair.number == "integer" else f"PC{way.hash(pair, name).hex()[:10].upper()}"
        fresh = {**pair.fresh, **cols, **_touched(pair)}
        key = await way.rows.insert(pair, own, fresh, tag)
        row = await _row(way, pair, key)
    else:
        row = await _made_before(way, pair, key, (name, said, cols))
    made = columns(pair, row) if row is not None else None
    links = {link: reference for reference, link in (await _both(way, pair, said.resource))}
    # What the old system filled in by itself is said here too.
    resource = laid(way.system, pair, key, made or cols, links, said.resource)
    (kept,) = await way.owners.ask([put(way, pair, key, name, (resource, said.version))])
    if kept.status == 412:  # it is looked at again, for it must learn its key
        raise Unavailable("Somebody changed it meanwhile.", place="owner")
    version = kept.version if kept.status in (200, 201) else said.version
    crossed = Crossed(way.hash(pair, key), name, version, digest(made))
    await store.cross(tx, way.system, pair.name, [crossed])
    await store.release(tx, way.system, pair.name, "back", [way.hash(pair, name)])
    await _wake(way, tx, pair)


async def _made_before(way: Way, pair: Pair, key: str, of: tuple[str, Said, Columns]) -> Row | None:
    """The row that we made and never noted, brought to what was said here since. Raises Refused."""
    name, said, cols = of
    row = await _row(way, pair, key)
    now = columns(pair, row) if row is not None else None
    if row is None or now is None or not _differing(pair, now, cols):
        return row
    for version in range(said.version - 1, max(0, said.version - 1 - VERSIONS), -1):
        (then,) = await way.owners.ask([Ask("GET", pair.type, f"{name}/_history/{version}")])
        if then.resource is not None:
            told = back(pair, then.resource, await back_links(way, pair, then.resource))
            if all(now.get(column) == value for column, value in told.items()):
                return await _write(way, pair, row, cols, f"{name}/{said.version}")
    raise Refused("", "changed on both sides")


async def _wake(way: Way, tx: Transaction, known: Pair) -> None:
    """What waited for somebody to be known to the old system may go there now."""
    going = await _going_back(way)
    for row in await store.waiting(tx, way.system):
        pair = way.source.pair(row["pair"])
        if pair is None or pair.name not in going:
            continue
        if any(field.table == known.table for field in pair.fields):
            await _take_back(way, tx, pair, row["resource"], 0)


async def _end(way: Way, tx: Transaction, pair: Pair, name: str, before: Crossed | None) -> None:
    """What was deleted here cannot say its key any more: a person looks at it."""
    if before is not None:
        await _aside(tx, way, pair, before.key, ("", "deleted here"), name)
    else:  # it may have been put aside
        await store.release(tx, way.system, pair.name, "back", [way.hash(pair, name)])


async def _aside(
    tx: Transaction, way: Way, pair: Pair, key: bytes, why: tuple[str, str], name: str
) -> None:
    await store.quarantine(tx, way.system, pair.name, "back", [(key, *why)], name)


async def _row(way: Way, pair: Pair, key: str) -> Row | None:
    found = await way.rows.rows(pair, [typed(pair, key)])
    return found[0] if found else None


def _differing(pair: Pair, now: Columns, cols: Columns) -> dict[str, Any]:
    """Columns to be written, with their values; what was taken away becomes empty."""
    names = {field.column for field in pair.fields if field.returns}
    return {
        name: cols.get(name) for name in sorted(names) if now.get(name, "") != cols.get(name, "")
    }


def _touched(pair: Pair) -> dict[str, str]:
    return {pair.touch: f"{clock.now():%Y-%m-%dT%H:%M:%SZ}"} if pair.touch else {}


async def back_links(
    way: Way, pair: Pair, resource: dict[str, Any]
) -> dict[tuple[str, str, str], str]:
    """Which value of a link column a reference stands for."""
    return {
        (table, by, reference): value
        for reference, (table, by, value) in await _both(way, pair, resource)
    }


async def _both(
    way: Way, pair: Pair, resource: dict[str, Any]
) -> list[tuple[str, tuple[str, str, str]]]:
    """(reference, (table, column, value)) of each link that the old system knows."""
    found: list[tuple[str, tuple[str, str, str]]] = []
    for field, target, reference in _references(way, pair, resource):
        value = await _value_of(way, target, field.by, reference)
        if value:
            found.append((reference, (field.table, field.by, value)))
    return found


def _references(
    way: Way, pair: Pair, resource: dict[str, Any]
) -> Iterator[tuple[Field, Pair, str]]:
    """Each link of the resource, and the pair of what it means."""
    for field in pair.fields:
        target = way.source.of_table(field.table) if field.as_ == "link" else None
        reference = read_path(resource, field.path) if target is not None else None
        if target is not None and isinstance(reference, str):
            yield field, target, reference


def _id(reference: str) -> str:
    return reference.rpartition("/")[2]


async def _value_of(way: Way, target: Pair, by: str, reference: str) -> str:
    """What the column `by` says in the row that a reference stands for; empty: no such row."""
    place = (target.table, by, reference)
    if way.remembered is not None and place in way.remembered:
        return way.remembered[place]
    (said,) = await way.owners.ask([Ask("GET", target.type, _id(reference))])
    value = (of_key(way.system, target, said.resource) if said.resource else None) or ""
    if value and by:
        value = (await way.rows.values(target, by, [value])).get(value, "")
    if way.remembered is not None:
        way.remembered[place] = value
    return value


async def compared(way: Way, pair: Pair, cols: Columns, resource: dict[str, Any]) -> list[str]:
    """Columns in which a row and what is kept of it say different things."""
    try:
        kept = back(pair, resource, await back_links(way, pair, resource))
    except Refused as refused:
        return [refused.column]
    asked = {f.column for f in pair.fields if f.returns}
    return sorted(name for name in asked if cols.get(name, "") != kept.get(name, ""))
