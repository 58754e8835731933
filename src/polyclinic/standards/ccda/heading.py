"""What a document says of itself in its header, read without its body."""

import io
from dataclasses import dataclass

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - it has no types

from polyclinic.standards.ccda.reading import BYTES_MAX, NotCcda, q


@dataclass(frozen=True, slots=True)
class Heading:
    """The document's id and its patient's numbers, each as `root|extension`."""

    id: str
    patients: tuple[str, ...]


def heading(raw: bytes) -> Heading:
    """Reads up to the body; raises NotCcda. That the rest is XML at all shows when it is read."""
    if len(raw) > BYTES_MAX:
        raise NotCcda(f"A document has at most {BYTES_MAX >> 20} MB.", "document")
    document, patients, root = "", [], None
    events = etree.iterparse(
        io.BytesIO(raw), events=("start", "end"), resolve_entities=False, no_network=True,
        load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        for event, element in events:
            if root is None:
                root = _checked(element)
            if event == "start" and element.tag == q("component"):
                break
            if event == "end" and element.tag == q("id"):
                parent = element.getparent()
                if parent is root:
                    document = _number(element)
                elif parent is not None and parent.tag == q("patientRole"):
                    patients.append(_number(element))
    except etree.XMLSyntaxError as bad:
        line, column = bad.position
        raise NotCcda("This is not well-formed XML.", f"line {line}, column {column}") from None
    return Heading(document, tuple(filter(None, patients)))


def _checked(element: "etree._Element") -> "etree._Element":
    if element.getroottree().docinfo.doctype:
        raise NotCcda("A document type declaration is not taken.", "line 1")
    if element.tag != q("ClinicalDocument"):
        raise NotCcda("The outermost element is not a ClinicalDocument of HL7 V3.", "line 1")
    return element


def _number(element: "etree._Element") -> str:
    root, extension = element.get("root", ""), element.get("extension", "")
    return f"{root}|{extension}" if root else ""
