"""The store of one mounting service: lanes for single requests, one transaction for bundles."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import asyncpg

from polyclinic.fhirserver.access import Grant
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.store import changes as changing
from polyclinic.fhirserver.store import history as histories
from polyclinic.fhirserver.store import read as reading
from polyclinic.fhirserver.store import write as writing
from polyclinic.fhirserver.store.changes import Span
from polyclinic.fhirserver.store.draft import Draft, Drafting
from polyclinic.fhirserver.store.history import Window
from polyclinic.fhirserver.store.keys import Keys
from polyclinic.fhirserver.store.log import LogLane, Released
from polyclinic.fhirserver.store.pids import Pids
from polyclinic.fhirserver.store.read import NoSuchResource, ReadAsk
from polyclinic.fhirserver.store.rows import Document
from polyclinic.fhirserver.terms import Terms
from polyclinic.foundation import clock
from polyclinic.foundation.batching import Lane
from polyclinic.foundation.database import Database, Transaction
from polyclinic.foundation.errors import (
    Conflict,
    Forbidden,
    Gone,
    Issue,
    NotProcessable,
    Problem,
    Stale,
    Unavailable,
)
from polyclinic.foundation.telemetry import Metrics
from polyclinic.foundation.vault import Vault
from polyclinic.standards.fhir.definitions import type_number

_REFERRED: LiteralString = """
    SELECT DISTINCT t.term FROM unnest($1::bigint[]) AS t(term)
    WHERE EXISTS (SELECT FROM resource r
                  WHERE r.terms @> ARRAY[t.term] AND r.pid <> ALL ($2::bigint[]))"""

RACES = (
    asyncpg.UniqueViolationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
)
ATTEMPTS = 3
CHUNK = 500  # changes a statement; larger ones only hold locks longer


class NotYours(Forbidden):
    """Your access does not include this change."""


class LabelStays(Forbidden):
    """Only a system client may take a security label away."""


class DanglingReference(NotProcessable):
    """A reference leads to nothing that is kept here."""

    code = "not-found"


class StillReferredTo(Conflict):
    """Other resources refer to this one; delete or change them first."""


class Deleted(Gone):
    """This resource was deleted."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a write made: the document, and whether it stood there before."""

    document: Document
    created: bool


