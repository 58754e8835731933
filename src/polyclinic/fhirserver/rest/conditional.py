"""Writes by criteria: whoever asks for the same ones waits, so that two never find nothing at once.

The criteria's hash is claimed under UNIQUE, then searched, then written, in one transaction; the
claim goes with it. https://hl7.org/fhir/R4/http.html#cond-update
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import LiteralString, TypeVar
from urllib.parse import parse_qsl, urlencode

from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.rest.ask import Pairs
from polyclinic.fhirserver.rest.reading import IGNORED
from polyclinic.fhirserver.search.query import RESULT, parse
from polyclinic.fhirserver.search.run import Search
from polyclinic.fhirserver.store.draft import Draft
from polyclinic.fhirserver.store.store import ATTEMPTS, RACES, Outcome, Store
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Conflict, Invalid, Problem, Stale

# Whoever asks for the same criteria waits here until the other has committed, then searches.
_CLAIM: LiteralString = """
    INSERT INTO conditional_claim (hash) SELECT h FROM unnest($1::bytea[]) AS t(h) ORDER BY h
    ON CONFLICT (hash) DO UPDATE SET at = now()"""
# What was claimed is found by searching as soon as it is kept, so the claim need not stay.
_GIVE_UP: LiteralString = "DELETE FROM conditional_claim WHERE hash = ANY ($1::bytea[])"

Done = TypeVar("Done")
AT_ONCE = 2  # transactions side by side: each holds a connection while it searches by another
Criteria = tuple[str, str]  # a type, and its criteria in the one writing that `canonical` gives


class Ambiguous(Stale):
    """The criteria match more than one resource."""


class Unsure(Conflict):
    """A record that does not open might match these criteria; nothing was changed."""


class Superseded(Problem):
    """What was found has changed since; the transaction begins again."""


def canonical(kind: str, pairs: Pairs | str) -> Criteria:
    """Criteria that mean the same are written the same; raises Invalid when there are none."""
    listed = parse_qsl(pairs, keep_blank_values=True) if isinstance(pairs, str) else list(pairs)
    criteria = sorted(pair for pair in listed if pair[0] not in IGNORED)
    shaping = [name for name, _ in criteria if name in RESULT]
    if shaping:
        raise Invalid(f"{shaping[0]} is no criterion.", place=shaping[0])
    if not criteria:
        raise Invalid("The criteria are empty.", place=f"{kind}?")
    parse(kind, criteria)
    return kind, urlencode(criteria)


class Conditional:
    """Finds by criteria under the caller's own Grant, alone with them in a transaction."""

    def __init__(self, store: Store, search: Search) -> None:
        self._store, self._search = store, search
        self.places = asyncio.Semaphore(AT_ONCE)

    async def claim(self, tx: Transaction, wanted: Iterable[Criteria]) -> None:
        """Waits until nobody else works with any of these criteria."""
        hashes = self._hashes(wanted)
        if hashes:
            await tx.execute(_CLAIM, hashes)

    async def give_up(self, tx: Transaction, wanted: Iterable[Criteria]) -> None:
        """At the end of the transaction, so that claims do not pile up."""
        hashes = self._hashes(wanted)
        if hashes:
            await tx.execute(_GIVE_UP, hashes)

    def _hashes(self, wanted: Iterable[Criteria]) -> list[bytes]:
        return sorted(self._store.terms.claim(kind, text) for kind, text in set(wanted))

    async def find(self, errand: Errand, wanted: Criteria) -> str | None:
        """The id of the one that matches and may be seen; Ambiguous when there are several."""
        kind, text = wanted
        grant = errand.access.to("s", kind)
        query = parse(kind, [*parse_qsl(text, keep_blank_values=True), ("_count", "2")])
        page = await self._search.page(errand, grant, query, None)
        if any(hit.document.body is None for hit in page.hits):
            raise Unsure(place=kind)
        if len(page.hits) > 1:
            raise Ambiguous(place=kind)
        return page.hits[0].document.id if page.hits else None

    async def write(
        self,
        errand: Errand,
        wanted: Criteria,
        draft_of: Callable[[str | None], Awaitable[Draft | None]],
        *,
        again_if_stale: bool = False,
    ) -> tuple[str | None, Outcome | None]:
        """What was found, and what the draft made of it; no draft leaves everything as it is."""

        async def once(tx: Transaction) -> tuple[str | None, Outcome | None]:
            await self.claim(tx, [wanted])
            name = await self.find(errand, wanted)
            draft = await draft_of(name)
            outcome = None
            if draft is not None:
                outcome = await self._keep(tx, draft, again_if_stale=again_if_stale)
            await self.give_up(tx, [wanted])
            return name, outcome

        return await self.alone(once)

    async def _keep(self, tx: Transaction, draft: Draft, *, again_if_stale: bool) -> Outcome:
        self._store.drafting.index(draft)
        try:
            (outcome,) = await self._store.apply(tx, [draft])
        except Problem as problem:
            await self._store.denials([draft])
            if again_if_stale and isinstance(problem, Stale):
                raise Superseded from problem
            raise
        assert isinstance(outcome, Outcome)
        return outcome

    async def alone(self, once: Callable[[Transaction], Awaitable[Done]]) -> Done:
        """Carries a transaction out, again when it lost a race; a few at a time."""
        async with self.places:
            for attempt in range(ATTEMPTS):
                try:
                    async with self._store.database.transaction() as tx:
                        return await once(tx)
                except (*RACES, Superseded) as race:
                    if attempt == ATTEMPTS - 1:
                        text = "Others are changing the same resources; try again."
                        raise Conflict(text) from race
        raise AssertionError
