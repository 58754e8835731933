"""Resources with all their versions, opened: read as one, so that no version is left behind."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from polyclinic.fhirserver.access import ACCESS, Grant
from polyclinic.fhirserver.store.rows import GRANTS, Columns, Document, load_keys, open_row
from polyclinic.fhirserver.store.store import Store
from polyclinic.foundation.database import Database, Transaction
from polyclinic.foundation.vault import Unreadable, key_id_of
from polyclinic.foundation.work import Pace
from polyclinic.standards.fhir.definitions import type_name, type_number

Place = tuple[str, str]

VERSIONS: LiteralString = f"""
WITH {GRANTS},
asked AS (SELECT * FROM unnest($8::smallint[], $9::text[]) AS a(type, id))
SELECT r.pid, r.type, r.id, r.version, r.updated, r.method, r.patient, r.others, r.envelope,
       true AS is_current
FROM asked a JOIN resource r ON r.type = a.type AND r.id = a.id CROSS JOIN g WHERE {ACCESS}
UNION ALL
SELECT r.pid, r.type, o.id, r.version, r.updated, r.method, r.patient, r.others, r.envelope, false
FROM asked a JOIN resource o ON o.type = a.type AND o.id = a.id
     JOIN version r ON r.pid = o.pid CROSS JOIN g WHERE {ACCESS}
ORDER BY pid, version
"""


@dataclass(slots=True)
class Whole:
    """A resource; `documents` is empty when `problem` says why it cannot be read as a whole."""

    pid: int
    documents: list[Document]
    patients: frozenset[int | None]
    key_ids: list[bytes]
    problem: str | None = None


async def whole(
    store: Store, place: Database | Transaction, grant: Grant, asked: Sequence[Place]
) -> dict[Place, Whole]:
    """Those that are here, with every version from the first to the current one."""
    grants = Columns()
    grants.number(grant)
    once = list(dict.fromkeys(asked))
    numbers, names = [type_number(kind) for kind, _ in once], [name for _, name in once]
    rows = await place.fetch(VERSIONS, *grants.values(), numbers, names)
    await load_keys(store.keys, rows)
    together: dict[Place, list[Any]] = {}
    for row in rows:
        together.setdefault((type_name(row["type"]), row["id"]), []).append(row)
    found: dict[Place, Whole] = {}
    pace = Pace()
    for where, listed in together.items():
        found[where] = _opened(store, where[0], listed)
        await pace.step()
    return found


def _opened(store: Store, kind: str, rows: list[Any]) -> Whole:
    patients = frozenset(p for row in rows for p in (row["patient"], *(row["others"] or ())))
    key_ids = [key_id_of(row["envelope"]) for row in rows if row["envelope"] is not None]
    found = Whole(rows[0]["pid"], [], patients, key_ids)
    # A version that this caller may not see must not stay behind unseen.
    unbroken = [row["version"] for row in rows] == list(range(1, len(rows) + 1))
    if not (unbroken and rows[-1]["is_current"]):
        found.problem = "Not all of its versions can be read."
        return found
    try:
        found.documents = [open_row(store.vault, store.keys, kind, row) for row in rows]
    except Unreadable:
        found.problem = "A version of it does not open."
    return found