class Store:
    """Everything that reads or writes resources; each method takes an errand and its Grant."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        metrics: Metrics,
        foreign: frozenset[str] = frozenset(),
    ) -> None:
        """`foreign` types are kept by other services: references to them are not checked."""
        self.database = database
        self.vault = vault
        self.terms = Terms(vault)
        self.keys = Keys(database.aside, vault)
        self.drafting = Drafting(vault, self.keys, self.terms, foreign)
        self.pids = Pids(database.aside)
        self.log = LogLane(database, metrics)
        self._reads: Lane[ReadAsk, Document] = Lane("read", self._read, metrics, parallel=2)
        self._creates: Lane[Draft, Outcome] = Lane("create", self._create, metrics, parallel=2)
        self._puts: Lane[Draft, Outcome] = Lane("put", self._put, metrics)

    async def read(self, errand: Errand, grant: Grant, kind: str, name: str) -> Document:
        """The current version; raises NoSuchResource, or Deleted for who might have seen it."""
        document = await self._reads.ask(ReadAsk(errand, grant, kind, name))
        if document.body is None:
            raise Deleted(place=f"{kind}/{name}")
        return document

    async def create(self, draft: Draft) -> Outcome:
        """Keeps a new resource under an id that nobody has used before."""
        self.drafting.index(draft)
        return await self._creates.ask(draft)

    async def put(self, draft: Draft) -> Outcome:
        """Keeps a new version, creates under the caller's id, or deletes (no resource)."""
        self.drafting.index(draft)
        return await self._puts.ask(draft)

    async def version(
        self, errand: Errand, grant: Grant, kind: str, name: str, number: int
    ) -> Document:
        """One version; a version that was a deletion raises Deleted."""
        found = await self.history(errand, grant, kind, name, Window(number, None, 1))
        if not found:
            raise NoSuchResource(place=f"{kind}/{name}/_history/{number}")
        if found[0].body is None:
            raise Deleted(place=f"{kind}/{name}/_history/{number}")
        return found[0]

    async def history(
        self,
        errand: Errand,
        grant: Grant,
        kind: str,
        name: str,
        window: Window,
    ) -> list[Document]:
        """The versions that the caller may see, newest first."""
        return await histories.history(self, errand, grant, (kind, name), window)

    async def changes(
        self, errand: Errand, grant: Grant, kinds: Sequence[str], span: Span
    ) -> list[Document]:
        """What changed in several types, newest first."""
        return await changing.changes(self, errand, grant, kinds, span)

    async def released(self, entries: Sequence[Released]) -> None:
        """Logs what a search is about to show; it must be durable before the answer leaves."""
        await self.log.released(entries)

    async def _read(self, asks: list[ReadAsk]) -> Sequence[Document | Problem]:
        return await reading.read(self.database, self.vault, self.keys, asks)

    async def _create(self, drafts: list[Draft]) -> Sequence[Outcome | Problem]:
        await self.drafting.keys(drafts)
        pids = await self.pids.take(len(drafts))
        now = clock.now()
        answers: list[Outcome | Problem] = []
        changes: list[tuple[int, Any]] = []
        for n, (draft, pid) in enumerate(zip(drafts, pids, strict=True)):
            try:
                change, document = self.drafting.change(draft, pid, 1, now)
            except Problem as refused:
                answers.append(refused)
                continue
            changes.append((n, change))
            answers.append(Outcome(document, created=True))
        verdicts = await writing.write(self.database, [change for _, change in changes])
        for (n, change), verdict in zip(changes, verdicts, strict=True):
            if (problem := refusal(change, verdict)) is not None:
                answers[n] = problem
        return answers

    async def _put(self, drafts: list[Draft]) -> Sequence[Outcome | Problem]:
        """One version of a resource a batch; who asks for the same one again waits for the next."""
        first: dict[tuple[str, str], int] = {}
        for n, draft in enumerate(drafts):
            first.setdefault((draft.type, draft.id), n)
        chosen = sorted(first.values())
        answers: list[Outcome | Problem] = [Problem()] * len(drafts)
        kept = await self._put_together([drafts[n] for n in chosen])
        await self.denials([drafts[n] for n in chosen])
        for n, answer in zip(chosen, kept, strict=True):
            answers[n] = answer
        rest = [n for n in range(len(drafts)) if n not in set(chosen)]
        if rest:
            for n, answer in zip(rest, await self._put([drafts[n] for n in rest]), strict=True):
                answers[n] = answer
        return answers

    async def _put_together(self, drafts: list[Draft]) -> list[Outcome | Problem]:
        for attempt in range(ATTEMPTS):
            try:
                async with self.database.transaction() as tx:
                    return await self.apply(tx, drafts, strict=False)
            except RACES:
                if len(drafts) == 1 and attempt == ATTEMPTS - 1:
                    return [Conflict("Others are changing the same resource; try again.")]
            except Unavailable:
                raise  # whether it was kept is not known: asking again could keep it twice
            except Problem as refused:
                if len(drafts) == 1:
                    return [refused]
            if len(drafts) > 1:
                # Each alone: the one that was refused must not take its neighbours along.
                return [(await self._put_together([draft]))[0] for draft in drafts]
        raise AssertionError

    async def apply(
        self, tx: Transaction, drafts: Sequence[Draft], *, strict: bool = True
    ) -> list[Outcome | Problem]:
        """Carries drafts out in a transaction. `strict` raises the first problem instead.

        Not strict, a refused draft leaves its neighbours alone: everything that can refuse is
        decided before the writing statement, and that statement judges row by row.
        """
        await self.drafting.keys(drafts)
        locked = await writing.lock(
            tx,
            [(d.grant, d.type, d.id) for d in drafts],
            sorted({r for d in drafts if d.check and d.indexed for r in d.indexed.references}),
            deletes=any(draft.resource is None for draft in drafts),
        )
        referred = await self._referred(tx, drafts, locked, together=strict)
        fresh = iter(await self.pids.take(sum((d.type, d.id) not in locked for d in drafts)))
        now = clock.now()
        answers: list[Outcome | Problem] = []
        changes: list[tuple[int, Any]] = []
        for n, draft in enumerate(drafts):
            before = locked.get((draft.type, draft.id))
            pid = before["pid"] if before is not None else next(fresh)
            try:
                answer, change = self._decide(draft, before, pid, now, referred)
            except Problem as refused:
                if strict:
                    raise
                answers.append(refused)
                continue
            answers.append(answer)
            if change is not None:
                changes.append((n, change))
        try:
            await self._write(tx, changes, answers, strict=strict)
        except _Undone as undone:
            drafts[undone.number].denied = undone.patients
            raise undone.problem from undone
        return answers

    async def denials(self, drafts: Sequence[Draft]) -> None:
        """Logs what was refused; the transaction that refused it takes its own rows back."""
        rows: list[Released] = []
        for draft in drafts:
            letter = "d" if draft.resource is None else "u"
            rows += [
                Released(draft.errand, patient, type_number(draft.type), 1, letter, 8, draft.id)
                for patient in draft.denied or ()
            ]
            draft.denied = None
        await self.released(rows)

    async def _write(
        self,
        tx: Transaction,
        changes: list[tuple[int, writing.Change]],
        answers: list[Outcome | Problem],
        *,
        strict: bool,
    ) -> None:
        """Keeps changes and puts the refusals of the writing statement among the answers."""
        await writing.clear(tx, [change.pid for _, change in changes if change.version > 1])
        if len(changes) > CHUNK:
            _trust_each_other([change for _, change in changes])
        for start in range(0, len(changes), CHUNK):
            part = changes[start : start + CHUNK]
            verdicts = await writing.write(tx, [change for _, change in part])
            for (n, change), verdict in zip(part, verdicts, strict=True):
                problem = refusal(change, verdict)
                if problem is not None and (strict or change.version > 1):
                    # The index of the old version is already cleared: all of this must be undone.
                    raise _Undone(n, problem, () if verdict.allowed else change.patients)
                if problem is not None:
                    answers[n] = problem

    def _decide(
        self, draft: Draft, before: Any, pid: int, now: Any, referred: set[tuple[str, str]]
    ) -> tuple[Outcome, Any]:
        place = f"{draft.type}/{draft.id}"
        _need_right(draft, before, place)
        version = before["version"] + 1 if before is not None else 1
        _need_version(draft, version - 1, place)
        if draft.resource is None and before is not None and before["envelope"] is None:
            # Deleting twice is one deletion.
            gone = Document(draft.type, draft.id, version - 1, before["updated"], None, "D", pid)
            return Outcome(gone, created=False), None
        if draft.resource is None and (draft.type, draft.id) in referred:
            raise StillReferredTo(place=place)
        change, document = self.drafting.change(draft, pid, version, now, before)
        was_there = before is not None and before["envelope"] is not None
        return Outcome(document, created=not was_there), change

    async def _referred(
        self,
        tx: Transaction,
        drafts: Sequence[Draft],
        locked: dict[tuple[str, str], Any],
        *,
        together: bool,
    ) -> set[tuple[str, str]]:
        """Which of the resources to be deleted others still refer to.

        `together`: all drafts are kept or none, so what they change counts as changed.
        """
        terms = {
            self.terms.points_at(f"{d.type}/{d.id}"): (d.type, d.id)
            for d in drafts
            if d.resource is None and (d.type, d.id) in locked
        }
        if not terms:
            return set()
        own = [locked[place]["pid"] for d in drafts if (place := (d.type, d.id)) in locked]
        rows = await tx.fetch(_REFERRED, list(terms), own if together else [])
        found = {row["term"] for row in rows}
        if together:
            found |= {t for d in drafts if d.indexed for t in d.indexed.terms if t in terms}
        return {terms[term] for term in found}


