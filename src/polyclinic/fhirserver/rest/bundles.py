"""Bundles as bytes: stored resources are spliced in as they are, never decoded again."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec

from polyclinic.fhirserver.rest.answer import instant, outcome
from polyclinic.fhirserver.search.asks import Query
from polyclinic.fhirserver.search.hits import Hit, Page
from polyclinic.fhirserver.store.rows import UNREADABLE, Document
from polyclinic.fhirserver.summary import shortened
from polyclinic.foundation.errors import Issue, Problem

Pairs = Sequence[tuple[str, str]]
_METHODS = {"C": "POST", "U": "PUT", "D": "DELETE"}


def _raw(body: bytes) -> Any:
    return msgspec.Raw(body)


def searchset(
    query: Query, page: Page, others: Sequence[Hit], base: str, after: str | None
) -> bytes:
    """The Bundle of a search: matches, what they include, and where the next page is."""
    entries = [_found(query, hit, base, "match") for hit in page.hits]
    entries += [_found(query, hit, base, "include") for hit in others]
    links = _links(f"{base}/{query.type}", query.pairs, after)
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset"}
    if page.total is not None:
        bundle["total"] = page.total
    bundle["link"] = links
    if entries:
        bundle["entry"] = entries
    return msgspec.json.encode(bundle)


def _found(query: Query, hit: Hit, base: str, mode: str) -> dict[str, Any]:
    document = hit.document
    found = _whole(hit, base, mode)
    if document.body is not None and (query.summary != "false" or query.elements):
        found["resource"] = _raw(shortened(query, hit.resource))
    return found


def versions(found: Sequence[Document], count: int, base: str) -> bytes:
    """The Bundle of a history; one version more than `count` means that there are older ones."""
    shown = found[:count]
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "type": "history",
        "entry": [_past(document, base) for document in shown],
    }
    if len(found) > count:
        last = shown[-1]
        url = f"{base}/{last.type}/{last.id}/_history?_count={count}&_before={last.version}"
        bundle["link"] = [{"relation": "next", "url": url}]
    return msgspec.json.encode(bundle)


def changes(
    found: Sequence[Document], where: str, said: Pairs, base: str, after: str | None
) -> bytes:
    """The Bundle of a type's history, or of everything's; `where` is its address."""
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "history"}
    bundle["link"] = _links(f"{base}/{where}", said, after)
    if found:
        bundle["entry"] = [_past(document, base) for document in found]
    return msgspec.json.encode(bundle)


def collected(
    hits: Sequence[Hit],
    others: Sequence[Hit],
    asked: tuple[str, Pairs],
    base: str,
    after: str | None,
) -> bytes:
    """The Bundle of an operation that collects whole resources, and what these refer to."""
    where, said = asked
    entries = [_whole(hit, base, "match") for hit in hits]
    entries += [_whole(hit, base, "include") for hit in others]
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset"}
    bundle["link"] = _links(f"{base}/{where}", said, after)
    if entries:
        bundle["entry"] = entries
    return msgspec.json.encode(bundle)


def _links(here: str, said: Pairs, after: str | None) -> list[dict[str, str]]:
    asked = urlencode(list(said))
    links = [{"relation": "self", "url": f"{here}?{asked}" if asked else here}]
    if after is not None:
        links.append({"relation": "next", "url": f"{here}?_page={after}"})
    return links


def _whole(hit: Hit, base: str, mode: str) -> dict[str, Any]:
    document = hit.document
    if document.body is None:
        return {"resource": _closed(document), "search": {"mode": "outcome"}}
    return {
        "fullUrl": f"{base}/{document.type}/{document.id}",
        "resource": _raw(document.body),
        "search": {"mode": mode},
    }


def _closed(document: Document) -> Any:
    """In place of a record that does not open: a gap that nobody sees is worse than an error."""
    place = f"{document.type}/{document.id}"
    text = f"{place} does not open: it was changed, moved, or its key was destroyed."
    return _raw(outcome(Problem(text, issues=(Issue(text, place, "exception"),))))


def _past(document: Document, base: str) -> dict[str, Any]:
    method = _METHODS.get(document.method, "PUT")
    entry: dict[str, Any] = {"fullUrl": f"{base}/{document.type}/{document.id}"}
    if document.body is not None:
        entry["resource"] = _raw(document.body)
    url = document.type if method == "POST" else f"{document.type}/{document.id}"
    entry["request"] = {"method": method, "url": url}
    entry["response"] = {
        "status": {"POST": "201", "PUT": "200", "DELETE": "204"}[method],
        "etag": f'W/"{document.version}"',
        "lastModified": instant(document.updated),
    }
    if document.method == UNREADABLE:
        entry["response"]["outcome"] = _closed(document)
    return entry
