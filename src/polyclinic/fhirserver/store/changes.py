"""What changed, across resources: current and past versions of some types, newest change first.

Each version is judged by the patients and labels that it had itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, LiteralString

from polyclinic.fhirserver.access import ACCESS, Grant
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.store.history import Kept
from polyclinic.fhirserver.store.log import Released
from polyclinic.fhirserver.store.rows import (
    GRANTS,
    Columns,
    Document,
    load_keys,
    open_or_hide,
)
from polyclinic.standards.fhir.definitions import type_name, type_number

# Of each type a page is read from its own index, then the newest of all these are kept.
CHANGES: LiteralString = f"""
WITH {GRANTS}
SELECT x.* FROM g CROSS JOIN unnest($8::smallint[]) AS asked(kind) CROSS JOIN LATERAL (
    (SELECT r.pid, r.version, r.updated, r.method, r.id, r.type, r.envelope, r.patient, r.others
     FROM resource r
     WHERE r.type = asked.kind AND (r.updated, r.pid, r.version) < ($9, $10, $11)
       AND r.updated >= $12 AND {ACCESS}
     ORDER BY r.updated DESC, r.pid DESC LIMIT $13)
    UNION ALL
    (SELECT r.pid, r.version, r.updated, r.method, o.id, r.type, r.envelope, r.patient, r.others
     FROM version r JOIN resource o ON o.pid = r.pid
     WHERE r.type = asked.kind AND (r.updated, r.pid, r.version) < ($9, $10, $11)
       AND r.updated >= $12 AND {ACCESS}
     ORDER BY r.updated DESC, r.pid DESC, r.version DESC LIMIT $13)) x
ORDER BY x.updated DESC, x.pid DESC, x.version DESC LIMIT $13
"""

Change = tuple[datetime, int, int]  # when, which row, which version
LATEST_CHANGE: Change = (datetime(9999, 12, 31, tzinfo=UTC), (1 << 63) - 1, (1 << 31) - 1)
_EARLIEST = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """A page of changes: before one change, since a moment, at most so many."""

    below: Change
    since: datetime | None
    most: int


async def changes(
    store: Kept, errand: Errand, grant: Grant, kinds: Sequence[str], span: Span
) -> list[Document]:
    """The versions that may be seen; they are in the access log before this returns."""
    grants = Columns()
    grants.number(grant)
    rows = await store.database.fetch(
        CHANGES, *grants.values(), [type_number(kind) for kind in kinds], *span.below,
        span.since or _EARLIEST, span.most,
    )  # fmt: skip
    await load_keys(store.keys, rows)
    await store.released(_released(errand, rows[: span.most - 1], kinds))
    return [open_or_hide(store.vault, store.keys, type_name(row["type"]), row) for row in rows]


def _released(errand: Errand, rows: Sequence[Any], kinds: Sequence[str]) -> list[Released]:
    """One row a patient and type; a page of nothing is logged under the type, or as a Bundle."""
    counts: dict[tuple[int | None, int], int] = {}
    for row in rows:
        for patient in {row["patient"], *(row["others"] or ())}:
            place = (patient, row["type"])
            counts[place] = counts.get(place, 0) + 1
    asked = type_number(kinds[0] if len(kinds) == 1 else "Bundle")
    found = counts or {(None, asked): 0}
    return [Released(errand, patient, kind, n, "h") for (patient, kind), n in found.items()]
