"""Differences as findings: counted by cluster, with a few sealed examples and one verdict."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from polyclinic.foundation.caller import Caller
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import NotFound
from polyclinic.foundation.service import Running
from polyclinic.foundation.vault import Place
from polyclinic.services.migration.actions.deciding import decide
from polyclinic.services.migration.domain.diffing.clusters import (
    Verdict,
    check,
    cluster_id,
    passes,
)
from polyclinic.services.migration.domain.diffing.comparing import masked
from polyclinic.services.migration.domain.diffing.rules import Difference
from polyclinic.services.migration.store import differences
from polyclinic.services.migration.store.differences import EXAMPLES_MAX, Seen

# Beyond the first few, one example in so many is kept instead of an older one.
EXAMPLE_EVERY = 50


class Loud(NamedTuple):
    """The differences that no verdict lets pass."""

    lasting: Sequence[Difference]
    passing: Sequence[Difference]


async def note(
    running: Running,
    place: tuple[str, str],
    found: tuple[Sequence[Difference], Sequence[Difference]],
    now: datetime,
) -> Loud:
    """Counts what was found on a (capability, route); each cluster once for an answer."""
    clusters: dict[UUID, tuple[Seen, Difference]] = {}
    for lasts, group in ((1, found[0]), (0, found[1])):
        for each in group:
            name = cluster_id(*place, each.path, each.kind)
            seen = Seen(name, each.path, each.kind, each.severity, lasts, 1 - lasts)
            clusters.setdefault(name, (seen, each))
    if not clusters:
        return Loud((), ())
    quiet: set[UUID] = set()
    seen_now = [seen for seen, _ in clusters.values()]
    async with running.database.transaction() as tx:
        for row in await differences.note(tx, place, now, seen_now):
            if row["verdict"] and passes(Verdict(row["verdict"], row["until"]), now):
                quiet.add(row["id"])
            if row["number"] <= EXAMPLES_MAX or row["number"] % EXAMPLE_EVERY == 0:
                value = clusters[row["id"]][1]
                sealed = _seal(running, row["id"], (value.legacy, value.candidate))
                await differences.add_example(tx, row["id"], row["number"], now, sealed)

    def loud(group: Sequence[Difference]) -> list[Difference]:
        return [d for d in group if cluster_id(*place, d.path, d.kind) not in quiet]

    return Loud(loud(found[0]), loud(found[1]))


async def judge(
    tx: Transaction, caller: Caller, name: UUID, said: dict[str, Any]
) -> dict[str, Any]:
    """A person's verdict on a cluster; `said` holds owner, verdict, until, note, now."""
    rows = await differences.listed(tx, None, name)
    if not rows:
        raise NotFound(place="difference")
    verdict = said["verdict"]
    if verdict is not None:
        check(Verdict(verdict, said["until"]), rows[0]["severity"], said["now"])
    kept = (verdict, said["until"], said["note"])
    await differences.decide(tx, name, said["owner"], kept)
    value = {key: said[key] for key in ("owner", "verdict", "until")}
    await decide(tx, caller.subject, "difference", str(name), value, said["note"])
    return {"id": name, **value}


async def examples(running: Running, name: UUID, *, opened: bool) -> list[dict[str, Any]]:
    """A few examples: their shapes, or what they were; who opens them has left a decision."""
    found: list[dict[str, Any]] = []
    for row in await differences.examples(running.database, name):
        legacy, candidate = _open(running, name, row["sealed"])
        if not opened:
            legacy, candidate = masked(legacy), masked(candidate)
        found.append({"at": row["at"], "legacy": legacy, "candidate": candidate})
    return found


def _place(name: UUID) -> Place:
    return Place("difference_example", "values", name.hex, 1)


def _seal(running: Running, name: UUID, values: tuple[object, object]) -> bytes:
    return running.vault.seal(
        running.vault.own_key("differences"), _place(name), msgspec.json.encode(values)
    )


def _open(running: Running, name: UUID, sealed: bytes) -> tuple[Any, Any]:
    plain = running.vault.unseal(running.vault.own_key("differences"), _place(name), sealed)
    legacy, candidate = msgspec.json.decode(plain)
    return legacy, candidate


def seal_words(running: Running, name: UUID, text: str) -> bytes:
    place = Place("feedback", "words", name.hex, 1)
    return running.vault.seal(running.vault.own_key("feedback"), place, text.encode())


def open_words(running: Running, name: UUID, sealed: bytes) -> str:
    place = Place("feedback", "words", name.hex, 1)
    return running.vault.unseal(running.vault.own_key("feedback"), place, sealed).decode()
