"""Where the resources come to live: taken in as they are, once, and read back to prove it.

Nothing is announced: what each version said was announced once, when it was made, and whoever
reacts to news must not take somebody's past for news (decisions/0018).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString

import msgspec

from polyclinic.fhirserver.access import MAY_WRITE, Grant, labels_of
from polyclinic.fhirserver.adoption.moving import Adopted, Left, Moved, Named, digest
from polyclinic.fhirserver.adoption.whole import whole
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.index import Indexed, index
from polyclinic.fhirserver.store import log, write
from polyclinic.fhirserver.store.log import Released
from polyclinic.fhirserver.store.rows import GRANTS, TABLE, Columns, Document, array
from polyclinic.fhirserver.store.store import ATTEMPTS, RACES, NotYours, Store
from polyclinic.fhirserver.store.write import Change
from polyclinic.foundation import vault
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Conflict
from polyclinic.foundation.vault import DataKey
from polyclinic.foundation.work import Pace
from polyclinic.standards.fhir import codec
from polyclinic.standards.fhir.definitions import type_number
from polyclinic.standards.fhir.search_values import patients_of

Resource = dict[str, Any]
# Why a service cannot take a resource in, judged by its type and current version (None: deleted).
Refuse = Callable[[str, Resource | None], str | None]
ADOPTED = "a"  # in the access log
TAKEN = "One of this id is there already, and it is not the same."

KEEP: LiteralString = f"""
WITH {GRANTS},
r AS MATERIALIZED (
    SELECT pid, type, id, version, updated, patient, at, labels, method, others::bigint[] AS others,
           terms::bigint[] AS terms, envelope
    FROM unnest($8::bigint[], $9::smallint[], $10::text[], $11::int[], $12::timestamptz[],
                $13::bigint[], $14::timestamptz[], $15::bigint[], $16::"char"[], $17::text[],
                $18::text[], $19::bytea[])
         AS t(pid, type, id, version, updated, patient, at, labels, method, others, terms,
              envelope))
INSERT INTO resource (pid, updated, patient, at, labels, version, type, method, id, others, terms,
                      envelope)
SELECT pid, updated, r.patient, at, r.labels, version, type, method, id, others, terms, envelope
FROM r CROSS JOIN g WHERE {MAY_WRITE}
"""
KEEP_PAST: LiteralString = f"""
WITH {GRANTS},
r AS MATERIALIZED (
    SELECT pid, type, version, updated, patient, labels, method, others::bigint[] AS others,
           '{{}}'::bigint[] AS terms, envelope
    FROM unnest($8::bigint[], $9::smallint[], $10::int[], $11::timestamptz[], $12::bigint[],
                $13::bigint[], $14::"char"[], $15::text[], $16::bytea[])
         AS t(pid, type, version, updated, patient, labels, method, others, envelope))
