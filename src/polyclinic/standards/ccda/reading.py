"""Reads C-CDA without believing it: no entities, no outside files, no style sheets."""

from typing import Any

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - it has no types

V3 = "urn:hl7-org:v3"
SDTC = "urn:hl7-org:sdtc"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
BYTES_MAX = 50 * 1024 * 1024

Element = Any  # lxml has no types of its own


class NotCcda(ValueError):
    """These bytes are no C-CDA document; `place` says where that shows."""

    def __init__(self, text: str, place: str) -> None:
        super().__init__(text)
        self.text, self.place = text, place


def read(raw: bytes) -> Element:
    """The document's root; raises NotCcda.

    A document type declaration is refused whole: entities are what XML attacks are made of, and no
    C-CDA needs one. lxml's own limits (depth 256, 10 MB a text) stay on.
    """
    if len(raw) > BYTES_MAX:
        raise NotCcda(f"A document has at most {BYTES_MAX >> 20} MB.", "document")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False,
        huge_tree=False, remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(raw, parser)
    except etree.XMLSyntaxError as bad:
        line, column = bad.position
        # The parser's own sentence may quote the document.
        raise NotCcda("This is not well-formed XML.", f"line {line}, column {column}") from None
    except ValueError:  # a declared encoding that there is not
        raise NotCcda("The XML cannot be read in the encoding it declares.", "line 1") from None
    if root.getroottree().docinfo.doctype:
        raise NotCcda("A document type declaration is not taken.", "line 1")
    if root.tag != q("ClinicalDocument"):
        raise NotCcda("The outermost element is not a ClinicalDocument of HL7 V3.", "line 1")
    return root


def q(name: str) -> str:
    """The name of an element in HL7's own name space."""
    return f"{{{V3}}}{name}"


def sections(root: Element) -> list[Element]:
    """All sections, those within others as well, in the order of the document."""
    return list(root.iter(q("section")))


def code_of(element: Element) -> str:
    """The code of a section or statement, to name it by: `48765-2`, or its kind."""
    code = element.find(q("code"))
    if code is not None and code.get("code"):
        return code.get("code")
    return etree.QName(element).localname


def templates(element: Element) -> frozenset[str]:
    """The roots of its template ids."""
    return frozenset(each.get("root", "") for each in element.findall(q("templateId")))
