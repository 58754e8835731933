"""Converts a whole document, and as much of it as can be converted where something in it cannot."""

import logging
import re
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from hashlib import sha256
from html import escape
from types import SimpleNamespace
from typing import Any

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - it has no types

from polyclinic.standards.ccda import folding, meaning
from polyclinic.standards.ccda.meaning import Denied, Note, Resource
from polyclinic.standards.ccda.reading import Element, NotCcda, q, read
from polyclinic.standards.fhir import codec
from polyclinic.standards.fhir.validation import validate

_NAMES = uuid.UUID("0b8d6a4e-5c1f-4f0a-8a36-6f2f6c1d9e47")  # ours, for what a document numbers
# What the guide asks of a statement before its content is looked at at all.
_NUMBERED = ("act", "observation", "procedure", "substanceAdministration", "organizer", "encounter",
             "supply")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Converted:
    """A document as resources: `documents` by key, references as `#Patient` and `#Kind/key`."""

    id: str
    title: str
    at: str
    patient: Resource
    documents: list[tuple[str, str, Resource]]
    notes: list[Note] = field(default_factory=list[Note])


def convert(raw: bytes) -> Converted:
    """Raises NotCcda where nothing can be made of it; else what could not is in `notes`.

    The same bytes give the same keys, and an entry that has an id of its own keeps its key in the
    next version of the document.
    """
    root = read(raw)
    identity = _identity(root)
    denied, notes = meaning.settle(root)
    _number(root)
    found = _salvaged(root, identity, notes)
    documents: list[tuple[str, str, Resource]] = []
    patient, kept = folding.folded(found)
    for kind, key, resource in [*kept, *_denied(denied, identity)]:
        if (mended := _mended(kind, resource, notes)) is not None:
            documents.append((kind, key, mended))
    _drop_dangling(documents)
    title = (root.findtext(q("title")) or "").strip()
    return Converted(identity, title, _moment(root), patient, documents, notes)


def _identity(root: Element) -> str:
    """`root|extension` of the document's id; by its content where it has none."""
    found = root.find(q("id"))
    if found is not None and found.get("root"):
        return f"{found.get('root')}|{found.get('extension') or ''}"
    return sha256(etree.tostring(root, method="c14n")).hexdigest()


def _moment(root: Element) -> str:
    found = root.find(q("effectiveTime"))
    return found.get("value", "") if found is not None else ""


def _number(root: Element) -> None:
    """Statements without an id are refused by the converter: they get one that says nothing."""
    for name in _NUMBERED:
        for statement in root.iter(q(name)):
            if statement.find(q("id")) is None and statement.find(q("templateId")) is not None:
                empty = etree.Element(q("id"))
                empty.set("nullFlavor", "NI")
                statement.findall(q("templateId"))[-1].addnext(empty)


def _salvaged(root: Element, identity: str, notes: list[Note]) -> list[Resource]:
    """All of it, else without the entries that cannot be converted, which are noted."""
    if _converts(root, identity):
        return _resources(root, identity)
    for template in root.findall(q("templateId")):
        root.remove(template)  # the converter holds a header to every rule of its template
    try:
        return _resources(root, identity)
    except Exception:  # noqa: BLE001 - the library raises whatever its models raise
        for entry in _bad_entries(root, identity):
            notes.append(
                Note(meaning.where(entry), "warning", "Not understood; kept as the section's text.")
            )
            entry.getparent().remove(entry)
    try:
        return _resources(root, identity)
    except Exception:  # noqa: BLE001 - as above
        text = "Neither the header nor a part of the document can be converted."
        raise NotCcda(text, "ClinicalDocument") from None


def _bad_entries(root: Element, identity: str) -> list[Element]:
    """Those that the header cannot be converted with."""
    return [
        entry
        for section in root.iter(q("section"))
        for entry in section.findall(q("entry"))
        if not _converts(_with_only(root, section, entry), identity)
    ]


def _converts(root: Element, identity: str) -> bool:
    try:
        _resources(root, identity)
    except Exception:  # noqa: BLE001 - as above
        return False
    return True


def _with_only(root: Element, section: Element, entry: Element) -> Element:
    """A copy of header, section and this entry alone."""
    copy = etree.Element(root.tag, root.attrib, nsmap=root.nsmap)
    for child in root:
        if child.tag != q("component"):
            copy.append(deepcopy(child))
    within = etree.Element(section.tag, section.attrib)
    within.extend(deepcopy(c) for c in section if c.tag not in (q("entry"), q("component")))
    within.append(deepcopy(entry))
    body = etree.SubElement(etree.SubElement(copy, q("component")), q("structuredBody"))
    etree.SubElement(body, q("component")).append(within)
    return copy


