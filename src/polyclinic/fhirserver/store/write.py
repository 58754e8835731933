"""Writing: rows are locked in order, new versions are sealed, and one statement keeps them all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from polyclinic.fhirserver.access import ACCESS, MAY_WRITE, Grant
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.index import EARLIEST, Indexed
from polyclinic.fhirserver.store.rows import GRANTS, Columns, array, who
from polyclinic.foundation.database import Database, Transaction
from polyclinic.standards.fhir.definitions import type_number

# Everything concerned is locked in one order with one strength, and only then what is to change: a
# change needs its own rows and, until it commits, that nobody deletes what it refers to. It keeps
# the keys of a row, so that it never waits for those who only refer to the row (decisions/0012).
LOCK: LiteralString = f"""
WITH {GRANTS},
asked AS (SELECT * FROM unnest($8::int[], $9::int[], $10::smallint[], $11::text[])
                        AS a(n, gn, type, id)),
held AS MATERIALIZED (
    SELECT r.pid
    FROM (SELECT type, id FROM asked UNION SELECT * FROM unnest($12::smallint[], $13::text[]))
         AS t(type, id) JOIN resource r ON r.type = t.type AND r.id = t.id
    ORDER BY r.type, r.id FOR KEY SHARE OF r)
SELECT a.n, r.pid, r.version, r.updated, r.method, r.id, r.labels, r.patient, r.others, r.envelope,
       {ACCESS} AS allowed, {MAY_WRITE} AS writable
FROM asked a JOIN g ON g.gn = a.gn JOIN resource r ON r.type = a.type AND r.id = a.id
WHERE (SELECT count(*) FROM held) >= 0
ORDER BY r.type, r.id FOR NO KEY UPDATE OF r
"""
# A deletion waits for whoever refers to the row, and who refers to it waits for the deletion.
LOCK_TO_DELETE: LiteralString = LOCK.replace("FOR KEY SHARE", "FOR UPDATE").replace(
    "FOR NO KEY UPDATE", "FOR UPDATE"
)

# Before new rows of the index are written, those of the version that ends are taken away.
CLEAR: LiteralString = """
WITH postings AS (
    DELETE FROM posting p USING resource r, unnest(r.terms) AS t(term)
    WHERE r.pid = ANY ($1::bigint[]) AND p.term = t.term AND p.pid = r.pid),
dates AS (DELETE FROM date_range WHERE pid = ANY ($1::bigint[]))
DELETE FROM number_range WHERE pid = ANY ($1::bigint[])
"""

WRITE: LiteralString = f"""
WITH {GRANTS},
r AS MATERIALIZED (
    SELECT n, gn, pid, type, id, version, updated, patient, at, labels, method,
           others::bigint[] AS others, terms::bigint[] AS terms, envelope, request, actor, client
    FROM unnest($8::int[], $9::int[], $10::bigint[], $11::smallint[], $12::text[], $13::int[],
                $14::timestamptz[], $15::bigint[], $16::timestamptz[], $17::bigint[],
                $18::"char"[], $19::text[], $20::text[], $21::bytea[], $22::uuid[], $23::text[],
                $24::text[])
         AS t(n, gn, pid, type, id, version, updated, patient, at, labels, method, others, terms,
              envelope, request, actor, client)),
d AS MATERIALIZED (
    SELECT * FROM unnest($25::int[], $26::smallint[], $27::text[], $28::int[], $42::int[])
                  AS d(n, type, id, place, gn)),
-- What is referred to is held until the commit, in the order of all locks: nobody deletes it.
held AS MATERIALIZED (
    SELECT t.type, t.id, t.gn
    FROM (SELECT DISTINCT type, id, gn FROM d) AS t JOIN g ON g.gn = t.gn
         JOIN resource r ON r.type = t.type AND r.id = t.id
    WHERE r.envelope IS NOT NULL AND {ACCESS}
      AND NOT EXISTS (SELECT FROM r AS c WHERE c.pid = r.pid AND c.envelope IS NULL)
    ORDER BY r.type, r.id FOR KEY SHARE OF r),
dangling AS MATERIALIZED (
    SELECT d.n, min(d.place) AS place
    FROM d
    WHERE NOT EXISTS (
        SELECT FROM held h WHERE h.type = d.type AND h.id = d.id AND h.gn = d.gn)
      AND NOT EXISTS (
        SELECT FROM r AS c WHERE c.type = d.type AND c.id = d.id AND c.envelope IS NOT NULL)
    GROUP BY d.n),
judged AS MATERIALIZED (
    SELECT r.*, {MAY_WRITE} AS allowed, d.place AS dangling
    FROM r JOIN g ON g.gn = r.gn LEFT JOIN dangling d ON d.n = r.n),
ok AS MATERIALIZED (SELECT * FROM judged WHERE allowed AND dangling IS NULL),
ended AS (
    INSERT INTO version (pid, version, updated, patient, labels, type, method, others, envelope)
    SELECT o.pid, o.version, o.updated, o.patient, o.labels, o.type, o.method, o.others, o.envelope
    FROM resource o JOIN ok ON ok.pid = o.pid WHERE ok.version > 1),
kept AS (
    INSERT INTO resource (pid, updated, patient, at, labels, version, type, method, id, others,
                          terms, envelope)
    SELECT pid, updated, patient, at, labels, version, type, method, id, others, terms, envelope
    FROM ok
    ON CONFLICT (pid) DO UPDATE SET
        updated = excluded.updated, patient = excluded.patient, at = excluded.at,
        labels = excluded.labels, version = excluded.version, method = excluded.method,
        others = excluded.others, terms = excluded.terms, envelope = excluded.envelope),