INSERT INTO version (pid, version, updated, patient, labels, type, method, others, envelope)
SELECT pid, version, updated, r.patient, r.labels, type, method, others, envelope
FROM r CROSS JOIN g WHERE {MAY_WRITE}
"""
KEEP_INDEX: tuple[LiteralString, ...] = (
    "INSERT INTO posting (pid, term) SELECT * FROM unnest($1::bigint[], $2::bigint[])",
    """INSERT INTO date_range (pid, param, low, high)
       SELECT * FROM unnest($1::bigint[], $2::int[], $3::timestamptz[], $4::timestamptz[])""",
    """INSERT INTO number_range (pid, param, unit, low, high)
       SELECT * FROM unnest($1::bigint[], $2::int[], $3::bigint[], $4::float8[], $5::float8[])""",
)


@dataclass(slots=True)
class Judged:
    """What of a batch is new here, what is here already, and what cannot come."""

    new: list[Moved] = field(default_factory=list[Moved])
    already: list[Moved] = field(default_factory=list[Moved])
    left: list[Left] = field(default_factory=list[Left])


@dataclass(slots=True)
class Arrival:
    """A version on its way in: what it says of itself, and the row that it becomes."""

    document: Document
    patients: tuple[str, ...]
    labels: int
    indexed: Indexed | None
    pid: int
    key: DataKey | None = None


async def adopt(
    store: Store, errand: Errand, grant: Grant, batch: Sequence[Moved], refuse: Refuse
) -> Adopted:
    """Takes in what is new, in one transaction; the same batch again changes nothing."""
    judged = await judge(store, grant, batch, refuse)
    for attempt in range(ATTEMPTS):
        try:
            await _take(store, errand, grant, judged.new)
            break
        except RACES as raced:
            if attempt == ATTEMPTS - 1:
                raise Conflict("Others are adopting the same resources; try again.") from raced
            judged = await judge(store, grant, batch, refuse)
    asked = [Named(each.type, each.id, each.count) for each in (*judged.new, *judged.already)]
    found = await digests(store, grant, asked)
    return Adopted(len(judged.new), len(judged.already), judged.left, found)


async def judge(store: Store, grant: Grant, batch: Sequence[Moved], refuse: Refuse) -> Judged:
    """Changes nothing. Who has a resource with all these versions has it, whatever came after."""
    here = await whole(store, store.database, grant, [(each.type, each.id) for each in batch])
    proofs = {where: each.documents for where, each in here.items()}
    found, pace = Judged(), Pace()
    for each in batch:
        documents, where = each.documents(), (each.type, each.id)
        reason = each.problem or _flaw(each, documents)
        present = proofs.get(where)
        if reason is None and present is not None:
            same = digest(present[: len(documents)]) == digest(documents)
            reason = None if same else TAKEN
        elif reason is None:
            reason = refuse(each.type, _resource(documents[-1]))
        if reason is not None:
            found.left.append(Left(*where, reason))
        else:
            (found.already if present is not None else found.new).append(each)
            proofs[where] = documents  # the same one twice in a batch is one
        await pace.step()
    return found


async def digests(store: Store, grant: Grant, asked: Sequence[Named]) -> list[Named]:
    """Of those that are here with so many versions: read from the rows and opened, not recalled."""
    here = await whole(store, store.database, grant, [(each.type, each.id) for each in asked])
    found: list[Named] = []
    for each in asked:
        present = here.get((each.type, each.id))
        if present is not None and 0 < each.count <= len(present.documents):
            proof = digest(present.documents[: each.count])
            found.append(Named(each.type, each.id, each.count, proof))
    return found


def _flaw(moved: Moved, documents: list[Document]) -> str | None:
    """What was not written by a store of ours, or was changed since, is not taken for history."""
    numbers = [each.version for each in documents]
    if not documents or numbers != list(range(1, len(documents) + 1)):
        return "Its versions do not follow each other."
    if digest(documents) != moved.digest or moved.count != len(documents):
        return "It was changed on its way."
    return next(filter(None, map(_flaw_of_one, documents)), None)


def _flaw_of_one(document: Document) -> str | None:
    try:
        resource = _resource(document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "A version cannot be read."
    if (document.method == "D") != (resource is None):
        return "A version is neither a content nor a deletion."
    if resource is None:
        return "It begins with a deletion." if document.version == 1 else None
    meta = resource.get("meta")
    number = meta.get("versionId") if isinstance(meta, dict) else None
    said = (resource.get("resourceType"), resource.get("id"), number)
    wanted = (document.type, document.id, str(document.version))
    return None if said == wanted else "A version says that it is another one."


def _resource(document: Document) -> Resource | None:
    return None if document.body is None else codec.decode_kept(document.body)


async def _take(store: Store, errand: Errand, grant: Grant, new: Sequence[Moved]) -> None:
    if not new:
        return
    pids = await store.pids.take(len(new))
    arrivals: list[Arrival] = []
    pace = Pace()
    for pid, each in zip(pids, new, strict=True):
        arrivals += _arrivals(store, pid, each)
        await pace.step()
    await _find_keys(store, arrivals)
    async with store.database.transaction() as tx:
        await _keep(store, tx, errand, grant, arrivals)


def _arrivals(store: Store, pid: int, moved: Moved) -> list[Arrival]:
    """A deletion is about whom the version before it was: so it stays hidden from all others."""
    found: list[Arrival] = []
    patients: tuple[str, ...] = ()
    labels = 0
    for document in moved.documents():
        resource = _resource(document)
        indexed = None
        if resource is not None:
            patients, labels = patients_of(resource), labels_of(resource)
        if document.version == moved.count:
            nothing = Indexed((), labels, None, [], [], [], [], [])
            indexed = nothing if resource is None else index(store.terms, resource)
        found.append(Arrival(document, patients, labels, indexed, pid))
    return found


async def _find_keys(store: Store, arrivals: Sequence[Arrival]) -> None:
    """As with any write: the patient's key, the type's, or one of its own for several patients."""
    sealed = [each for each in arrivals if each.document.body is not None]
    owners = {id(x): store.keys.owner(x.document.type, x.patients) for x in sealed}
    single = [each for each in sealed if len(each.patients) <= 1]
    found = await store.keys.of_owners(owners[id(each)] for each in single)
    for each in single:
        each.key = found[owners[id(each)]]
    for each in sealed:
        if each.key is None:
            each.key = await store.keys.shared(each.patients)


async def _keep(
    store: Store, tx: Transaction, errand: Errand, grant: Grant, arrivals: Sequence[Arrival]
) -> None:
    """All of it or nothing: a row that the Grant does not let in would be lost on the way."""
    changes = [_change(store, errand, grant, each) for each in arrivals if each.indexed is not None]
    past = [each for each in arrivals if each.indexed is None]
    grants = Columns()
    grants.number(grant)
    kept = await tx.execute(KEEP, *grants.values(), *write.columns(changes))
    ended = await tx.execute(KEEP_PAST, *grants.values(), *_past_columns(store, past))
    if (kept, ended) != (f"INSERT 0 {len(changes)}", f"INSERT 0 {len(past)}"):
        raise NotYours
    postings = [(c.pid, term) for c in changes for term in c.indexed.postings]
    dates = [(c.pid, *each) for c in changes for each in c.indexed.dates]
    numbers = [(c.pid, *each) for c in changes for each in c.indexed.numbers]
    for statement, rows in zip(KEEP_INDEX, (postings, dates, numbers), strict=True):
        if rows:
            await tx.execute(statement, *(list(column) for column in zip(*rows, strict=True)))
    await tx.execute(log.RELEASED, *log.columns(_log(store, errand, arrivals)))


def _change(store: Store, errand: Errand, grant: Grant, each: Arrival) -> Change:
    document, indexed = each.document, each.indexed
    assert indexed is not None
    return Change(
        errand, grant, each.pid, document.type, document.id, document.version, document.updated,
        document.method, _people(store, each), indexed, _sealed(store, each), (),
    )  # fmt: skip


def _past_columns(store: Store, past: Sequence[Arrival]) -> tuple[list[Any], ...]:
    people = [_people(store, each) for each in past]
    return (
        [each.pid for each in past],
        [type_number(each.document.type) for each in past],
        [each.document.version for each in past],
        [each.document.updated for each in past],
        [who[0] if who else None for who in people],
        [each.labels for each in past],
        [each.document.method.encode() for each in past],
        [array(who[1:] or None) for who in people],
        [_sealed(store, each) for each in past],
    )


def _people(store: Store, each: Arrival) -> tuple[int, ...]:
    return tuple(store.terms.person(f"Patient/{patient}") for patient in each.patients)


def _sealed(store: Store, each: Arrival) -> bytes | None:
    document = each.document
    if document.body is None or each.key is None:
        return None
    place = vault.Place(TABLE, document.type, document.id, document.version)
    return store.vault.seal(each.key, place, document.body)


def _log(store: Store, errand: Errand, arrivals: Sequence[Arrival]) -> list[Released]:
    """One row a patient and type, with how many resources came."""
    found: dict[tuple[int | None, int], set[int]] = {}
    for each in arrivals:
        kind = type_number(each.document.type)
        for patient in _people(store, each) or (None,):
            found.setdefault((patient, kind), set()).add(each.pid)
    return [
        Released(errand, patient, kind, len(pids), ADOPTED)
        for (patient, kind), pids in found.items()
    ]
