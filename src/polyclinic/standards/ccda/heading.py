"""What a document says of itself in its header, read without its body."""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - it has no types

from polyclinic.standards.ccda.reading import BYTES_MAX, Element, NotCcda, q


@dataclass(frozen=True, slots=True)
class Heading:
    """The document's id and its patient's numbers, each as `root|extension`."""

    id: str
    patients: tuple[str, ...]


def heading(raw: bytes) -> Heading:
    """Reads up to the body; raises NotCcda. That the rest is XML at all shows when it is read."""
    if len(raw) > BYTES_MAX:
        raise NotCcda(f"A document has at most {BYTES_MAX >> 20} MB.", "document")
    events = etree.iterparse(
        io.BytesIO(raw), events=("start", "end"), resolve_entities=False, no_network=True,
        load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        _, root = next(events)
        _check(root)
        numbers = list(_numbers(events))
    except (etree.XMLSyntaxError, StopIteration) as bad:
        line, column = getattr(bad, "position", (1, 1))
        raise NotCcda("This is not well-formed XML.", f"line {line}, column {column}") from None
    own = [number for parent, number in numbers if parent == root.tag]
    patients = [number for parent, number in numbers if parent == q("patientRole")]
    return Heading(own[0] if own else "", tuple(patients))


def _numbers(events: Iterable[tuple[str, Element]]) -> Iterator[tuple[str, str]]:
    """Each id of the header that has a root, as `root|extension`, and whose it is."""
    for event, element in events:
        if event == "start" and element.tag == q("component"):
            return
        parent = element.getparent()
        if event == "end" and element.tag == q("id") and parent is not None and element.get("root"):
            yield parent.tag, f"{element.get('root')}|{element.get('extension', '')}"


def _check(element: Element) -> None:
    if element.getroottree().docinfo.doctype:
        raise NotCcda("A document type declaration is not taken.", "line 1")
    if element.tag != q("ClinicalDocument"):
        raise NotCcda("The outermost element is not a ClinicalDocument of HL7 V3.", "line 1")
