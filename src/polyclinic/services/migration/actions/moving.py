"""Moves rows to their new owners, once and when they change; a row that cannot is put aside.

One process moves one source at a time (the clock's lease). Whatever is cut off is done again: the
same row has the same id, and a row whose digest is known is passed over.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from polyclinic.foundation import clock
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.vault import Place, Vault
from polyclinic.services.migration.domain.crossing import (
    BOOKING,
    BUSY,
    NOT_BEGUN,
    NOWHERE,
    TAKEN,
    Columns,
    Pair,
    Refused,
    Source,
    columns,
    digest,
    ended,
    laid,
    leaves,
    name_of,
    told,
)
from polyclinic.services.migration.domain.crossing.rows import key_system
from polyclinic.services.migration.domain.old_keys import OURS, Row, typed
from polyclinic.services.migration.gateways.batches import Ask, Resource, Said
from polyclinic.services.migration.gateways.old_rows import OldRows
from polyclinic.services.migration.gateways.owners import Owners
from polyclinic.services.migration.store import moving as store
from polyclinic.services.migration.store.moving import Aside, Crossed

CHUNK = 200
CHANGES = 500
# Until a row is asked again though nothing stirred: a day comes nearer, or a time has passed and is
# history then, which is refused to nobody.
AGAIN_SECONDS = {NOT_BEGUN: 300, TAKEN: 3600, BUSY: 3600}
MADE = 1  # the version of a resource when its row was moved first
_ASIDE = "put aside"  # what the key is for that seals the keys of rows
_LOST = ""  # no column has this name: a row that is no more


@dataclass(slots=True)
class Way:
    """Between one old system and the owners of what it had."""

    source: Source
    rows: OldRows
    owners: Owners
    database: Any
    secret: bytes
    version: int  # of the source as it was set up; what was found along an older one is not noted
    vault: Vault
    # How far the walk through each table has come, and as of when the pair was changed: a change or
    # a restart begins anew and passes over digests.
    walked: dict[str, tuple[datetime, Any]] = field(default_factory=dict[str, tuple[datetime, Any]])
    # What references stand for, while a comparison of everything is under way.
    remembered: dict[tuple[str, str, str], str] | None = None

    @property
    def system(self) -> str:
        return self.source.system

    def hash(self, pair: Pair, key: object) -> bytes:
        """A keyed hash of a row's key: the crosswalk names nobody."""
        text = f"{self.system}|{pair.table}|{key}".encode()
        return blake2b(text, digest_size=16, key=self.secret).digest()

    def seal(self, hashed: bytes, key: str) -> bytes:
        """A row's key, for its hash alone: who is put aside is asked for again."""
        return self.vault.seal(self.vault.own_key(_ASIDE), _place(hashed), key.encode())

    def unseal(self, hashed: bytes, sealed: bytes) -> str:
        return self.vault.unseal(self.vault.own_key(_ASIDE), _place(hashed), sealed).decode()


def _place(hashed: bytes) -> Place:
    return Place("quarantine", "key", hashed.hex(), 1)


@dataclass(frozen=True, slots=True)
class _Going:
    """A row on its way; `columns` none: it is gone."""

    key: str
    hash: bytes
    columns: Columns | None
    digest: bytes
    before: Crossed | None


@dataclass(slots=True)
class _Done:
    """What is to be written down of a chunk; `seen`: how often waiting rows were stirred before."""

    seen: int
    crossed: list[Crossed] = field(default_factory=list[Crossed])
    gone: list[bytes] = field(default_factory=list[bytes])
    same: list[bytes] = field(default_factory=list[bytes])
    refused: list[Aside] = field(default_factory=list[Aside])
    # Whether one of them leaves a time that another row may wait for.
    leaves: bool = False

    def refuse(self, way: Way, one: _Going, place: str, reason: str) -> None:
        waits = self.seen if reason in (TAKEN, BUSY, NOWHERE) else None
        after = AGAIN_SECONDS.get(reason)
        due = clock.now() + timedelta(seconds=after) if after is not None else None
        sealed = way.seal(one.hash, one.key)
        self.refused.append(Aside(one.hash, place, reason, "", sealed, waits, due))


