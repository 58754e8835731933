"""Results: a report with its observations, its specimen, and the order that it answers."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from polyclinic.services.integration.domain.intents import Awaited, Document, Intent, Keep
from polyclinic.services.integration.domain.mapping import attachments, keys, tables
from polyclinic.services.integration.domain.mapping.documents import (
    Making,
    filled_by,
    group_scope,
)
from polyclinic.services.integration.domain.mapping.kinds.results import TEXTS, lines_of
from polyclinic.services.integration.domain.mapping.parties import as_fhir, entity
from polyclinic.services.integration.domain.mapping.persons import identifiers_of, need_person
from polyclinic.services.integration.domain.mapping.reading import Scope
from polyclinic.services.integration.domain.mapping.tables import Recipe, Trigger
from polyclinic.standards.hl7v2 import Group, Segment

REPORT = Recipe(
    "DiagnosticReport",
    "DiagnosticReport",
    "ORDER_OBSERVATION",
    ("OBR[DiagnosticReport]", "ORC[DiagnosticReport]"),
    (("entity:OBR-3", "text:OBR-4"), ("entity:OBR-2", "text:OBR-4"),
     ("entity:ORC-3", "text:OBR-4"), ("entity:ORC-2", "text:OBR-4"),
     ("person", "report", "text:OBR-4", "text:OBR-7")),
    "report",
    unites=("identifier",),
)  # fmt: skip
OBSERVATION = Recipe(
    "Observation", "Observation", "OBSERVATION", ("OBX[Observation]", "NTE[Observation]"),
    (), "observation", unites=("identifier",),
)  # fmt: skip
SPECIMEN = Recipe(
    "Specimen", "Specimen", "SPECIMEN", ("SPM[Specimen]",),
    (("entity:SPM-2.2",), ("entity:SPM-2.1",), ("number:SPM-30",),
     ("entity:OBR-3", "spm", "text:SPM-1")),
    unites=("identifier",),
)  # fmt: skip


_WITHIN = (("text:OBX-3", "text:OBX-4"), ("text:OBX-3",), ("text:OBX-3.2",))  # a report


def report(trigger: Trigger, making: Making) -> tuple[Intent, ...]:
    """Nobody is made of a result, unless the channel says so; an unknown order is awaited."""
    person = need_person(trigger.person, making)
    for name in trigger.documents:
        making.make(tables.recipes()[name])
    awaits: list[Awaited] = []
    for group in making.reading.message.groups().find("ORDER_OBSERVATION"):
        awaits += _report(group_scope(group, making.reading), group, making)
    return (
        Keep(
            person,
            tuple(making.made.values()),
            snapshot=False,
            create_person=making.reading.option("results_create_person", "no") == "yes"
            and making.reading.channel.create_person,
            awaits=tuple(dict.fromkeys(awaits)),
        ),
    )


def _report(scope: Scope, group: Group, making: Making) -> list[Awaited]:
    key = keys.first(REPORT.key, scope)
    if key is None:
        making.reading.note("OBR", "Nothing says which report that is; it is not kept.", "error")
        return []
    order, awaits = _order(scope, making)
    specimens = [
        made
        for inner in group.find("SPECIMEN")
        if (made := making.make_at(SPECIMEN, _beside(inner, scope))) is not None
    ] or _old_specimen(scope, making)
    observations = list(_observations(key, scope, group, making))
    filled = filled_by(REPORT.fill, scope, "DiagnosticReport")
    resource = filled.resource
    resource.setdefault("code", {"text": "Report"})
    _link(resource, "basedOn", order)
    _link(resource, "specimen", [_to(each) for each in specimens])
    _link(resource, "result", [_to(each) for each in observations if each.kind == "Observation"])
    _conclude(resource, scope, group, making)
    making.add(REPORT, key, filled)
    parent = _parent(scope, making)
    for each in observations:
        _link(each.resource, "basedOn", order)
        _link(each.resource, "derivedFrom", parent)
        if len(specimens) == 1:
            each.resource["specimen"] = _to(specimens[0])
    return awaits


def _link(resource: dict[str, Any], element: str, to: list[dict[str, Any]]) -> None:
    if to:
        resource[element] = to


def _to(document: Document) -> dict[str, Any]:
    return {"reference": f"#{document.kind}/{document.key}"}


def _beside(group: Group, outer: Scope) -> Scope:
    """A group within another: its own segments first."""
    inner = group_scope(group, outer.reading)
    rest = [each for each in outer.segments if each.name in ("OBR", "ORC")]
    return replace(inner, segments=(*inner.segments, *rest))


def _old_specimen(scope: Scope, making: Making) -> list[Document]:
    made = making.make_at(tables.recipes()["RequestSpecimen"], _at(scope, "OBR"))
    return [made] if made is not None else []


def _at(scope: Scope, name: str) -> Scope:
    return next((scope.at(each) for each in scope.segments if each.name == name), scope)


def _order(scope: Scope, making: Making) -> tuple[list[dict[str, Any]], list[Awaited]]:
    """The order that a result answers. One with a placer's number is awaited, if the channel says
    `orders: wait`; with `create` it is made of the result; with `keep` it is named only.
    """
    key = keys.first(keys.PLACER, scope)
    if key is None:
        return [], []
    option = making.reading.option("orders", "wait")
    number = next(
        found
        for path in ("ORC-2", "OBR-2")
        for node in scope.nodes(path)
        if (found := entity(node, "PLAC", making.reading)) is not None
    )
    if option == "keep":
        named = {"system": number.system, "value": number.value}
        return [{"type": "ServiceRequest", "identifier": named}], []
    if option == "create":
        making.make_at(tables.recipes()["ServiceRequest"], scope)
        return [{"reference": f"#ServiceRequest/{key}"}], []
    awaited = Awaited("ServiceRequest", key, tuple(identifiers_of([as_fhir(number)])))
    return [{"reference": f"#ServiceRequest/{key}"}], [awaited]


def _observations(key: str, scope: Scope, group: Group, making: Making) -> Iterator[Document]:
    seen: dict[str, int] = {}
    heads = [each for each in scope.segments if each.name in ("OBR", "ORC")]
    for segments in _joined(list(group.find("OBSERVATION"))):
        inner = Scope(making.reading, (*segments, *heads), segments[0])
        _mark_lines(segments, making)
        own = inner.text("3") or inner.text("3.2")
        if own is None:
            continue  # lines of a report without a code: they are its text
        name = keys.first((("entity:OBX-21",),), inner)
        name = name or f"{key}|{keys.first(_WITHIN, inner)}"
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            name = f"{name}#{seen[name]}"
        yield making.add(OBSERVATION, name, filled_by(OBSERVATION.fill, inner, "Observation"))


def _mark_lines(segments: list[Segment], making: Making) -> None:
    """What further lines of a text say of themselves, their first has said."""
    for segment in segments[1:]:
        if segment.name == "OBX":
            making.reading.used.update((segment.index, field) for field in (3, 4, 11, 14))


def _joined(groups: list[Group]) -> Iterator[list[Segment]]:
    """Neighbouring texts of the same code and sub-id are the lines of one observation."""
    open_: list[Segment] = []
    for group in groups:
        segments = group.segments
        if open_ and _continues(open_[0], segments[0]):
            open_ += segments
            continue
        if open_:
            yield open_
        open_ = list(segments)
    if open_:
        yield open_


def _continues(first: Segment, next_: Segment) -> bool:
    is_text = all((each.get("2") or "").upper() in TEXTS for each in (first, next_))
    same = first.field(3) == next_.field(3) or not next_.field(3)
    return is_text and same and first.field(4) == next_.field(4) and not next_.field(21)


def _conclude(resource: dict[str, Any], scope: Scope, group: Group, making: Making) -> None:
    """Text without a code is the report's own; files of the observations are shown with it."""
    lines: list[str] = []
    for segments in _joined(list(group.find("OBSERVATION"))):
        if segments[0].get("3") or segments[0].get("3.2"):
            continue
        _mark_lines([segments[0], *segments], making)
        lines += lines_of(Scope(making.reading, tuple(segments), segments[0]))
    notes = [text for each in group.own("NTE") for node in scope.at(each).nodes("3")
             if (text := node.text)]  # fmt: skip
    if any(line.strip() for line in lines):
        form = attachments.text(lines, "OBX-5", making.reading)
        resource.setdefault("presentedForm", []).append(form)
    if notes:
        resource["conclusion"] = "\n".join(notes)


def _parent(scope: Scope, making: Making) -> list[dict[str, Any]]:
    """OBR-26 and OBR-29: the observation, in this message, that a child report explains."""
    number = keys.first((("entity:OBR-29.2",), ("entity:OBR-29.1",)), scope)
    code, sub_id = scope.text("OBR-26.1"), scope.text("OBR-26.2")
    if number is None or code is None:
        return []
    wanted = [number, code] if sub_id is None else [number, code, sub_id]
    for kind, key in making.made:
        parts = key.split("|")
        if (
            kind == "Observation"
            and key.startswith(number)
            and parts[1 - len(wanted) :] == wanted[1:]
        ):
            return [{"reference": f"#Observation/{key}"}]
    making.reading.note("OBR-26", "The result that this one explains is not in the message.",
                        "information")  # fmt: skip
    return []