class _Undone(Exception):
    """A change was refused after its old index was cleared."""

    def __init__(self, number: int, problem: Problem, patients: tuple[int | None, ...]) -> None:
        super().__init__()
        self.number, self.problem, self.patients = number, problem, patients


def _need_right(draft: Draft, before: Any, place: str) -> None:
    """Refuses a change of what may not be seen, not be changed, or not be made here."""
    if before is None:
        if draft.resource is None or not draft.may_create:
            raise NoSuchResource(place=place)
        return
    if not before["allowed"]:
        draft.denied = _patients(before)
        raise NoSuchResource(place=place)
    if not before["writable"]:
        draft.denied = _patients(before)
        raise NotYours(place=place)
    taken = before["labels"] & ~draft.indexed.labels if draft.indexed is not None else 0
    if taken and before["envelope"] is not None and not draft.errand.access.wide:
        draft.denied = _patients(before)
        raise LabelStays(place=place)


def _need_version(draft: Draft, current: int, place: str) -> None:
    if draft.if_match is None or draft.if_match == current:
        return
    text = f"The current version is {current}; you sent If-Match {draft.if_match}."
    if draft.if_match == 0:
        text = "There is another resource of that id already."
    raise Stale(text, place=place, issues=(Issue(text, "If-Match", Stale.code),))


def _patients(row: Any) -> tuple[int | None, ...]:
    return (row["patient"], *(row["others"] or ()))


def _trust_each_other(changes: list[writing.Change]) -> None:
    """References to what a later statement of the same transaction keeps need no look-up."""
    kept = {(change.type, change.id) for change in changes if change.envelope is not None}
    for change in changes:
        change.check = tuple(reference for reference in change.check if reference not in kept)


def refusal(change: writing.Change, verdict: writing.Verdict) -> Problem | None:
    if not verdict.allowed:
        where = Issue(NotYours().message, change.type, NotYours.code)
        return NotYours(place=f"{change.type}/{change.id}", issues=(where,))
    if verdict.dangling is not None:
        kind, name = change.check[verdict.dangling]
        text = f"There is no {kind}/{name} here."
        return DanglingReference(
            text,
            place=f"{change.type}/{change.id}",
            issues=(Issue(text, change.type, "not-found"),),
        )
    return None
