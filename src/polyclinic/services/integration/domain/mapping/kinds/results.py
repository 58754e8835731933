"""Values of results and the contents of documents."""

from collections.abc import Iterator, Mapping
from typing import Any

from polyclinic.services.integration.domain.mapping import (
    attachments,
    parties,
    primitives,
    quantities,
)
from polyclinic.services.integration.domain.mapping.kinds.basic import Kind, period_of
from polyclinic.services.integration.domain.mapping.nodes import Node, of_repetition
from polyclinic.services.integration.domain.mapping.reading import Scope

TEXTS = frozenset({"TX", "FT", "ST", ""})  # several segments of these are lines of one text
_VALUE_MAX = 100_000  # characters of a valueString; longer reports belong into a document
_CATEGORY = "http://terminology.hl7.org/CodeSystem/v2-0936"
_ATTACHED = "https://hl7.org/fhir/StructureDefinition/observation-value-attachment"


def lines_of(scope: Scope) -> list[str]:
    """The text of every OBX in the scope, a line each; blank lines are kept between others."""
    lines: list[str] = []
    for segment in scope.named("OBX"):
        scope.reading.used.add((segment.index, 5))
        texts = [of_repetition(each).get("1") or "" for each in segment.repetitions(5)]
        lines += "\n".join(texts or [""]).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(lines).strip("\n").split("\n")


def unit_here(scope: Scope) -> quantities.Unit:
    return next((quantities.unit_of(node) for node in scope.nodes("6")), {})


def observation_value(node: Node, _: str, scope: Scope) -> Any:
    """`value[x]` by OBX-2, or an extension for a file; text where it is not what it says."""
    kind = (scope.text("2") or "").upper()
    if kind in TEXTS:
        return _text(node, scope)
    typed = _TYPED.get(kind)
    found = typed(node, scope) if typed else None
    if found is not None:
        return found
    text = primitives.string(Node(((_flat(node),),), node.place), scope.reading)
    if text and typed is not _file and typed is not _pointer:
        scope.reading.note(node.place, f"The value is no {kind}; it is kept as text.")
        return {"valueString": text}
    return None


def _flat(node: Node) -> str:
    return " ".join(leaf for each in node.leaves for leaf in each if leaf)


def _text(node: Node, scope: Scope) -> Any:
    text = "\n".join(lines_of(scope))
    if len(text) > _VALUE_MAX:
        scope.reading.note(node.place, "The text is too long for a value; it is a file now.")
        attachment = attachments.text([text], node.place, scope.reading)
        return {"extension": [{"url": _ATTACHED, "valueAttachment": attachment}]}
    clean = primitives.string(Node(((text,),), node.place), scope.reading)
    return {"valueString": clean} if clean else None


def _numeric(node: Node, scope: Scope) -> Any:
    found = quantities.with_unit(node.text, unit_here(scope))
    return {"valueQuantity": found} if found else None


def _structured(node: Node, scope: Scope) -> Any:
    found = quantities.structured(node, unit_here(scope), scope.reading)
    return {found[0]: found[1]} if found else None


def _coded(node: Node, scope: Scope) -> Any:
    found = primitives.concept(node, "", scope.reading)
    return {"valueCodeableConcept": found} if found else None


def _when(node: Node, scope: Scope) -> Any:
    found = primitives.date_time(node, scope.reading)
    return {"valueDateTime": found} if found else None


def _time(node: Node, scope: Scope) -> Any:
    found = primitives.time(node, scope.reading)
    return {"valueTime": found} if found else None


def _period(node: Node, scope: Scope) -> Any:
    found = period_of(node, "1", "2", scope)
    return {"valuePeriod": found} if found else None


def _range(node: Node, scope: Scope) -> Any:
    found = quantities.numeric_range(node, unit_here(scope))
    return {"valueRange": found} if found else None


def _file(node: Node, scope: Scope) -> Any:
    found = attachments.encapsulated(node, scope.reading)
    return {"extension": [{"url": _ATTACHED, "valueAttachment": found}]} if found else None