async def step(way: Way) -> bool:
    """A chunk of what is to be done; false when there is nothing to do now."""
    if await _position(way) is None:
        return False
    walks = False
    for row in await store.standing(way.database, way.system):
        pair = way.source.pair(row["name"])
        if pair is not None and row["direction"] != "off" and not row["filled"]:
            walks = await _backfill(way, pair, row["changed"])
            break  # in the order of the pairs: whom a row is about comes before the row
    return await _follow(way) or walks or await _ask_again(way)


async def _backfill(way: Way, pair: Pair, changed: datetime) -> bool:
    """One chunk by key; rows that changed while it was read are the log's to bring."""
    if not await way.rows.is_settled():
        return False
    since, after = way.walked.get(pair.name, (changed, None))
    low = await way.rows.newest()
    rows = await way.rows.page(pair, after if since == changed else None, CHUNK)
    high = await way.rows.newest()
    news: set[str] = set()
    while low < high:
        part = await way.rows.changes(low, CHANGES)
        news |= {change.key for change in part if change.table == pair.table}
        low = part[-1].number if part else high
    await move(way, pair, [row for row in rows if str(row[pair.key]) not in news])
    if len(rows) < CHUNK:
        way.walked.pop(pair.name, None)
        await store.fill(way.database, way.system, way.version, pair.name, changed)
    else:
        way.walked[pair.name] = (changed, rows[-1][pair.key])
    return True


async def _ask_again(way: Way) -> bool:
    """Rows that waited for others, for a time of theirs or for an hour may be taken over now."""
    names = [pair.name for pair in way.source.pairs]
    found = await store.stirred(way.database, way.system, names, CHUNK)
    for pair in way.source.pairs:
        keys = [way.unseal(row["key"], row["sealed"]) for row in found if row["pair"] == pair.name]
        if keys:
            await _again(way, pair, keys)
    return bool(found)


async def _position(way: Way) -> int | None:
    """Up to where the log was followed; None once the source was set up anew."""
    now = (way.system, way.version)
    found = await store.sources(way.database)
    return next((s["log_seq"] for s in found if (s["system"], s["version"]) == now), None)


async def _follow(way: Way) -> bool:
    """What the source's log says since the last time."""
    at = await _position(way)
    if at is None:
        return False
    news = await way.rows.news(at, CHANGES)
    found = await store.standing(way.database, way.system)
    directions = {row["name"]: row["direction"] for row in found}
    for pair in way.source.pairs:
        keys = dict.fromkeys(
            change.key for change in news.changes
            if change.table == pair.table and not change.origin.startswith(OURS)
        )  # fmt: skip
        if keys and directions.get(pair.name, "off") != "off":
            await _again(way, pair, list(keys))
    if news.settled > at:
        await store.followed(way.database, way.system, way.version, news.settled)
    way.rows.heard(news)
    return bool(news.changes)


async def _again(way: Way, pair: Pair, keys: Sequence[str]) -> None:
    """Rows as they are now; those that are no more are gone."""
    rows = await way.rows.rows(pair, [typed(pair, key) for key in keys])
    there = {str(row[pair.key]) for row in rows}
    lost: list[Row] = [{pair.key: key, _LOST: True} for key in keys if key not in there]
    await move(way, pair, rows, lost)


