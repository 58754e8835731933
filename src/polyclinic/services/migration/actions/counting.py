"""Whether a capability's rows are over: what the last comparison of both sides says of its tables.

The gate `backfill` is passed by that alone. A backfill that came to its end has moved what it
could; only the comparison knows whether the same stands on both sides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.foundation.errors import Conflict
from polyclinic.services.migration.domain import crossing
from polyclinic.services.migration.store import moving as store

BACKFILL = "backfill"


class NotOver(Conflict):
    """The rows are not over yet."""


class PairCounted(msgspec.Struct, frozen=True):
    """A pair in a comparison; `checksum` and `kept` are equal where all rows say the same."""

    pair: str
    rows: int
    same: int
    missing: int
    different: int
    extra: int
    checksum: str
    kept: str


class _Report(msgspec.Struct, frozen=True):
    pairs: list[PairCounted]


class _Said(msgspec.Struct, frozen=True):
    aside: int = 0


@dataclass(slots=True)
class Counted:
    """What is known of tables of an old system; nothing is `wrong` when both sides say the same.

    `aside` are rows that were not taken over: people sign for them. `evidence` is numbers alone.
    """

    wrong: list[str] = field(default_factory=list[str])
    aside: int = 0
    evidence: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


async def counted(where: Database | Transaction, inventory: str, tables: Sequence[str]) -> Counted:
    """By the newest comparison of each old system that has pairs for these tables."""
    result, unmoved = Counted(), set(tables)
    for system, pairs in (await _moved(where, inventory, tables)).items():
        unmoved -= pairs.keys()
        await _add(where, system, pairs, result)
    if unmoved:
        result.wrong.insert(0, f"No pair moves {', '.join(sorted(unmoved))}.")
    return result


async def show(
    where: Database | Transaction, inventory: str, tables: Sequence[str], signed: str
) -> dict[str, Any]:
    """The evidence that all rows are over; raises NotOver. `signed` is why rows may stay aside."""
    found = await counted(where, inventory, tables)
    if found.wrong:
        raise NotOver(" ".join([NotOver.__doc__ or "", *found.wrong]), place="evidence")
    if found.aside and not signed.strip():
        text = f"{found.aside} rows were put aside: an administrator signs them, and says why."
        raise NotOver(text, place="text")
    return {"reconciliations": found.evidence, "aside": found.aside}


async def no_longer(
    where: Database | Transaction, inventory: str, tables: Sequence[str], evidence: object
) -> str:
    """What speaks against a gate that was passed before, in a sentence; empty if nothing does."""
    found = await counted(where, inventory, tables)
    if found.wrong:
        return " ".join(found.wrong)
    try:
        signed = msgspec.convert(evidence, _Said).aside
    except msgspec.ValidationError:
        signed = 0
    if found.aside > signed:
        return f"{found.aside} rows are put aside now, {signed} were signed for."
    return ""


async def _moved(
    where: Database | Transaction, inventory: str, tables: Sequence[str]
) -> dict[str, dict[str, str]]:
    """For each old system the pairs that move these tables, by table.

    A system of the inventory's own name is the one that is meant; else any that has the tables.
    """
    found: dict[str, dict[str, str]] = {}
    for row in await store.sources(where):
        source = crossing.read(row["document"])
        pairs = {p.table: p.name for p in source.pairs if p.table in tables}
        if pairs:
            found[row["system"]] = pairs
    return {inventory: found[inventory]} if inventory in found else found


async def _add(
    where: Database | Transaction, system: str, moved: Mapping[str, str], result: Counted
) -> None:
    report = await store.last_report(where, system)
    pairs = msgspec.json.decode(report["report"], type=_Report).pairs if report else []
    known = {each.pair: each for each in pairs if each.pair in moved.values()}
    for row in await store.pairs(where, system):
        if row["name"] not in moved.values():
            continue
        result.aside += row["quarantined"]
        since = report["at"] if report is not None and report["at"] > row["changed"] else None
        if text := _wrong(row, known.get(row["name"]) if since else None):
            result.wrong.append(f"{system}/{row['name']}: {text}.")
    if report is not None:
        shown = [msgspec.to_builtins(each) for each in known.values()]
        at = report["at"].isoformat()
        result.evidence.append(
            {"id": str(report["id"]), "system": system, "at": at, "pairs": shown}
        )


def _wrong(row: Row, found: PairCounted | None) -> str:
    if row["direction"] == "off":
        return "it is not moved"
    if not row["filled"]:
        return "the backfill has not come to its end"
    if found is None:
        return "both sides were not compared since"
    counts = {"missing": found.missing, "different": found.different, "too many": found.extra}
    if any(counts.values()):
        said = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        return f"of {found.rows} rows {said}"
    return "" if found.checksum == found.kept else "the checksums differ"
