"""Compares both sides row by row and column by column, and says where they differ."""

from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import Any

import msgspec

from polyclinic.foundation import ids
from polyclinic.services.migration.actions.moving import CHUNK, Way
from polyclinic.services.migration.actions.returning import compared
from polyclinic.services.migration.domain.crossing import Pair, columns, digest
from polyclinic.services.migration.gateways.batches import Ask
from polyclinic.services.migration.store import moving as store


@dataclass(slots=True)
class Compared:
    """One pair. `checksum` is over all rows, `kept` over those that are kept unchanged."""

    pair: str
    rows: int = 0
    same: int = 0
    quarantined: int = 0
    missing: int = 0
    different: int = 0
    extra: int = 0
    columns: dict[str, int] = field(default_factory=dict[str, int])
    checksum: str = ""
    kept: str = ""


async def reconcile(way: Way, author: str) -> dict[str, Any]:
    """The report, which is kept: divergence is what neither agrees nor was put aside."""
    found: list[Compared] = []
    way.remembered = {}
    try:
        for row in await store.standing(way.database, way.system):
            pair = way.source.pair(row["name"])
            if pair is not None and row["direction"] != "off":
                found.append(await _pair(way, pair))
    finally:
        way.remembered = None  # what a broken comparison remembered would grow old
    diverging = sum(each.missing + each.different + each.extra for each in found)
    report = {"system": way.system, "divergence": diverging, "pairs": [asdict(e) for e in found]}
    content = msgspec.json.encode(report)
    await store.add_report(way.database, ids.new_uuid(), way.system, author, content)
    return report


async def _pair(way: Way, pair: Pair) -> Compared:
    result = Compared(pair.name)
    aside = await store.put_aside(way.database, way.system, pair.name)
    unseen = await store.keys_of(way.database, way.system, pair.name, digest(None))
    sums = [0, 0]
    after: Any = None
    while rows := await way.rows.page(pair, after, CHUNK):
        after = rows[-1][pair.key]
        said = {str(row[pair.key]): columns(pair, row) for row in rows}
        hashes = {key: way.hash(pair, key) for key, cols in said.items() if cols is not None}
        known = await store.crossed(way.database, way.system, pair.name, hashes.values())
        unseen -= set(hashes.values())
        names = [known[h].resource for h in hashes.values() if h in known]
        kept = await way.owners.ask([Ask("GET", pair.type, name) for name in names])
        resources = {n: each.resource for n, each in zip(names, kept, strict=True)}
        for key, hashed in hashes.items():
            cols = said[key] or {}
            resource = resources.get(known[hashed].resource) if hashed in known else None
            if resource is None and hashed in aside:
                result.rows += 1
                result.quarantined += 1
                continue
            await _row(way, pair, result, (cols, resource, sums))
        if len(rows) < CHUNK:
            break
    result.extra = len(unseen)
    result.checksum, result.kept = (f"{each:032x}" for each in sums)
    return result


async def _row(way: Way, pair: Pair, result: Compared, of: tuple[Any, Any, list[int]]) -> None:
    cols, resource, sums = of
    own = int.from_bytes(blake2b(digest(cols), digest_size=16).digest())
    result.rows += 1
    sums[0] ^= own
    if resource is None:
        result.missing += 1
        return
    differing = await compared(way, pair, cols, resource)
    if not differing:
        result.same += 1
        sums[1] ^= own
        return
    result.different += 1
    for name in differing:
        result.columns[name] = result.columns.get(name, 0) + 1