async def move(way: Way, pair: Pair, rows: Sequence[Row], lost: Sequence[Row] = ()) -> None:
    """Takes rows over, or notes why not."""
    done = _Done(await store.stirs(way.database, way.system, pair.name))
    going = await _going(way, pair, [*rows, *lost], done)
    asks, whose = await _asks(way, pair, going, done)
    if asks or done.crossed:
        await _stir(way, pair, done)
    answers: dict[int, Said] = {}
    try:
        async for n, said in way.owners.answers(asks):
            answers[n] = said
    finally:  # where an owner does not answer any more, what it did before is noted all the same
        for n, said in answers.items():
            _settle(way, pair, whose[n], said, done)
        async with way.database.transaction() as tx:
            await _write_down(tx, way, pair, done)


async def _stir(way: Way, moved: Pair, done: _Done) -> None:
    """Wakes who waits for these rows before they are moved: a crash in between wakes them, too.

    Each by itself: the way back holds some of them until its transaction ends.
    """
    for name in [*dependents(way, moved), *([moved.name] if done.leaves else [])]:
        await store.stir(way.database, way.system, name)


def dependents(way: Way, known: Pair) -> list[str]:
    """Pairs whose rows mean rows of this one."""
    pairs = way.source.pairs
    return sorted(p.name for p in pairs if any(f.table == known.table for f in p.fields))


async def _write_down(tx: Transaction, way: Way, pair: Pair, done: _Done) -> None:
    await store.cross(tx, way.system, pair.name, done.crossed)
    await store.uncross(tx, way.system, pair.name, done.gone)
    good = [each.key for each in done.crossed] + done.gone + done.same
    await store.release(tx, way.system, pair.name, "forward", good)
    # Both sides say the same again, so what kept them apart on the way back is settled too.
    await store.release(tx, way.system, pair.name, "back", [each.key for each in done.crossed])
    await store.quarantine(tx, way.system, pair.name, "forward", done.refused)


async def _going(way: Way, pair: Pair, rows: Sequence[Row], done: _Done) -> list[_Going]:
    """What differs from what is known; the rest may have been put aside while it differed."""
    said = [(str(row[pair.key]), None if _LOST in row else columns(pair, row)) for row in rows]
    hashes = {key: way.hash(pair, key) for key, _ in said}
    known = await store.crossed(way.database, way.system, pair.name, hashes.values())
    new = [key for key, cols in said if cols is not None and hashes[key] not in known]
    # Rows that we made and have not noted yet are noted by who made them, and by nobody else.
    ours = await way.rows.ours(pair, new)
    found: list[_Going] = []
    for key, cols in said:
        before, made = known.get(hashes[key]), digest(cols)
        if key in ours or (before is not None and before.digest == made):
            done.same.append(hashes[key])
        else:
            found.append(_Going(key, hashes[key], cols, made, before))
    return found


async def _asks(
    way: Way, pair: Pair, going: Sequence[_Going], done: _Done
) -> tuple[list[Ask], list[_Going]]:
    links = await links_of(way, pair, [one.columns for one in going if one.columns])
    current = await _current(way, pair, going)
    changed = await _changed_here(way, pair, going, current)
    asks: list[Ask] = []
    whose: list[_Going] = []
    for one in going:
        name = _name(way, pair, one)
        base = current.get(name)
        try:
            resource = _resource(way, pair, one, links, base)
            if name in changed and _is_as_it_was(pair, one, resource, changed[name]):
                done.crossed.append(Crossed(one.hash, name, MADE, one.digest))
                continue
            _check_untouched(pair, one, resource, base if name in changed else None)
        except Refused as refused:
            done.refuse(way, one, refused.column, refused.reason)
            continue
        if resource is None:  # it is nowhere: there is nothing to end
            done.gone.append(one.hash)
            continue
        if pair.type == BOOKING and base is not None and base.resource is not None:
            done.leaves = done.leaves or leaves(base.resource, resource)
        asks.append(put(way, pair, one.key, name, (resource, base.version if base else None)))
        whose.append(one)
    return asks, whose


def put(way: Way, pair: Pair, key: str, name: str, said: tuple[Resource, int | None]) -> Ask:
    """What a row's resource is to say; refused where it is no longer of that version."""
    return Ask("PUT", pair.type, name, *said, (key_system(way.system, pair.table), key))


