"""`_include` and `_revinclude`: what hits point at, and what points at them, if it may be seen."""

import asyncio
from collections.abc import Sequence

from polyclinic.fhirserver.access import Grant
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.search.asks import Criterion, Include, Query, ReferenceAsk
from polyclinic.fhirserver.search.hits import Hit, content
from polyclinic.fhirserver.search.run import Search
from polyclinic.fhirserver.store.rows import UNREADABLE, Document
from polyclinic.fhirserver.store.store import Store
from polyclinic.foundation import clock
from polyclinic.foundation.errors import Forbidden, NotFound, TooCostly
from polyclinic.foundation.vault import Unreadable
from polyclinic.standards.fhir.definitions import search_parameters
from polyclinic.standards.fhir.search_values import ReferenceValue, extract

INCLUDED_MAX = 1000


async def included(
    store: Store, search: Search, errand: Errand, query: Query, hits: Sequence[Hit]
) -> list[Hit]:
    """Each other resource once; what the caller may not see is left out without a trace."""
    if not hits or not (query.includes or query.revincludes):
        return []
    seen = {(hit.document.type, hit.document.id) for hit in hits}
    targets = [
        target
        for include in query.includes
        for hit in hits
        for target in _targets(include, hit)
        if target not in seen
    ]
    foreign = search.resolver.foreign
    unique = list(dict.fromkeys(targets))
    found = await read_all(store, errand, [t for t in unique if t[0] not in foreign])
    found += await _read_elsewhere(search, errand, [t for t in unique if t[0] in foreign])
    for include in query.revincludes:
        find = _pointing_elsewhere if include.source in foreign else _pointing
        found += await find(search, errand, include, hits)
    once = {(hit.document.type, hit.document.id): hit for hit in found}
    return [hit for place, hit in once.items() if place not in seen]


async def _read_elsewhere(
    search: Search, errand: Errand, targets: list[tuple[str, str]]
) -> list[Hit]:
    """What other services keep, asked of them in the caller's name."""
    if search.others is None:
        return []
    by_kind: dict[str, list[str]] = {}
    for kind, name in targets:
        by_kind.setdefault(kind, []).append(name)
    found: list[Hit] = []
    for kind, names in by_kind.items():
        found += await search.others(errand, kind, [("_id", ",".join(names))], INCLUDED_MAX)
    return found


async def _pointing_elsewhere(
    search: Search, errand: Errand, include: Include, hits: Sequence[Hit]
) -> list[Hit]:
    if search.others is None or include.param == "*":
        return []
    places = ",".join(f"{hit.document.type}/{hit.document.id}" for hit in hits)
    return await search.others(errand, include.source, [(include.param, places)], INCLUDED_MAX)


def _targets(include: Include, hit: Hit) -> list[tuple[str, str]]:
    only = None if include.param == "*" else frozenset({include.param})
    return [
        (value.type, value.id)
        for value in extract(hit.resource, only)
        if isinstance(value, ReferenceValue)
        and value.type is not None
        and value.id is not None
        and include.target in (None, value.type)
    ]


async def read_all(store: Store, errand: Errand, targets: list[tuple[str, str]]) -> list[Hit]:
    if len(targets) > INCLUDED_MAX:
        raise TooCostly(f"The page would include more than {INCLUDED_MAX} resources.")
    found = await asyncio.gather(*(_read(store, errand, *target) for target in targets))
    return [hit for hit in found if hit is not None]


async def _read(store: Store, errand: Errand, kind: str, name: str) -> Hit | None:
    try:
        grant = errand.access.to("r", kind)
        document = await store.read(errand, grant, kind, name)
    except (NotFound, Forbidden):
        return None
    except Unreadable:
        document = Document(kind, name, 0, clock.now(), None, UNREADABLE)
    return Hit(document, content(document), (), None)


async def _pointing(
    search: Search, errand: Errand, include: Include, hits: Sequence[Hit]
) -> list[Hit]:
    try:
        grant: Grant = errand.access.to("s", include.source)
    except Forbidden:
        return []
    asks = tuple(ReferenceAsk((h.document.type,), h.document.id, None) for h in hits)
    params = [include.param]
    if include.param == "*":
        known = search_parameters(include.source).items()
        params = [code for code, parameter in known if parameter.type == "reference"]
    found: list[Hit] = []
    for param in params:
        criterion = Criterion(param, "reference", None, asks)
        query = Query(
            include.source, (criterion,), (), INCLUDED_MAX, "none", "false", (), (), (), (), None
        )
        try:
            page = await search.page(errand, grant, query, None)
        except Forbidden:
            continue  # a chart that is closed is left out, it does not close the search
        if page.after is not None:
            raise TooCostly(f"More than {INCLUDED_MAX} resources point at this page.")
        found += page.hits
    return found
