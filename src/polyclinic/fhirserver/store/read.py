"""Reading by id: many requests, one statement, which writes the access log as it reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

from polyclinic.fhirserver.access import ACCESS, Grant
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.store.keys import Keys
from polyclinic.fhirserver.store.rows import (
    GRANTS,
    Columns,
    Document,
    load_keys,
    open_row,
    who,
)
from polyclinic.foundation.database import Database
from polyclinic.foundation.errors import NotFound, Problem
from polyclinic.foundation.vault import Vault
from polyclinic.standards.fhir.definitions import type_number

ALLOWED, ABSENT, DENIED = 0, 4, 8  # outcomes in the access log; FHIR AuditEvent's own numbers

READ: LiteralString = f"""
WITH {GRANTS},
asked AS (
    SELECT * FROM unnest($8::int[], $9::int[], $10::smallint[], $11::text[], $12::uuid[],
                         $13::text[], $14::text[], $15::"char"[])
                  AS a(n, gn, type, id, request, actor, client, action)),
found AS MATERIALIZED (
    SELECT a.n, r.pid, r.version, r.updated, r.method, r.id, r.patient, r.others, r.envelope,
           {ACCESS} AS allowed
    FROM asked a JOIN g ON g.gn = a.gn JOIN resource r ON r.type = a.type AND r.id = a.id),
logged AS (
    INSERT INTO access_log (request, patient, type, action, outcome, actor, client, id)
    SELECT a.request, p.patient, a.type, a.action,
           CASE WHEN f.allowed THEN 0 WHEN f.allowed IS NULL THEN 4 ELSE 8 END,
           a.actor, a.client, a.id
    FROM asked a LEFT JOIN found f ON f.n = a.n
    CROSS JOIN unnest(array_append(coalesce(f.others, '{{}}'), f.patient)) AS p(patient))
SELECT n, pid, version, updated, method, id, envelope FROM found WHERE allowed
"""


@dataclass(frozen=True, slots=True)
class ReadAsk:
    """One resource that one caller wants to see."""

    errand: Errand
    grant: Grant
    type: str
    id: str


class NoSuchResource(NotFound):
    """There is no such resource, or it is not yours to see."""


async def read(
    database: Database, vault: Vault, keys: Keys, asks: list[ReadAsk]
) -> Sequence[Document | Problem]:
    """Answers each ask with its document; what may not be seen looks like what is not there."""
    grants = Columns()
    numbers = [grants.number(ask.grant) for ask in asks]
    rows = await database.fetch(
        READ,
        *grants.values(),
        list(range(len(asks))),
        numbers,
        [type_number(ask.type) for ask in asks],
        [ask.id for ask in asks],
        *who(ask.errand for ask in asks),
        [b"r"] * len(asks),
    )
    await load_keys(keys, rows)
    answers: list[Document | Problem] = [_MISSING] * len(asks)
    for row in rows:
        n = row["n"]
        try:
            answers[n] = open_row(vault, keys, asks[n].type, row)
        except Problem as unreadable:
            answers[n] = unreadable
    return [
        NoSuchResource(place=f"{ask.type}/{ask.id}") if a is _MISSING else a
        for ask, a in zip(asks, answers, strict=True)
    ]


_MISSING = NoSuchResource()
