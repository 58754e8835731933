"""History of a resource, of a type and of everything. https://hl7.org/fhir/R4/http.html#history"""

from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.rest.answer import Answer
from polyclinic.fhirserver.rest.ask import Ask, Pairs
from polyclinic.fhirserver.rest.bundles import changes, versions
from polyclinic.fhirserver.rest.parts import Parts
from polyclinic.fhirserver.rest.reading import IGNORED, since_of
from polyclinic.fhirserver.search.cursor import Cursor
from polyclinic.fhirserver.store.changes import LATEST_CHANGE, Span
from polyclinic.fhirserver.store.history import Window
from polyclinic.foundation.errors import Invalid
from polyclinic.standards.fhir.definitions import resource_types

COUNT_DEFAULT, COUNT_MAX = 50, 200


async def history(
    parts: Parts, errand: Errand, kind: str, name: str, ask: Ask, base: str
) -> Answer:
    """The versions of one resource, newest first."""
    grant = errand.access.to("r", kind)
    said = _said(ask.pairs, frozenset({"_count", "_before"}))
    before = _number("_before", said["_before"]) if "_before" in said else None
    count = _count(said)
    window = Window(None, before, count + 1)
    found = await parts.store.history(errand, grant, kind, name, window)
    if not found and before is None:
        await parts.store.read(errand, grant, kind, name)
    return Answer(200, versions(found, count, base))


async def history_of_type(parts: Parts, errand: Errand, kind: str, ask: Ask, base: str) -> Answer:
    """What changed in one type, newest first."""
    errand.access.to("r", kind)
    return await _changes(parts, errand, (kind,), f"{kind}/_history", ask.pairs, base)


async def history_of_all(parts: Parts, errand: Errand, ask: Ask, base: str) -> Answer:
    """What changed in every type that is kept here and that the caller may read."""
    grant = errand.access.to("r")
    kinds = tuple(
        kind for kind in resource_types() if kind not in parts.foreign and grant.allows_type(kind)
    )
    return await _changes(parts, errand, kinds, "_history", ask.pairs, base)


async def _changes(
    parts: Parts, errand: Errand, kinds: tuple[str, ...], where: str, pairs: Pairs, base: str
) -> Answer:
    said = _said(pairs, frozenset({"_count", "_since", "_page"}))
    below = LATEST_CHANGE
    if "_page" in said:
        cursor = parts.cursors.open(said["_page"], errand.access.actor, where)
        said = dict(cursor.pairs)
        assert cursor.moment is not None
        below = (cursor.moment, cursor.pid, int(cursor.text or "0"))
    count = _count(said)
    span = Span(below, since_of(said), count + 1)
    found = await parts.store.changes(errand, errand.access.to("r"), kinds, span)
    after = None
    if len(found) > count:
        last = found[count - 1]
        cursor = Cursor(tuple(said.items()), last.pid, last.updated, str(last.version))
        after = parts.cursors.seal(cursor, errand.access.actor, where)
    return Answer(200, changes(found[:count], where, list(said.items()), base, after))


def _said(pairs: Pairs, offered: frozenset[str]) -> dict[str, str]:
    for name, _ in pairs:
        if name not in offered | IGNORED:
            raise Invalid(f"A history here has no parameter {name[:64]!r}.", place=name[:64])
    return {name: value for name, value in pairs if name in offered}


def _number(name: str, value: str) -> int:
    if not (value.isascii() and value.isdecimal() and 0 < len(value) < 10):
        raise Invalid(f"{name} is a number.", place=name)
    return int(value)


def _count(said: dict[str, str]) -> int:
    asked = _number("_count", said["_count"]) if "_count" in said else COUNT_DEFAULT
    return max(1, min(asked, COUNT_MAX))
