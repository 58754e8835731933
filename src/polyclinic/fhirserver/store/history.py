"""Past versions: each is judged by the patients and labels that it had itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, Protocol

from polyclinic.fhirserver.access import ACCESS, Grant
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.store.keys import Keys
from polyclinic.fhirserver.store.log import Released
from polyclinic.fhirserver.store.rows import (
    GRANTS,
    Columns,
    Document,
    load_keys,
    open_or_hide,
    open_row,
)
from polyclinic.foundation.database import Database
from polyclinic.foundation.vault import Vault
from polyclinic.standards.fhir.definitions import type_number

HISTORY: LiteralString = f"""
WITH {GRANTS},
r AS (
    SELECT pid, version, updated, patient, labels, type, method, others, terms, envelope, id
    FROM resource WHERE type = $8 AND id = $9
    UNION ALL
    SELECT v.pid, v.version, v.updated, v.patient, v.labels, v.type, v.method, v.others, v.terms,
           v.envelope, $9
    FROM version v WHERE v.pid = (SELECT pid FROM resource WHERE type = $8 AND id = $9))
SELECT r.pid, r.version, r.updated, r.method, r.id, r.envelope, r.patient, r.others,
       {ACCESS} AS allowed
FROM r CROSS JOIN g
WHERE ($10::int IS NULL OR r.version = $10) AND ($11::int IS NULL OR r.version < $11)
ORDER BY r.version DESC LIMIT $12
"""


class Kept(Protocol):
    """The store, as far as a history needs it."""

    database: Database
    vault: Vault
    keys: Keys

    async def released(self, entries: Sequence[Released]) -> None: ...


@dataclass(frozen=True, slots=True)
class Window:
    """Which versions: exactly one, or a page below a version."""

    version: int | None
    before: int | None
    count: int


async def history(
    store: Kept, errand: Errand, grant: Grant, where: tuple[str, str], window: Window
) -> list[Document]:
    """The versions that may be seen; what is shown, and what was denied, is logged first."""
    kind, name = where
    grants = Columns()
    grants.number(grant)
    rows: list[Any] = []
    seen: list[Any] = []
    before = window.before
    while len(seen) < window.count:
        part = await store.database.fetch(
            HISTORY, *grants.values(), type_number(kind), name, window.version, before,
            window.count,
        )  # fmt: skip
        rows += part
        seen += [row for row in part if row["allowed"]]
        if len(part) < window.count:
            break
        # Versions that may not be seen do not shorten the page: they would end the walk early.
        before = part[-1]["version"]
    seen = seen[: window.count]
    await load_keys(store.keys, seen)
    outcomes = {
        (patient, 0 if row["allowed"] else 8)
        for row in rows
        for patient in (row["patient"], *(row["others"] or ()))
    } or {(None, 4)}
    await store.released(
        [
            Released(errand, patient, type_number(kind), 1, "h", outcome, name)
            for patient, outcome in sorted(outcomes, key=str)
        ]
    )
    opened = open_row if window.version is not None else open_or_hide
    return [opened(store.vault, store.keys, kind, row) for row in seen]