def _pointer(node: Node, scope: Scope) -> Any:
    found = attachments.pointer(node, scope.reading)
    return {"extension": [{"url": _ATTACHED, "valueAttachment": found}]} if found else None


def _quantity(node: Node, scope: Scope) -> Any:
    found = quantities.quantity(node, scope.reading)
    return {"valueQuantity": found} if found else None


_TYPED = {
    "NM": _numeric, "SN": _structured, "CE": _coded, "CWE": _coded, "CNE": _coded, "CF": _coded,
    "IS": _coded, "ID": _coded, "DT": _when, "TS": _when, "DTM": _when, "TM": _time,
    "DR": _period, "NR": _range, "ED": _file, "RP": _pointer, "CQ": _quantity,
}  # fmt: skip


def _reference_range(node: Node, _: str, scope: Scope) -> Any:
    return quantities.reference_range(node, scope.reading, unit_here(scope))


def _interpretation(node: Node, _: str, scope: Scope) -> Any:
    """OBX-8: a code that we know, else what was sent."""
    code = node.get("1")
    if code and primitives.mapped(code, "Interpretation"):
        return primitives.concept(Node(((code,),), node.place), "Interpretation", scope.reading)
    return primitives.concept(node, "", scope.reading)


def _category(node: Node, _: str, __: Scope) -> Any:
    return {"coding": [{"system": _CATEGORY, "code": node.text}]} if node.text else None


def _document_content(node: Node, _: str, scope: Scope) -> Any:
    """What OBX-5 holds of a document: a file, a pointer, or the lines of a text."""
    kind = (scope.text("2") or "").upper()
    if kind == "ED":
        return attachments.encapsulated(node, scope.reading)
    if kind == "RP":
        return attachments.pointer(node, scope.reading)
    if kind in TEXTS:
        return attachments.text(lines_of(scope), node.place, scope.reading)
    flat = _flat(node)
    return attachments.text([flat], node.place, scope.reading) if flat else None


def _text_file(node: Node, _: str, scope: Scope) -> Any:
    text = primitives.string(node, scope.reading)
    return attachments.text([text], node.place, scope.reading) if text else None


def _file_name(node: Node, _: str, scope: Scope) -> Any:
    authority = Node((("file",),), node.place)
    system = parties.system_of(authority, "", scope.reading)
    return {"system": system, "value": node.text} if node.text else None


def _document_of(node: Node, _: str, scope: Scope) -> Any:
    found = parties.entity(node, "", scope.reading)
    return {"reference": f"#DocumentReference/{parties.key_of(found)}"} if found else None


def _note_of(node: Node, _: str, scope: Scope) -> Any:
    """NTE-3 with who wrote it (NTE-5) and when (NTE-6)."""
    text = primitives.string(node, scope.reading)
    if not text:
        return None
    found: dict[str, Any] = {"text": text}
    for each in scope.nodes("5"):
        if (party := parties.practitioner(each, scope.reading)) is not None:
            found["authorReference"] = parties.reference(party, "Practitioner")
    for each in scope.nodes("6"):
        if (when := primitives.date_time(each, scope.reading)) is not None:
            found["time"] = when
    return found


def notes_of(scope: Scope) -> Iterator[str]:
    """NTE-3 of the scope, line by line."""
    for segment in scope.segments:
        if segment.name == "NTE":
            yield from (node.text or "" for node in scope.at(segment).nodes("3"))


def _lines(_: Node, __: str, scope: Scope) -> Any:
    """All comments of the scope as one text."""
    return "\n".join(notes_of(scope)).strip() or None


KINDS: Mapping[str, Kind] = {
    "ObservationValue": observation_value,
    "ReferenceRange": _reference_range,
    "Interpretation": _interpretation,
    "ObservationCategory": _category,
    "DocumentContent": _document_content,
    "TextFile": _text_file,
    "FileName": _file_name,
    "DocumentReferenceOf": _document_of,
    "NoteOf": _note_of,
    "Lines": _lines,
}
