"""`Patient/id/$everything`: a chart, type by type, and the directory that it refers to.

https://hl7.org/fhir/R4/operation-patient-everything.html
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from polyclinic.fhirserver.access import DIRECTORY, Grant
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.rest import reading
from polyclinic.fhirserver.rest.answer import Answer
from polyclinic.fhirserver.rest.ask import Ask
from polyclinic.fhirserver.rest.bundles import collected
from polyclinic.fhirserver.rest.parts import Parts
from polyclinic.fhirserver.search.cursor import Cursor
from polyclinic.fhirserver.search.hits import Hit
from polyclinic.fhirserver.search.include import read_all
from polyclinic.fhirserver.search.run import ChartPage
from polyclinic.foundation.errors import Invalid
from polyclinic.standards.fhir.definitions import in_patient_compartment, resource_types
from polyclinic.standards.fhir.references import references
from polyclinic.standards.fhir.search_values import literal

COUNT_DEFAULT, COUNT_MAX = 100, 1000
KINDS = ("Patient", *(k for k in resource_types() if k != "Patient" and in_patient_compartment(k)))
_OFFERED = frozenset({"_count", "_since", "_type", "_page"})


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What of the chart is asked for, and where the page begins."""

    kinds: tuple[str, ...]
    since: datetime | None
    count: int
    after: Cursor | None


async def everything(parts: Parts, errand: Errand, name: str, ask: Ask, base: str) -> Answer:
    """One page; the patient comes first, and nobody's chart opens who has no Grant for it."""
    grant = errand.access.to("r", "Patient")
    parts.need_own("Patient")
    where = f"Patient/{name}/$everything"
    said = _said(ask)
    after = None
    if "_page" in said:
        after = parts.cursors.open(said["_page"], errand.access.actor, where)
        said = dict(after.pairs)
    wanted = _wanted(parts, grant, said, after)
    if after is None:
        await parts.search.need_relation(errand, grant, "Observation", parts.person(name))
    await parts.search.aliases.fresh()
    hits, cursor = await _page(parts, grant, name, wanted)
    if after is None and not any(hit.document.type == "Patient" for hit in hits):
        # A chart without its patient is nobody's to see, whichever types were asked for.
        await parts.store.read(errand, grant, "Patient", name)
    await parts.search.log_chart(errand, parts.person(name), hits)
    others = await read_all(parts.store, errand, _directory(hits))
    sealed = None
    if cursor is not None:
        sealed = parts.cursors.seal(
            Cursor(tuple(said.items()), cursor.pid, cursor.moment, cursor.text),
            errand.access.actor, where,
        )  # fmt: skip
    return Answer(200, collected(hits, others, (where, list(said.items())), base, sealed))


async def _page(
    parts: Parts, grant: Grant, name: str, wanted: _Wanted
) -> tuple[list[Hit], Cursor | None]:
    """Type by type, and of each type the records of one person one after the other."""
    hits: list[Hit] = []
    members = (name, *parts.search.aliases.of(name))
    start, below = (KINDS[0], name), None
    if wanted.after is not None:
        kind, _, member = (wanted.after.text or "").partition("/")
        start, below = (kind, member), wanted.after.pid
    for step in _steps(wanted.kinds, members, start):
        if len(hits) == wanted.count:
            return hits, Cursor((), (1 << 63) - 1, None, "/".join(step))
        kind, member = step
        within = below if step == start else None
        asked = ChartPage(kind, member, within, wanted.since, wanted.count - len(hits))
        found, last = await parts.search.chart(grant, asked)
        seen = {(hit.document.type, hit.document.id) for hit in hits}
        hits += [hit for hit in found if (hit.document.type, hit.document.id) not in seen]
        if last is not None:
            return hits, Cursor((), last, None, "/".join(step))
    return hits, None


def _steps(
    kinds: tuple[str, ...], members: tuple[str, ...], start: tuple[str, str]
) -> list[tuple[str, str]]:
    """What of the chart is still to be shown, from a place on.

    By the order of all types: a scope may have been narrowed since the page before.
    """
    begun = members.index(start[1]) if start[1] in members else 0
    return [
        (kind, member)
        for kind in kinds
        for number, member in enumerate(members)
        if (KINDS.index(kind), number) >= (KINDS.index(start[0]), begun)
    ]


def _said(ask: Ask) -> dict[str, str]:
    """Parameters of the query, or of a Parameters resource that was posted."""
    pairs = [*ask.pairs]
    if ask.method == "POST" and (ask.body.strip() or ask.resource is not None):
        stated = reading.checked(reading.of_type(ask.decoded(), "Parameters"))
        pairs += [(p["name"], _text(p)) for p in stated.get("parameter", ())]
    for name, _ in pairs:
        if name not in _OFFERED | reading.IGNORED:
            raise Invalid(f"$everything has no parameter {name[:64]!r} here.", place=name[:64])
    said: dict[str, str] = {}
    for name, value in pairs:
        if name in _OFFERED:
            said[name] = f"{said[name]},{value}" if name == "_type" and name in said else value
    return said


def _text(parameter: dict[str, Any]) -> str:
    values = [value for key, value in parameter.items() if key.startswith("value")]
    return str(values[0]) if values else ""


def _wanted(parts: Parts, grant: Grant, said: dict[str, str], after: Cursor | None) -> _Wanted:
    asked = [kind for kind in said.get("_type", "").split(",") if kind]
    for kind in asked:
        if kind not in KINDS:
            raise Invalid(f"No chart holds a {kind[:64]!r}.", place="_type")
    count = said.get("_count", str(COUNT_DEFAULT))
    if not (count.isascii() and count.isdecimal() and len(count) < 10):
        raise Invalid("_count is a number of entries, such as 100.", place="_count")
    kinds = tuple(
        kind for kind in KINDS
        if (not asked or kind in asked) and kind not in parts.foreign and grant.allows_type(kind)
    )  # fmt: skip
    return _Wanted(kinds, reading.since_of(said), max(1, min(int(count), COUNT_MAX)), after)


def _directory(hits: list[Hit]) -> list[tuple[str, str]]:
    """Whom and what of the clinic the page refers to: people at work, places, medications."""
    found: dict[tuple[str, str], None] = {}
    for hit in hits:
        for _, _, value, _ in references(hit.resource):
            target = literal(value)
            if target is not None and target[0] in DIRECTORY:
                found[target] = None
    return list(found)
