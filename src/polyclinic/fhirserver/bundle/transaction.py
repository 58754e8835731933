"""Transactions: ids first, then references, then one write of everything or nothing.

https://hl7.org/fhir/R4/http.html#transaction
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, LiteralString
from urllib.parse import parse_qsl

from polyclinic.fhirserver.bundle.entries import (
    Entry,
    check_resources,
    located,
    read_entries,
)
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.rest import reading
from polyclinic.fhirserver.rest.answer import Answer
from polyclinic.fhirserver.rest.interactions import Interactions, written
from polyclinic.fhirserver.search.query import parse
from polyclinic.fhirserver.store.draft import Draft
from polyclinic.fhirserver.store.store import ATTEMPTS, RACES, Outcome
from polyclinic.foundation import ids
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Conflict, Invalid, NotProcessable, Problem, Stale
from polyclinic.foundation.work import Pace
from polyclinic.standards.fhir.references import references, rewrite_references

# Whoever asks for the same criteria waits here until the other has committed, then searches.
_CLAIM: LiteralString = """
    INSERT INTO conditional_claim (hash) SELECT h FROM unnest($1::bytea[]) AS t(h) ORDER BY h
    ON CONFLICT (hash) DO UPDATE SET at = now()"""

_ORDER = {"DELETE": 0, "POST": 1, "PUT": 2, "GET": 3, "HEAD": 3}


Along = Callable[[Transaction], Awaitable[None]]


class Ambiguous(Stale):
    """The criteria match more than one resource."""


class NothingMatches(NotProcessable):
    """A conditional reference matches nothing."""

    code = "not-found"


@dataclass(slots=True)
class Plan:
    """A transaction on its way: what each entry writes and where references lead."""

    entries: list[Entry]
    targets: dict[int, tuple[str, str]] = field(default_factory=dict[int, tuple[str, str]])
    found: dict[int, tuple[str, str]] = field(default_factory=dict[int, tuple[str, str]])
    links: dict[str, str] = field(default_factory=dict[str, str])


class Transactions:
    """Carries transactions out; a few at a time, because each holds a connection."""

    def __init__(self, interactions: Interactions, *, at_once: int = 2) -> None:
        self._interactions = interactions
        self._store = interactions.store
        self._places = asyncio.Semaphore(at_once)

    async def carry(
        self, errand: Errand, bundle: dict[str, Any], base: str
    ) -> list[tuple[Entry, Answer]]:
        """The answer of each entry, in their order; a Problem means that nothing was kept."""
        entries = read_entries(bundle)
        writes = [entry for entry in entries if entry.ask.method not in ("GET", "HEAD")]
        await check_resources(writes)
        outcomes = await self.keep(errand, writes)
        answers = {entry.number: (entry, outcomes[entry.number]) for entry in writes}
        for entry in entries:
            if entry.number not in answers:
                answers[entry.number] = (
                    entry,
                    await self._interactions.carry(errand, entry.ask, base),
                )
        return [answers[entry.number] for entry in entries]

    async def keep(
        self, errand: Errand, writes: list[Entry], along: Along | None = None, *, check: bool = True
    ) -> dict[int, Answer]:
        """Keeps checked entries, and what `along` does in the same transaction, or nothing.

        `check=False` lets references lead to what is not here (an import in several files).
        """
        for entry in writes:
            self._check_write(errand, entry)
        async with self._places:
            for attempt in range(ATTEMPTS):
                try:
                    async with self._store.database.transaction() as tx:
                        if along is not None:
                            await along(tx)
                        return await self._keep_once(tx, errand, writes, check=check)
                except RACES as race:
                    if attempt == ATTEMPTS - 1:
                        text = "Others are changing the same resources; try again."
                        raise Conflict(text) from race
        raise AssertionError

    def _check_write(self, errand: Errand, entry: Entry) -> None:
        """Type, path and grant of one entry, before any row is locked."""
        kind = reading.a_type(entry.ask.path[0])
        letter = {"POST": "c", "PUT": "u", "DELETE": "d"}[entry.ask.method]
        errand.access.to(letter, kind)
        self._interactions.need_own(kind)
        length = 1 if entry.ask.method == "POST" else 2
        if len(entry.ask.path) != length or entry.ask.pairs:
            raise Invalid(
                "A POST goes to Type, a PUT or DELETE to Type/id.",
                place=f"{entry.place}.request.url",
            )

    async def _keep_once(
        self, tx: Transaction, errand: Errand, writes: list[Entry], *, check: bool
    ) -> dict[int, Answer]:
        plan = Plan(sorted(writes, key=lambda e: _ORDER[e.ask.method]))
        await self._resolve(tx, errand, plan)
        drafts = await self._drafts(errand, plan, check=check)
        try:
            kept = await self._store.apply(tx, [draft for _, draft in drafts])
        except Problem as problem:
            await self._store.denials([draft for _, draft in drafts])
            raise self._at_entry(problem, drafts) from problem
        answers = {n: self._already(target) for n, target in plan.found.items()}
        for (entry, _), outcome in zip(drafts, kept, strict=True):
            assert isinstance(outcome, Outcome)
            answers[entry.number] = _answer(entry, outcome)
        return answers

    def _already(self, target: tuple[str, str]) -> Answer:
        # ifNoneExist that matches: 200, and nothing is written.
        return Answer(200, None, None, f"{target[0]}/{target[1]}")

    def _at_entry(self, problem: Problem, drafts: list[tuple[Entry, Draft]]) -> Problem:
        for entry, draft in drafts:
            if problem.place == f"{draft.type}/{draft.id}":
                return located(problem, entry.place)
        return problem

    async def _resolve(self, tx: Transaction, errand: Errand, plan: Plan) -> None:
        """Gives every entry its place and every link its meaning."""
        wanted = {
            (e.ask.path[0], e.if_none_exist) for e in plan.entries if e.if_none_exist is not None
        }
        if wanted:
            claims = sorted(self._store.terms.claim(kind, text) for kind, text in wanted)
            await tx.execute(_CLAIM, claims)
        existing = await self._search_all(errand, wanted, may_be_absent=True)
        _place_entries(plan, existing)
        asked = {
            _conditional(value, place)
            for entry in plan.entries
            if entry.ask.resource is not None
            for _, _, value, place in references(entry.ask.resource)
            if "?" in value and value not in plan.links
        }
        matched = await self._search_all(errand, asked, may_be_absent=False)
        for (kind, text), target in matched.items():
            plan.links[f"{kind}?{text}"] = f"{target[0]}/{target[1]}"

    async def _search_all(
        self, errand: Errand, wanted: Iterable[tuple[str, str]], *, may_be_absent: bool
    ) -> dict[tuple[str, str], tuple[str, str]]:
        found: dict[tuple[str, str], tuple[str, str]] = {}
        for kind, text in sorted(wanted):
            query = parse(kind, [*parse_qsl(text), ("_count", "2")])
            if not query.criteria:
                raise Invalid("The criteria are empty.", place=f"{kind}?")
            grant = errand.access.to("s", kind)
            page = await self._interactions.search.page(errand, grant, query, None)
            if len(page.hits) > 1:
                raise Ambiguous(place=kind)
            if page.hits:
                found[(kind, text)] = (kind, page.hits[0].document.id)
            elif not may_be_absent:
                raise NothingMatches(f"A conditional reference to {kind} matches nothing.")
        return found

    async def _drafts(
        self, errand: Errand, plan: Plan, *, check: bool
    ) -> list[tuple[Entry, Draft]]:
        drafts: list[tuple[Entry, Draft]] = []
        taken: set[tuple[str, str]] = set()
        pace = Pace()
        for entry in plan.entries:
            if entry.number in plan.found:
                continue
            kind, name = plan.targets[entry.number]
            if (kind, name) in taken:
                raise Invalid(
                    f"Two entries write {kind}/{name}.", place=f"{entry.place}.request.url"
                )
            taken.add((kind, name))
            drafts.append((entry, self._draft(errand, plan, entry, check=check)))
            await pace.step()
        return drafts

    def _draft(self, errand: Errand, plan: Plan, entry: Entry, *, check: bool) -> Draft:
        kind, name = plan.targets[entry.number]
        method, resource = entry.ask.method, entry.ask.resource
        if method != "DELETE":
            assert resource is not None
            rewrite_references(resource, plan.links)
        else:
            resource = None
        letter = {"POST": "c", "PUT": "u", "DELETE": "d"}[method]
        match = reading.version_of(entry.ask.headers.get("if-match"))
        draft = Draft(
            errand, errand.access.to(letter, kind), kind, name, resource,
            if_match=match, check=check,
            may_create=method == "POST" or errand.access.wide,
        )  # fmt: skip
        self._store.drafting.index(draft)
        return draft


def _place_entries(plan: Plan, existing: dict[tuple[str, str], tuple[str, str]]) -> None:
    for entry in plan.entries:
        kind, wanted = entry.ask.path[0], entry.if_none_exist
        if entry.ask.method == "POST":
            target = existing.get((kind, wanted)) if wanted is not None else None
            if target is not None:
                plan.found[entry.number] = target
            else:
                target = (kind, ids.new_id())
                if wanted is not None:
                    # The same criteria twice in one Bundle mean the same new resource.
                    existing[(kind, wanted)] = target
        else:
            target = (kind, reading.an_id(entry.ask.path[1]))
            stated = (entry.ask.resource or {}).get("id", target[1])
            if stated != target[1]:
                raise Invalid(
                    "The resource's id must be the one of the url.",
                    place=f"{entry.place}.resource.id",
                )
        plan.targets[entry.number] = target
        if entry.full_url is not None and entry.ask.method != "DELETE":
            plan.links[entry.full_url] = f"{target[0]}/{target[1]}"
        if wanted is not None:
            plan.links[f"{kind}?{wanted}"] = f"{target[0]}/{target[1]}"


def _conditional(value: str, place: str) -> tuple[str, str]:
    kind, _, text = value.partition("?")
    try:
        return reading.a_type(kind), text
    except Problem as unknown:
        raise Invalid(
            "The reference is neither an address nor Type?criteria.", place=place
        ) from unknown


def _answer(entry: Entry, outcome: Outcome) -> Answer:
    if entry.ask.method == "DELETE":
        return Answer(204, None, outcome.document)
    return written(outcome, entry.ask.headers)
