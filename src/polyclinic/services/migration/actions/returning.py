"""Takes back to the old system what was written here, so that a step can be taken back whole.

Every write of ours names its resource in the old system's own log: after a crash the row that was
made is found again by that name, and our own changes do not come back as news.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from polyclinic.foundation import clock, telemetry
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Unavailable
from polyclinic.services.migration.actions.moving import Way, dependents, put
from polyclinic.services.migration.domain.crossing import (
    BOOKING,
    Columns,
    Pair,
    Refused,
    back,
    columns,
    digest,
    laid,
    leaves,
)
from polyclinic.services.migration.domain.crossing.pairs import Field
from polyclinic.services.migration.domain.crossing.rows import UNKNOWN, Back, of_key, read_path
from polyclinic.services.migration.domain.old_keys import OURS, Row, typed
from polyclinic.services.migration.gateways.batches import Ask, Resource, Said
from polyclinic.services.migration.store import moving as store
from polyclinic.services.migration.store.moving import Aside, Crossed

WAKES = 20  # at once; then the way over has its turn
COMING = "its row is on its way here"
VERSIONS = 20  # back from now, among which is the one that we wrote before a crash


async def take_back(way: Way, tx: Transaction, kind: str, name: str, version: int) -> None:
    """One change of a resource; raises Unavailable while either side does not answer."""
    going = await _going_back(way, tx)
    for pair in way.source.of_type(kind):
        if pair.name not in going:
            continue
        before = await store.crossed_by(tx, way.system, pair.name, name)
        if before is not None and version <= before.version:
            continue  # ours, or known already
        await store.turn(tx, way.system, pair.name, name)
        said = await _take_back(way, tx, pair, name)
        if pair.type == BOOKING and await _leaves(way, name, version, said):
            await store.stir(tx, way.system, pair.name)


async def wake(way: Way) -> bool:
    """Takes back what waited for somebody to be known to the old system, and now is.

    Each in a transaction of its own. False when there was nothing.
    """
    names = [pair.name for pair in way.source.pairs]
    found = await store.woken(way.database, way.system, names, WAKES)
    for row in found:
        pair = way.source.pair(row["pair"])
        assert pair is not None
        try:
            async with way.database.transaction() as tx:
                await store.turn(tx, way.system, pair.name, row["resource"])
                if await store.let_go(tx, way.system, pair.name, row["key"]):
                    await _take_back(way, tx, pair, row["resource"], row["stands"])
        except Unavailable:
            raise
        except Exception as bug:  # noqa: BLE001 - what is behind it waits for nobody
            telemetry.log_bug("not taken back", bug, kind=pair.type)
            await store.put_off(way.database, way.system, pair.name, row["key"], row["stands"])
    return bool(found)


async def _going_back(way: Way, tx: Transaction) -> set[str]:
    """Names of the pairs of which changes go back."""
    found = await store.standing(tx, way.system)
    return {row["name"] for row in found if row["direction"] == "both"}


async def _take_back(
    way: Way, tx: Transaction, pair: Pair, name: str, stood: datetime | None = None
) -> Said:
    """What its owner says of it; `stood`: when what it waited for was noted, if it did.

    Whoever calls has the resource's turn.
    """
    before = await store.crossed_by(tx, way.system, pair.name, name)
    (said,) = await way.owners.ask([Ask("GET", pair.type, name)])
    if said.resource is None:
        await _end(way, tx, pair, name, before)
    elif before is None and await _is_coming_over(way, pair, name, said.resource):
        # The way over keeps a moment after it wrote what it did; what it did not it does again.
        aside = Aside(way.hash(pair, name), "", COMING, name, awaits_pair=pair.name, awaits=name)
        await store.quarantine(tx, way.system, pair.name, "back", [aside])
    elif before is None or said.version > before.version:
        await _carry(way, tx, pair, (name, said, before), stood)
    return said


async def _leaves(way: Way, name: str, version: int, said: Said) -> bool:
    """Whether a booking no longer has a time that it had before this version of it."""
    if version == 1 or said.resource is None:
        return said.resource is None
    (then,) = await way.owners.ask([Ask("GET", BOOKING, f"{name}/_history/{version - 1}")])
    return then.resource is None or leaves(then.resource, said.resource)


async def _carry(
    way: Way, tx: Transaction, pair: Pair, of: tuple[str, Said, Crossed | None],
    stood: datetime | None,
) -> None:  # fmt: skip
    name, said, before = of
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
            aside = Aside(key, refused.column, refused.reason, name)
            if refused.reason == UNKNOWN:
                target, missing = _missing(way, pair, said.resource, links)[0]
                aside = aside._replace(awaits_pair=target, awaits=missing, stood=stood)
            await store.quarantine(tx, way.system, pair.name, "back", [aside])


def _missing(way: Way, pair: Pair, resource: Resource, links: Back) -> list[tuple[str, str]]:
    """What it means and the old system does not know: its pair and its resource."""
    return [
        (target.name, _id(reference))
        for field, target, reference in _references(way, pair, resource)
        if (field.table, field.by, reference) not in links
    ]


async def _is_a_strangers(
    way: Way, tx: Transaction, pair: Pair, resource: Resource, links: Back
) -> bool:
    """Whether it is of a patient whom the old system never had: then it is not its.

    Who was put aside is no stranger: what is theirs waits with them. Nor is who may go there yet:
    another owner tells of them in its own time.
    """
    going = await _going_back(way, tx)
    for field, target, reference in _references(way, pair, resource):
        if target.type != "Patient" or (field.table, field.by, reference) in links:
            continue
        if pair.type == BOOKING and target.name in going:
            continue
        if not await store.waits(tx, way.system, target.name, _id(reference)):
            return True
    return False


async def _is_coming_over(way: Way, pair: Pair, name: str, resource: Resource) -> bool:
    """Whether it stands for a row that we did not make: then it was not begun here."""
    if of_key(way.system, pair, resource) is None:
        return False
    return await way.rows.written(pair, f"{OURS}{pair.type}/{name}") is None


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
    for other in dependents(way, pair):
        await store.stir(tx, way.system, other)


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


async def _end(way: Way, tx: Transaction, pair: Pair, name: str, before: Crossed | None) -> None:
    """What was deleted here cannot say its key any more: a person looks at it."""
    if before is not None:
        aside = Aside(before.key, "", "deleted here", name)
        await store.quarantine(tx, way.system, pair.name, "back", [aside])
    else:  # it may have been put aside
        await store.release(tx, way.system, pair.name, "back", [way.hash(pair, name)])


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


async def back_links(way: Way, pair: Pair, resource: Resource) -> dict[tuple[str, str, str], str]:
    """Which value of a link column a reference stands for."""
    return {
        (table, by, reference): value
        for reference, (table, by, value) in await _both(way, pair, resource)
    }


async def _both(way: Way, pair: Pair, resource: Resource) -> list[tuple[str, tuple[str, str, str]]]:
    """(reference, (table, column, value)) of each link that the old system knows."""
    found: list[tuple[str, tuple[str, str, str]]] = []
    for field, target, reference in _references(way, pair, resource):
        value = await _value_of(way, target, field.by, reference)
        if value:
            found.append((reference, (field.table, field.by, value)))
    return found


def _references(way: Way, pair: Pair, resource: Resource) -> Iterator[tuple[Field, Pair, str]]:
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


async def compared(way: Way, pair: Pair, cols: Columns, resource: Resource) -> list[str]:
    """Columns in which a row and what is kept of it say different things."""
    try:
        kept = back(pair, resource, await back_links(way, pair, resource))
    except Refused as refused:
        return [refused.column]
    asked = {f.column for f in pair.fields if f.returns}
    return sorted(name for name in asked if cols.get(name, "") != kept.get(name, ""))
