"""Transactions: ids first, then references, then one write of everything or nothing.

https://hl7.org/fhir/R4/http.html#transaction
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any

from polyclinic.fhirserver.bundle.entries import (
    Entry,
    check_resources,
    located,
    read_entries,
)
from polyclinic.fhirserver.bundle.plan import ORDER, Plan
from polyclinic.fhirserver.bundle.response import response_bundle
from polyclinic.fhirserver.bundle.room import Room
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.rest import reading
from polyclinic.fhirserver.rest.answer import Answer
from polyclinic.fhirserver.rest.ask import written
from polyclinic.fhirserver.rest.conditional import Criteria, Superseded, canonical
from polyclinic.fhirserver.rest.interactions import Interactions
from polyclinic.fhirserver.rest.patch import patched_draft
from polyclinic.fhirserver.rest.update import matched_draft
from polyclinic.fhirserver.store.draft import Draft
from polyclinic.fhirserver.store.store import Outcome
from polyclinic.foundation import once as keys
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Invalid, NotProcessable, Problem, Stale
from polyclinic.foundation.once import Once, Stored
from polyclinic.foundation.work import Pace
from polyclinic.standards.fhir import codec
from polyclinic.standards.fhir.references import references, rewrite_references

Along = Callable[[Transaction], Awaitable[None]]
Done = Callable[[Transaction, dict[int, Answer]], Awaitable[None]]
_LETTER = {"POST": "c", "PUT": "u", "PATCH": "u", "DELETE": "d"}


class SeveralOwners(NotProcessable):
    """Entries of a transaction are kept by several services."""

    code = "not-supported"


class _Answered(Exception):
    """The key was used before, for the same."""


class NothingMatches(NotProcessable):
    """A conditional reference matches nothing."""

    code = "not-found"


class Transactions:
    """Carries transactions out; a few at a time, because each holds a connection."""

    def __init__(self, interactions: Interactions) -> None:
        self._interactions = interactions
        self._parts = interactions.parts
        self._store = interactions.parts.store
        self._conditional = interactions.parts.conditional

    async def carry(
        self, errand: Errand, bundle: dict[str, Any], base: str, room: Room
    ) -> list[tuple[Entry, Answer]]:
        """The answer of each entry, in their order; a Problem means that nothing was kept."""
        entries = read_entries(bundle)
        writes = [entry for entry in entries if entry.ask.method not in ("GET", "HEAD")]
        self._refuse_several_owners(writes)
        await check_resources(writes)
        outcomes = await self.keep(errand, writes)
        answers = {e.number: (e, room.kept(e, outcomes[e.number])) for e in writes}
        for entry in entries:
            if entry.number not in answers:
                # A read after the writes: what it cannot show is said in its own entry.
                seen = await room.carry(self._interactions, errand, entry, base)
                answers[entry.number] = entry, seen
        return [answers[entry.number] for entry in entries]

    async def carry_once(self, errand: Errand, bundle: dict[str, Any], once: Once) -> bytes:
        """The Bundle that answers; the same bytes for the same key, whatever happened since.

        The key, the writes and the answer are kept together or not at all: what was refused kept
        nothing, so it may be sent again.
        """
        entries = read_entries(bundle)
        if any(entry.ask.method in ("GET", "HEAD") for entry in entries):
            text = "A transaction with an Idempotency-Key only writes: its answer is kept."
            raise Invalid(text, place="Bundle.entry")
        self._refuse_several_owners(entries)
        await check_resources(entries)
        body = b""

        async def claimed(tx: Transaction) -> None:
            if await keys.claim(tx, once) is not None:
                raise _Answered

        async def answered(tx: Transaction, outcomes: dict[int, Answer]) -> None:
            nonlocal body
            listed = [(entry, replace(outcomes[entry.number], body=None)) for entry in entries]
            body = response_bundle("transaction", listed, whole=False)
            await keys.answer(tx, [(once, Stored(200, body))])

        try:
            await self.keep(errand, entries, claimed, done=answered)
        except _Answered:
            # Undone, this transaction has not waited for the standby; this look does.
            known = await keys.find(self._store.database, [once.name])
            return keys.checked(once, known.get(once.name)).body
        return body

    async def keep(
        self, errand: Errand, writes: list[Entry], along: Along | None = None, *,
        check: bool = True, done: Done | None = None,
    ) -> dict[int, Answer]:  # fmt: skip
        """Keeps checked entries, and what `along` and `done` do in the same transaction, or
        nothing: the one before them, the other with their answers.

        `check=False` lets references lead to what is not here (an import in several files).
        """
        for entry in writes:
            self._check_write(errand, entry)
        sent = [codec.encode(e.ask.resource) if e.ask.resource else None for e in writes]
        attempts = 0

        async def once(tx: Transaction) -> dict[int, Answer]:
            nonlocal attempts
            attempts += 1
            # An attempt writes its own ids into the references; the next begins with what was sent.
            entries = writes if attempts == 1 else list(map(_anew, writes, sent))
            if along is not None:
                await along(tx)
            answers = await self._keep_once(tx, errand, entries, check=check)
            if done is not None:
                await done(tx, answers)
            return answers

        return await self._conditional.alone(once)

    def _refuse_several_owners(self, writes: list[Entry]) -> None:
        owners = self._interactions.owners
        named = owners.named(entry.ask.path[0] for entry in writes) if owners else ""
        if named:
            raise SeveralOwners(
                f"No transaction reaches over services ({named}); send a batch, or one "
                "transaction for each owner.",
                place="Bundle.entry",
            )

    def _check_write(self, errand: Errand, entry: Entry) -> None:
        """Type, path and grant of one entry, before any row is locked."""
        kind, method = reading.a_type(entry.ask.path[0]), entry.ask.method
        self._parts.may_write(errand, _LETTER[method], kind)
        if method == "PATCH":
            errand.access.to("r", kind)
        by_id = len(entry.ask.path) == 2 and not entry.ask.pairs and method != "POST"
        by_type = len(entry.ask.path) == 1 and bool(entry.ask.pairs) == (method != "POST")
        if not (by_id or by_type):
            raise Invalid(
                "A POST goes to Type, a PUT, PATCH or DELETE to Type/id or Type?criteria.",
                place=f"{entry.place}.request.url",
            )

    async def _keep_once(
        self, tx: Transaction, errand: Errand, writes: list[Entry], *, check: bool
    ) -> dict[int, Answer]:
        plan = Plan(sorted(writes, key=lambda e: ORDER[e.ask.method]))
        claimed = await self._resolve(tx, errand, plan)
        drafts = await self._drafts(errand, plan, check=check)
        try:
            kept = await self._store.apply(tx, [draft for _, draft in drafts])
        except Problem as problem:
            await self._store.denials([draft for _, draft in drafts])
            raise self._at_entry(problem, drafts) from problem
        await self._conditional.give_up(tx, claimed)
        answers = dict(plan.done)
        for (entry, _), made in zip(drafts, kept, strict=True):
            assert isinstance(made, Outcome)
            answers[entry.number] = _answer(entry, made)
        return answers

    def _at_entry(self, problem: Problem, drafts: list[tuple[Entry, Draft]]) -> Problem:
        for entry, draft in drafts:
            if problem.place == f"{draft.type}/{draft.id}":
                if isinstance(problem, Stale) and _is_for_any_version(entry):
                    return Superseded()
                return located(problem, entry.place)
        return problem

    async def _resolve(self, tx: Transaction, errand: Errand, plan: Plan) -> set[Criteria]:
        """Gives every entry its place and every link its meaning; answers what it claimed."""
        wanted = {c for entry in plan.entries if (c := _criteria(entry)) is not None}
        await self._conditional.claim(tx, wanted)
        plan.place(await self._search_all(errand, wanted, may_be_absent=True))
        asked = {
            value: _conditional(value, place)
            for entry in plan.entries
            if entry.ask.resource is not None
            for _, _, value, place in references(entry.ask.resource)
            if "?" in value and value not in plan.links
        }
        matched = await self._search_all(errand, asked.values(), may_be_absent=False)
        for value, criteria in asked.items():
            plan.links[value] = f"{criteria[0]}/{matched[criteria]}"
        return wanted

    async def _search_all(
        self, errand: Errand, wanted: Iterable[Criteria], *, may_be_absent: bool
    ) -> dict[Criteria, str]:
        found: dict[Criteria, str] = {}
        for criteria in sorted(set(wanted)):
            name = await self._conditional.find(errand, criteria)
            if name is not None:
                found[criteria] = name
            elif not may_be_absent:
                raise NothingMatches(f"A conditional reference to {criteria[0]} matches nothing.")
        return found

    async def _drafts(
        self, errand: Errand, plan: Plan, *, check: bool
    ) -> list[tuple[Entry, Draft]]:
        drafts: list[tuple[Entry, Draft]] = []
        taken: set[tuple[str, str]] = set()
        pace = Pace()
        for entry in plan.entries:
            if entry.number in plan.done:
                continue
            kind, name = plan.targets[entry.number]
            if (kind, name) in taken:
                raise Invalid(
                    f"Two entries write {kind}/{name}.", place=f"{entry.place}.request.url"
                )
            taken.add((kind, name))
            try:
                draft = await self._draft(errand, plan, entry)
            except Problem as problem:
                raise located(problem, entry.place) from problem
            draft.check = check
            if draft.resource is not None:
                rewrite_references(draft.resource, plan.links)
            self._store.drafting.index(draft)
            drafts.append((entry, draft))
            await pace.step()
        return drafts

    async def _draft(self, errand: Errand, plan: Plan, entry: Entry) -> Draft:
        (kind, name), ask = plan.targets[entry.number], entry.ask
        if ask.method == "PATCH":
            return await patched_draft(self._parts, errand, kind, name, ask)
        if ask.method == "PUT" and len(ask.path) == 1:
            assert ask.resource is not None
            found = plan.matched.get(entry.number)
            return matched_draft(errand, ask, found, ask.resource, name)
        return Draft(
            errand, errand.access.to(_LETTER[ask.method], kind), kind, name,
            ask.resource if ask.method != "DELETE" else None, if_match=ask.if_match,
            may_create=ask.method == "POST" or errand.access.wide,
        )  # fmt: skip


def _anew(entry: Entry, sent: bytes | None) -> Entry:
    resource = codec.decode_kept(sent) if sent is not None else None
    return Entry(
        entry.number, entry.full_url, replace(entry.ask, resource=resource), entry.if_none_exist
    )


def _is_for_any_version(entry: Entry) -> bool:
    """A patch without If-Match is for whatever is current when it is carried out."""
    return entry.ask.method == "PATCH" and entry.ask.if_match is None


def _criteria(entry: Entry) -> Criteria | None:
    try:
        return entry.criteria
    except Problem as problem:
        raise located(problem, entry.place) from problem


def _conditional(value: str, place: str) -> Criteria:
    kind, _, text = value.partition("?")
    try:
        known = reading.a_type(kind)
    except Problem as unknown:
        raise Invalid(
            "The reference is neither an address nor Type?criteria.", place=place
        ) from unknown
    return canonical(known, text)


def _answer(entry: Entry, outcome: Outcome) -> Answer:
    if entry.ask.method == "DELETE":
        return Answer(204, None, outcome.document)
    return written(outcome, entry.ask.headers)
