"""Chains, `_has` and value sets become plain criteria: two steps, each under a Grant of its own.

The inner step sees only what the caller may search of the inner type, so that nothing forbidden
changes an answer: not by a hit, not by a refusal, not by a count.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from polyclinic.fhirserver.access import Grant
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.search.asks import (
    ChainAsk,
    Criterion,
    HasAsk,
    Query,
    ReferenceAsk,
    TokenAsk,
    ValueSetAsk,
)
from polyclinic.fhirserver.search.hits import Hit
from polyclinic.fhirserver.search.query import NotAnswered
from polyclinic.fhirserver.search.value_sets import codes_of
from polyclinic.foundation.errors import Forbidden, TooCostly
from polyclinic.standards.fhir.search_values import ReferenceValue, extract

IDS_MAX = 1000


class Finds(Protocol):
    """A search, as far as an inner step needs it: every hit of a narrow query, unlogged."""

    async def matching(self, errand: Errand, grant: Grant, query: Query) -> list[Hit]: ...


class OtherOwner(Protocol):
    """Another service's search, asked as the same caller.

    Answers the ids of the resources of `kind` that match; with `through`, the ids of what they
    refer to by that parameter and that is of type `of`. At most `most`, else TooCostly.
    """

    async def __call__(
        self,
        errand: Errand,
        kind: str,
        pairs: Sequence[tuple[str, str]],
        through: tuple[str, str] | None,
        most: int,
    ) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Resolver:
    """The inner steps of one service's searches; `foreign` types are asked of their owner."""

    finds: Finds
    foreign: frozenset[str]
    elsewhere: OtherOwner | None = None

    async def resolved(self, errand: Errand, query: Query) -> Query:
        """The same query without chains, `_has` and value sets."""
        if not any(_is_indirect(criterion) for criterion in query.criteria):
            return query
        found = [await self._plain(errand, query.type, c) for c in query.criteria]
        return replace(query, criteria=tuple(c for c in found if c is not None))

    async def _plain(self, errand: Errand, kind: str, criterion: Criterion) -> Criterion | None:
        if criterion.type == "chain":
            return await self._chain(errand, criterion)
        if criterion.type == "has":
            return await self._has(errand, kind, criterion)
        if criterion.modifier not in ("in", "not-in"):
            return criterion
        codes: dict[TokenAsk, None] = {}
        for ask in criterion.asks:
            assert isinstance(ask, ValueSetAsk)
            place = f"{criterion.param}:{criterion.modifier}"
            codes.update(dict.fromkeys(await codes_of(self.finds, errand, ask.url, place)))
        if criterion.modifier == "in":
            return replace(criterion, modifier=None, asks=tuple(codes))
        return replace(criterion, modifier="not", asks=tuple(codes)) if codes else None

    async def _chain(self, errand: Errand, criterion: Criterion) -> Criterion:
        (ask,) = criterion.asks
        assert isinstance(ask, ChainAsk)
        found: list[ReferenceAsk] = []
        for inner in self._reachable(errand, ask):
            for name in await self._ids(errand, inner):
                found.append(ReferenceAsk((inner.type,), name, None))
        _need_few(found, criterion.param)
        return Criterion(criterion.param, "reference", None, tuple(found))

    def _reachable(self, errand: Errand, ask: ChainAsk) -> list[Query]:
        """The types that the caller may search; one that was named must be among them."""
        grants = errand.access.grants["s"]
        open_ = [inner for inner in ask.targets if grants.allows_type(inner.type)]
        if not open_:
            errand.access.to("s", ask.targets[0].type)
            raise Forbidden
        return open_

    async def _ids(self, errand: Errand, inner: Query) -> Sequence[str]:
        grant = errand.access.to("s", inner.type)
        if inner.type in self.foreign:
            return await self._ask(errand, inner, None)
        return [hit.document.id for hit in await self._hits(errand, grant, inner)]

    async def _has(self, errand: Errand, kind: str, criterion: Criterion) -> Criterion:
        (ask,) = criterion.asks
        assert isinstance(ask, HasAsk)
        inner = ask.query
        grant = errand.access.to("s", inner.type)
        if inner.type in self.foreign:
            names: Sequence[str] = await self._ask(errand, inner, (ask.through, kind))
        else:
            hits = await self._hits(errand, grant, inner)
            names = [name for hit in hits for name in _pointed_at(hit, ask.through, kind)]
        asks = tuple(TokenAsk(None, name) for name in dict.fromkeys(names))
        _need_few(asks, "_has")
        return Criterion("_id", "token", None, asks)

    async def _hits(self, errand: Errand, grant: Grant, inner: Query) -> list[Hit]:
        plain = await self.resolved(errand, inner)
        found = await self.finds.matching(errand, grant, plain)
        # Whether one that does not open would match, nobody can tell: it leads nowhere.
        return [hit for hit in found if hit.document.body is not None]

    async def _ask(
        self, errand: Errand, inner: Query, through: tuple[str, str] | None
    ) -> Sequence[str]:
        if self.elsewhere is None:
            text = f"Another service keeps {inner.type}; chains that lead there are not offered."
            raise NotAnswered(text, place=inner.type)
        return await self.elsewhere(errand, inner.type, inner.pairs, through, IDS_MAX)


def _is_indirect(criterion: Criterion) -> bool:
    return criterion.type in ("chain", "has") or criterion.modifier in ("in", "not-in")


def _pointed_at(hit: Hit, through: str, kind: str) -> list[str]:
    return [
        value.id
        for value in extract(hit.resource, frozenset({through}))
        if isinstance(value, ReferenceValue) and value.type == kind and value.id is not None
    ]


def _need_few(found: Sequence[object], place: str) -> None:
    if len(found) > IDS_MAX:
        text = f"The inner part of {place} finds more than {IDS_MAX} resources; make it narrower."
        raise TooCostly(text, place=place)