posted AS (
    INSERT INTO posting (term, pid)
    SELECT p.term, ok.pid FROM unnest($29::int[], $30::bigint[]) AS p(n, term)
    JOIN ok ON ok.n = p.n),
dated AS (
    INSERT INTO date_range (param, low, high, pid)
    SELECT d.param, d.low, d.high, ok.pid
    FROM unnest($31::int[], $32::int[], $33::timestamptz[], $34::timestamptz[])
         AS d(n, param, low, high) JOIN ok ON ok.n = d.n),
numbered AS (
    INSERT INTO number_range (param, unit, low, high, pid)
    SELECT v.param, v.unit, v.low, v.high, ok.pid
    FROM unnest($35::int[], $36::int[], $37::bigint[], $38::float8[], $39::float8[])
         AS v(n, param, unit, low, high) JOIN ok ON ok.n = v.n),
announced AS (
    INSERT INTO outbox (kind, subject, trace)
    SELECT CASE method WHEN 'C' THEN 'ResourceCreated' WHEN 'D' THEN 'ResourceDeleted'
                       ELSE 'ResourceUpdated' END, kind || '/' || id || '/' || version, trace
    FROM ok JOIN unnest($40::int[], $41::text[], $43::text[]) AS k(n, kind, trace) ON k.n = ok.n),
logged AS (
    INSERT INTO access_log (request, patient, type, action, outcome, actor, client, id)
    SELECT request, p.patient, type, CASE method WHEN 'D' THEN 'd' WHEN 'C' THEN 'c' ELSE 'u' END,
           CASE WHEN NOT allowed THEN 8 WHEN dangling IS NOT NULL THEN 4 ELSE 0 END,
           actor, client, id
    FROM judged, unnest(array_append(coalesce(others, '{{}}'), patient)) AS p(patient))
SELECT n, allowed, dangling FROM judged
"""

CREATED, UPDATED, DELETED = "C", "U", "D"


@dataclass(slots=True)
class Change:
    """A new version of a resource, ready to be kept."""

    errand: Errand
    grant: Grant
    pid: int
    type: str
    id: str
    version: int
    updated: datetime
    method: str
    patients: tuple[int, ...]
    indexed: Indexed
    envelope: bytes | None
    check: tuple[tuple[str, str], ...]  # references that must exist here


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a change: kept, not allowed, or its n-th checked reference leads nowhere."""

    allowed: bool
    dangling: int | None


async def lock(
    tx: Transaction,
    wanted: Sequence[tuple[Grant, str, str]],
    targets: Sequence[tuple[str, str]] = (),
    *,
    deletes: bool,
) -> dict[tuple[str, str], Any]:
    """Locks existing rows in one order for all writers; answers them by (type, id).

    `targets` are what will be referred to; with `deletes` nobody may come to refer to the rows.
    """
    grants = Columns()
    numbers = [grants.number(grant) for grant, _, _ in wanted]
    rows = await tx.fetch(
        LOCK_TO_DELETE if deletes else LOCK,
        *grants.values(),
        list(range(len(wanted))),
        numbers,
        [type_number(kind) for _, kind, _ in wanted],
        [name for _, _, name in wanted],
        [type_number(kind) for kind, _ in targets],
        [name for _, name in targets],
    )
    return {(wanted[row["n"]][1], wanted[row["n"]][2]): row for row in rows}


async def clear(tx: Transaction, pids: list[int]) -> None:
    """Takes the index rows of ending versions away; must run before `write` replaces them."""
    if pids:
        await tx.execute(CLEAR, pids)


async def write(place: Database | Transaction, changes: Sequence[Change]) -> list[Verdict]:
    """Keeps what is allowed, with index, history, outbox and access log; answers for each."""
    grants = Columns()
    numbers = [grants.number(change.grant) for change in changes]
    # Whether a reference leads somewhere is told only of what the caller's role may see.
    reach = [grants.number(c.errand.access.reach) for c in changes for _ in c.check]
    rows = await place.fetch(
        WRITE,
        *grants.values(),
        list(range(len(changes))),
        numbers,
        *columns(changes),
        *who(change.errand for change in changes),
        *_index_columns(changes),
        list(range(len(changes))),
        [change.type for change in changes],
        reach,
        [change.errand.trace for change in changes],
    )
    place.said()
    verdicts = [Verdict(allowed=False, dangling=None)] * len(changes)
    for row in rows:
        verdicts[row["n"]] = Verdict(row["allowed"], row["dangling"])
    return verdicts


def columns(changes: Sequence[Change]) -> tuple[list[Any], ...]:
    """The rows of `resource` that changes make, as columns."""
    return (
        [c.pid for c in changes],
        [type_number(c.type) for c in changes],
        [c.id for c in changes],
        [c.version for c in changes],
        [c.updated for c in changes],
        [c.patients[0] if c.patients else None for c in changes],
        [c.indexed.at or EARLIEST for c in changes],
        [c.indexed.labels for c in changes],
        [c.method.encode() for c in changes],
        [array(c.patients[1:] or None) for c in changes],
        [array(c.indexed.terms) for c in changes],
        [c.envelope for c in changes],
    )


def _index_columns(changes: Sequence[Change]) -> tuple[list[Any], ...]:
    checks = [
        (n, type_number(kind), name, place)
        for n, c in enumerate(changes)
        for place, (kind, name) in enumerate(c.check)
    ]
    postings = [(n, term) for n, c in enumerate(changes) for term in c.indexed.postings]
    dates = [(n, *date) for n, c in enumerate(changes) for date in c.indexed.dates]
    numbers = [(n, *number) for n, c in enumerate(changes) for number in c.indexed.numbers]
    return (
        *_turned(checks, 4),
        *_turned(postings, 2),
        *_turned(dates, 4),
        *_turned(numbers, 5),
    )


def _turned(rows: list[Any], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[]] * width
