"""Where the resources were: counted, handed out a page at a time, and at last let go.

What is let go is deleted here with its index and its past; the access log stays. Nothing is
announced: the resource was not deleted, it lives on with its owner.
"""

from collections.abc import Mapping, Sequence
from typing import LiteralString

from polyclinic.fhirserver.access import ACCESS, MAY_WRITE, Grant
from polyclinic.fhirserver.adoption.moving import Left, LetGo, Moved, Named, Page, digest, moved
from polyclinic.fhirserver.adoption.whole import Place, Whole, whole
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.store import log, write
from polyclinic.fhirserver.store.log import Released
from polyclinic.fhirserver.store.rows import GRANTS, Columns
from polyclinic.fhirserver.store.store import Store
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Conflict
from polyclinic.standards.fhir.definitions import type_name, type_number

PAGE_MAX = 200
# Sealed bytes of a page; opened they are about ten times as many, and a body holds 64 MiB.
PAGE_BYTES = 2 << 20
# In the access log: handed to its owner, and let go to it.
HANDED_OUT, LET_GO = "e", "m"

COUNT: LiteralString = f"""
WITH {GRANTS}
SELECT r.type, count(*) AS resources, sum(r.version) AS versions
FROM resource r CROSS JOIN g WHERE r.type = ANY ($8::smallint[]) AND {ACCESS} GROUP BY r.type
"""
# As many as fit, and one at least; `octet_length` of what stands apart reads no byte of it.
PAGE: LiteralString = f"""
WITH {GRANTS},
next AS MATERIALIZED (
    SELECT r.pid, r.id, coalesce(octet_length(r.envelope), 0) + coalesce(
        (SELECT sum(octet_length(v.envelope)) FROM version v WHERE v.pid = r.pid), 0) AS size
    FROM resource r CROSS JOIN g
    WHERE r.type = $8 AND r.pid > $9 AND {ACCESS} ORDER BY r.pid LIMIT $10),
added AS (SELECT pid, id, size, sum(size) OVER (ORDER BY pid) AS together FROM next)
SELECT pid, id FROM added WHERE together - size < $11 ORDER BY pid
"""
HOLD: LiteralString = f"""
WITH {GRANTS},
asked AS (SELECT * FROM unnest($8::smallint[], $9::text[]) AS a(type, id))
SELECT r.pid FROM asked a JOIN resource r ON r.type = a.type AND r.id = a.id CROSS JOIN g
WHERE {ACCESS} AND {MAY_WRITE} ORDER BY r.type, r.id FOR UPDATE OF r
"""
LEAVE: tuple[LiteralString, ...] = (
    f"WITH {GRANTS} DELETE FROM version r USING g WHERE r.pid = ANY ($8::bigint[]) AND {MAY_WRITE}",
    f"WITH {GRANTS} DELETE FROM resource r USING g"
    f" WHERE r.pid = ANY ($8::bigint[]) AND {MAY_WRITE}",
)
# Keys of one resource each; the keys of patients and types stay for what else they seal.
LEAVE_KEYS: LiteralString = "DELETE FROM shared_key WHERE key_id = ANY ($1::bytea[])"


class NotWholly(Conflict):
    """Something of these resources may not be let go by you; nothing was."""


async def count(store: Store, grant: Grant, kinds: Sequence[str]) -> dict[str, tuple[int, int]]:
    """How many resources and versions there are of each type."""
    grants = Columns()
    grants.number(grant)
    numbers = [type_number(kind) for kind in kinds]
    rows = await store.database.fetch(COUNT, *grants.values(), numbers)
    return {type_name(row["type"]): (row["resources"], row["versions"]) for row in rows}


async def page(
    store: Store, errand: Errand, grant: Grant, at: tuple[str, int], *, bodies: bool
) -> Page:
    """A page of a type behind a row number; whose bodies it holds is in the access log first."""
    kind, after = at
    grants = Columns()
    grants.number(grant)
    rows = await store.database.fetch(
        PAGE, *grants.values(), type_number(kind), after, PAGE_MAX, PAGE_BYTES
    )
    found = await whole(store, store.database, grant, [(kind, row["id"]) for row in rows])
    if bodies:
        await store.released(_log(errand, found, HANDED_OUT))
    # One that was let go meanwhile is no longer here, and nobody misses it on the page.
    listed = [_shown(where, each, bodies=bodies) for where, each in found.items()]
    return Page(listed, rows[-1]["pid"] if rows else after)


def _shown(where: Place, each: Whole, *, bodies: bool) -> Moved:
    if each.problem is not None:
        return Moved(*where, 0, problem=each.problem)
    return moved(each.documents, bodies=bodies)


async def let_go(store: Store, errand: Errand, grant: Grant, asked: Sequence[Named]) -> LetGo:
    """Deletes those whose owner has said the very digest that they have here; all in one."""
    async with store.database.transaction() as tx:
        wanted = {(each.type, each.id): each.digest for each in asked}
        await _hold(tx, grant, list(wanted))
        found = await whole(store, tx, grant, list(wanted))
        agreed = {
            w: x for w, x in found.items() if x.documents and digest(x.documents) == wanted[w]
        }
        await _leave(tx, grant, agreed)
        rows = _log(errand, agreed, LET_GO)
        await tx.execute(log.RELEASED, *log.columns(rows))
    kept = [
        Left(*where, each.problem or "It is not the same here and with its owner.")
        for where, each in found.items()
        if where not in agreed
    ]
    return LetGo(len(agreed), len(wanted) - len(found), kept)


async def _hold(tx: Transaction, grant: Grant, wanted: Sequence[Place]) -> None:
    """Locked in the one order of all writers, so that what is compared is what is deleted."""
    grants = Columns()
    grants.number(grant)
    numbers = [type_number(kind) for kind, _ in wanted]
    await tx.fetch(HOLD, *grants.values(), numbers, [name for _, name in wanted])


async def _leave(tx: Transaction, grant: Grant, agreed: Mapping[Place, Whole]) -> None:
    pids = [each.pid for each in agreed.values()]
    if not pids:
        return
    await write.clear(tx, pids)
    grants = Columns()
    grants.number(grant)
    versions = sum(len(each.documents) for each in agreed.values())
    deleted = [await tx.execute(statement, *grants.values(), pids) for statement in LEAVE]
    if deleted != [f"DELETE {versions - len(pids)}", f"DELETE {len(pids)}"]:
        raise NotWholly
    await tx.execute(LEAVE_KEYS, [key for each in agreed.values() for key in each.key_ids])


def _log(errand: Errand, found: Mapping[Place, Whole], action: str) -> list[Released]:
    """One row a patient and type, with how many resources."""
    counts: dict[tuple[int | None, int], int] = {}
    for (kind, _), each in found.items():
        patients = each.patients - {None} or {None}
        for patient in patients:
            place = (patient, type_number(kind))
            counts[place] = counts.get(place, 0) + 1
    return [Released(errand, who, kind, n, action) for (who, kind), n in counts.items()]
