"""Keeps what a document denies: `negationInd` on a statement turns it around.

The converter knows refuted problems, immunizations and procedures that were not done, and the
codes for "no known allergies". Whatever else is negated is taken out of its hands: allergies are
said here, observations become words, and medicines that are *not* taken stay in the narrative.
"""

from dataclasses import dataclass
from typing import Any

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - it has no types

from polyclinic.standards.ccda.reading import XSI, Element, code_of, q, templates

Resource = dict[str, Any]
_ALLERGY = "2.16.840.1.113883.10.20.22.4.7"
_PROBLEM = "2.16.840.1.113883.10.20.22.4.4"
_WITHDRAWN = frozenset({"nullified", "cancelled"})
_ALLERGY_CODES = "http://terminology.hl7.org/CodeSystem/allergyintolerance-"
# What the code systems of the documents are called in FHIR; others keep their number.
_SYSTEMS = {
    "2.16.840.1.113883.6.96": "http://snomed.info/sct",
    "2.16.840.1.113883.6.88": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "2.16.840.1.113883.4.9": "http://fdasis.nlm.nih.gov",
    "2.16.840.1.113883.6.1": "http://loinc.org",
    "2.16.840.1.113883.12.292": "http://hl7.org/fhir/sid/cvx",
    "2.16.840.1.113883.6.69": "http://hl7.org/fhir/sid/ndc",
}
# A resource takes what is denied as its subject; these say so themselves.
_HANDLED = frozenset({"procedure", "encounter", "supply"})
_TEXT_KEPT = "The statement is negated; it is kept as the section's text only."
_ENTRY = ("entry", "component", "entryRelationship")


@dataclass(frozen=True, slots=True)
class Note:
    """What became of a part of the document, without saying what it says."""

    place: str
    severity: str  # information | warning | error
    text: str


@dataclass(frozen=True, slots=True)
class Denied:
    """A substance that the patient is not allergic to, with the ids of the statement."""

    key: str
    resource: Resource


def settle(root: Element) -> tuple[list[Denied], list[Note]]:
    """Changes the tree so that nothing denied can be read as said; answers what is denied."""
    notes: list[Note] = []
    denied: list[Denied] = []
    for statement in [each for each in root.iter() if _is_withdrawn(each)]:
        notes.append(Note(where(statement), "information", "The statement was withdrawn."))
        _take_out(statement)
    for statement in [each for each in root.iter() if each.get("negationInd") == "true"]:
        if not _is_inside(statement, root):
            continue
        if etree.QName(statement).localname == "observation":
            _observation(statement, denied, notes)
        elif not _says_so_itself(statement):
            notes.append(Note(where(statement), "warning", _TEXT_KEPT))
            _take_out(statement)
    return denied, notes


def _observation(statement: Element, denied: list[Denied], notes: list[Note]) -> None:
    known = templates(statement)
    if _PROBLEM in known:
        return  # becomes a Condition that is refuted
    if _ALLERGY in known:
        substance = _substance(statement)
        if substance is None:
            return  # "no known allergies": the substance is what is missing
        denied.append(Denied(_key(statement), _not_allergic(substance)))
        _take_out(statement)
        return
    _as_words(statement)
    notes.append(Note(where(statement), "information", "A denied finding is kept in words."))


def _substance(statement: Element) -> Element | None:
    """What an allergy is to; None where the document names nothing."""
    for code in statement.iter(q("playingEntity")):
        found = code.find(q("code"))
        if found is not None and (found.get("code") or found.get("displayName")):
            return found
        if (name := code.find(q("name"))) is not None and (name.text or "").strip():
            return name
    return None


def _not_allergic(substance: Element) -> Resource:
    concept: Resource = {"text": substance.get("displayName") or (substance.text or "").strip()}
    if substance.get("code"):
        concept["coding"] = [_coding(substance)]
    if not concept["text"]:
        concept["text"] = substance.get("code")
    return {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": _status("clinical", "inactive"),
        "verificationStatus": _status("verification", "refuted"),
        "code": concept,
    }


def _status(which: str, code: str) -> Resource:
    return {"coding": [{"system": _ALLERGY_CODES + which, "code": code}]}


def _coding(code: Element) -> Resource:
    system = code.get("codeSystem", "")
    coding: Resource = {"system": _SYSTEMS.get(system, f"urn:oid:{system}"),
                        "code": code.get("code")}  # fmt: skip
    if code.get("displayName"):
        coding["display"] = code.get("displayName")
    return coding


def _as_words(statement: Element) -> None:
    """`Pregnancy`, denied, becomes `Not: Pregnancy`, which no program takes for a code."""
    said = [
        value.get("displayName") or value.get("value") or (value.text or "").strip()
        for value in statement.findall(q("value"))
    ]
    for value in statement.findall(q("value")):
        statement.remove(value)
    del statement.attrib["negationInd"]
    words = etree.SubElement(statement, q("value"))
    words.set(f"{{{XSI}}}type", "ST")
    words.text = "Not: " + ("; ".join(filter(None, said)) or "the finding named here")
    code = statement.find(q("statusCode"))
    after = statement.find(q("effectiveTime"))
    anchor = after if after is not None else code
    if anchor is not None:
        anchor.addnext(words)


def _says_so_itself(statement: Element) -> bool:
    """Whether the converter makes it a resource that says `not-done`."""
    kind = etree.QName(statement).localname
    if kind == "act":  # one that only holds statements would deny all of them
        return statement.find(q("entryRelationship")) is None
    return kind in _HANDLED or (kind == "substanceAdministration" and _is_immunization(statement))


def _is_immunization(statement: Element) -> bool:
    return any(each.endswith(".22.4.52") for each in templates(statement))


def _is_withdrawn(element: Element) -> bool:
    """Said once and taken back since: `nullified` is HL7's word for entered in error."""
    if not isinstance(element.tag, str):
        return False
    status = element.find(q("statusCode"))
    if status is None or status.get("code") not in _WITHDRAWN:
        return False
    parent = element.getparent()
    return parent is not None and etree.QName(parent).localname in _ENTRY and (
        status.get("code") == "nullified"
        or (etree.QName(element).localname == "observation" and _ALLERGY in templates(element))
    )  # fmt: skip


def _take_out(statement: Element) -> None:
    """Removes the entry around a statement, and acts that are about nothing then."""
    inner = statement
    while True:
        parent = inner.getparent()
        if parent is None:
            return
        if etree.QName(parent).localname not in _ENTRY:
            parent.remove(inner)
            return
        outer = parent.getparent()
        if outer is None:
            return
        outer.remove(parent)
        name = etree.QName(outer).localname
        if name == "section" or any(outer.find(q(each)) is not None for each in _ENTRY):
            return
        inner = outer


def _is_inside(element: Element, root: Element) -> bool:
    while element is not None:
        if element is root:
            return True
        element = element.getparent()
    return False


def _key(statement: Element) -> str:
    found = statement.find(q("id"))
    if found is None or not found.get("root"):
        return ""
    return f"{found.get('root')}|{found.get('extension') or ''}"


def where(element: Element) -> str:
    """The section by its code, and which of its entries."""
    inner = element
    while (parent := inner.getparent()) is not None:
        if etree.QName(parent).localname == "section":
            entries = parent.findall(q("entry"))
            number = entries.index(inner) if inner in entries else 0
            return f"section[{code_of(parent)}].entry[{number}]"
        inner = parent
    return etree.QName(element).localname