def _resources(root: Element, identity: str) -> list[Resource]:
    """What the library makes of the document, with our own ids."""
    with _our_ids(identity) as convert_document:
        result = convert_document(etree.tostring(root, encoding="unicode"))
    bundle = codec.decode(codec.encode(_plain(result["bundle"])))
    return [entry["resource"] for entry in bundle.get("entry", ())]


@contextmanager
def _our_ids(identity: str) -> Generator[Any]:
    """The library's ids are random; ours follow from what the document says."""
    from ccda_to_fhir import convert_document, id_generator  # noqa: PLC0415 - heavy: 60 MB, 2 s

    ids, level = _Ids(identity), logging.root.manager.disable
    theirs: dict[str, Any] = id_generator.__dict__
    before = {name: theirs[name] for name in ("uuid", "_id_cache", "reset_id_cache")}
    logging.disable(logging.CRITICAL)  # the library's log quotes what it reads
    try:
        # Its cache is asked by (type, root, extension) before anything random is made.
        theirs.update(uuid=SimpleNamespace(uuid4=ids.next), _id_cache=ids, reset_id_cache=_nothing)
        yield convert_document
    finally:
        theirs.update(before)
        logging.disable(level)


def _nothing() -> None:
    """Our ids are not forgotten between parts of a document."""


class _Ids(dict[tuple[str, str, str], str]):
    """Ids by (type, root, extension); without a root they are numbered through the document."""

    def __init__(self, identity: str) -> None:
        super().__init__()
        self._identity, self._count = identity, 0

    def __contains__(self, key: object) -> bool:
        return isinstance(key, tuple) and bool(key[1])

    def __getitem__(self, key: tuple[str, str, str]) -> str:
        return str(uuid.uuid5(_NAMES, "|".join(key)))

    def next(self) -> uuid.UUID:
        self._count += 1
        return uuid.uuid5(_NAMES, f"{self._identity}#{self._count}")


def _denied(denied: list[Denied], identity: str) -> list[tuple[str, str, Resource]]:
    return [
        (
            "AllergyIntolerance",
            str(uuid.uuid5(_NAMES, f"denied|{each.key or f'{identity}#{number}'}")),
            {**each.resource, "patient": {"reference": "#Patient"}},
        )
        for number, each in enumerate(denied)
    ]


# Without these a resource would say something else than the document.
_MEANING = frozenset(
    {
        "status",
        "code",
        "clinicalStatus",
        "verificationStatus",
        "subject",
        "patient",
        "intent",
        "vaccineCode",
        "medication",
        "value",
        "section",
    }
)


def _mended(kind: str, resource: Resource, notes: list[Note]) -> Resource | None:
    """The resource without what is not valid in it; none when that was its meaning."""
    found = deepcopy(resource)
    for _ in range(len(found)):
        if (fault := _fault(kind, found)) is None:
            return found
        element = fault.partition(".")[0].partition("[")[0]
        if element == "section" and kind == "Composition" and _plainer(found["section"]):
            continue
        present = [name for name in found if name.startswith(element)]
        if element in _MEANING or not present:
            notes.append(
                Note(f"{kind}.{fault}", "warning", "Not valid as FHIR; kept as text only.")
            )
            return None
        notes.append(Note(f"{kind}.{fault}", "warning", "Left out, because it is not valid."))
        for name in present:
            del found[name]
    return None


def _plainer(sections: list[Resource]) -> bool:
    """Narratives that are not valid XHTML as their words; whether there was one."""
    changed = False
    for section in sections:
        text = section.get("text")
        if text is not None and _fault("Basic", {"resourceType": "Basic", "code": {"text": "x"},
                                                 "text": text}) is not None:  # fmt: skip
            changed = True
            words = _words(text.get("div", ""))
            div = f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{escape(words)}</p></div>'
            section.pop("text")
            if words:
                section["text"] = {"status": "generated", "div": div}
        changed = _plainer(section.get("section", [])) or changed
    return changed


def _words(div: str) -> str:
    try:
        return " ".join("".join(etree.fromstring(div).itertext()).split())
    except etree.XMLSyntaxError:
        return " ".join(re.sub(r"<[^>]*>", " ", div).split())


def _fault(kind: str, resource: Resource) -> str | None:
    """Where a resource is not valid R4, or None."""
    for issue in validate(folding.addressed({**resource, "id": "x"})):
        if issue.severity in ("error", "fatal"):
            return issue.expression.removeprefix(f"{kind}.") or kind
    return None


def _drop_dangling(documents: list[tuple[str, str, Resource]]) -> None:
    """References to what was left out become their words."""
    kept = {f"#{kind}/{key}" for kind, key, _ in documents} | {"#Patient"}
    for _, _, resource in documents:
        folding.loosen(resource, kept)


def _plain(value: Any) -> Any:
    """Dates and decimals of the library as JSON has them."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