def _name(way: Way, pair: Pair, one: _Going) -> str:
    return one.before.resource if one.before else name_of(way.system, pair, one.key)


def _resource(
    way: Way, pair: Pair, one: _Going, links: dict[tuple[str, str, str], str], base: Said | None
) -> Resource | None:
    kept = base.resource if base else None
    if one.columns is not None:
        if base is not None and base.status == 410:
            raise Refused("", "deleted here")
        return laid(way.system, pair, one.key, one.columns, links, kept)
    return ended(pair, kept) if kept is not None else None


async def _current(way: Way, pair: Pair, going: Sequence[_Going]) -> dict[str, Said]:
    """What is kept of the rows: those too that were moved before a crash and never noted."""
    names = [_name(way, pair, one) for one in going]
    found = await way.owners.ask([Ask("GET", pair.type, name) for name in names])
    there = zip(names, found, strict=True)
    return {name: said for name, said in there if said.resource or said.status == 410}


async def _changed_here(
    way: Way, pair: Pair, going: Sequence[_Going], current: dict[str, Said]
) -> dict[str, Resource | None]:
    """Resources that say of the row what they did not say when both sides agreed last, as of then.

    That something else of them was changed here is no hindrance: a row is laid over what is kept.
    """
    agreed = {_name(way, pair, one): one.before.version if one.before else MADE for one in going}
    newer = {n: v for n, v in agreed.items() if n in current and current[n].version > v}
    asks = [Ask("GET", pair.type, f"{name}/_history/{then}") for name, then in newer.items()]
    changed: dict[str, Resource | None] = {}
    for name, then in zip(newer, await way.owners.ask(asks), strict=True):
        now = current[name].resource
        if now and (then.resource is None or told(pair, now) != told(pair, then.resource)):
            changed[name] = then.resource
    return changed


def _is_as_it_was(
    pair: Pair, one: _Going, resource: Resource | None, then: Resource | None
) -> bool:
    """Whether a row that was moved and never noted says what it said: only ours was changed."""
    if one.before is not None or resource is None or then is None or one.columns is None:
        return False
    return told(pair, resource) == told(pair, then)


def _check_untouched(
    pair: Pair, one: _Going, resource: Resource | None, changed: Said | None
) -> None:
    """What was written here is not overwritten unless the row says the same. Raises Refused."""
    if changed is None or changed.resource is None or resource is None:
        return
    if one.columns is None or told(pair, resource) != told(pair, changed.resource):
        raise Refused("", "changed on both sides")


def _settle(way: Way, pair: Pair, one: _Going, said: Said, done: _Done) -> None:
    if said.status in (200, 201):
        name = _name(way, pair, one)
        done.crossed.append(Crossed(one.hash, name, said.version, one.digest))
    elif said.status == 412:
        done.refuse(way, one, "", "changed on both sides")
    else:
        done.refuse(way, one, said.place[:200], said.reason)


async def links_of(
    way: Way, pair: Pair, found: Iterable[Columns]
) -> dict[tuple[str, str, str], str]:
    """The references that values of link columns stand for; those that lead nowhere are absent."""
    links: dict[tuple[str, str, str], str] = {}
    said = list(found)
    for each in pair.fields:
        target = way.source.of_table(each.table) if each.as_ == "link" else None
        if target is None:
            continue
        values = {cols[each.column] for cols in said if each.column in cols}
        keys = {value: value for value in values}
        if each.by:
            keys = await way.rows.lookup(target, each.by, values)
        hashes = {value: way.hash(target, key) for value, key in keys.items()}
        known = await store.crossed(way.database, way.system, target.name, hashes.values())
        for value, hashed in hashes.items():
            if hashed in known:
                reference = f"{target.type}/{known[hashed].resource}"
                links[each.table, each.by, value] = reference
    return links
