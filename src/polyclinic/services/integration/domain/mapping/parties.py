"""Identifiers and those who bear them: patients' numbers, practitioners, places, organisations."""

import re
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

from polyclinic.services.integration.domain.intents import Identifier, Party
from polyclinic.services.integration.domain.mapping import tables
from polyclinic.services.integration.domain.mapping.nodes import Node, of_text
from polyclinic.services.integration.domain.mapping.reading import Reading

KINDS = "http://terminology.hl7.org/CodeSystem/v2-0203"
_KIND = re.compile(r"[A-Z][A-Z0-9]{0,5}").fullmatch
_OID = re.compile(r"[0-2](\.(0|[1-9]\d*))+", re.ASCII).fullmatch
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
# What systems write where they know no number; a patient found by one of these is a wrong one.
NO_NUMBERS = frozenset({"UNKNOWN", "UNK", "NONE", "N/A", "NA", "NULL", "NIL", "TEST", "PENDING"})


def is_number(text: str | None) -> bool:
    """Whether it can tell one from another: not empty, no filler, not one digit again and again."""
    if not text or text.upper() in NO_NUMBERS:
        return False
    significant = re.sub(r"\W", "", text)
    is_filler = set(significant) <= {"0"} or (len(significant) > 5 and len(set(significant)) == 1)
    return bool(significant) and not is_filler


def system_of(authority: Node, kind: str, reading: Reading) -> str:
    """The URI of who gives a number: as the channel says, by its OID, or by sender and name.

    A name that nobody told us stands for itself at this sender only: two hospitals' `MRN` never
    meet by accident.
    """
    name, universal, how = (
        authority.get("1"),
        authority.get("2"),
        (authority.get("3") or "").upper(),
    )
    told = reading.channel.systems
    for said in (universal, name, None if name or universal else kind):
        if said and said in told:
            return told[said]
    if universal and (found := _universal(universal, how)):
        return found
    if kind in tables.systems()["kinds"]:
        return tables.systems()["kinds"][kind]
    if "" in told and not name and not universal:
        return told[""]
    application, facility = reading.message.sender
    parts = (facility or application or "unnamed", name or universal or kind or "number")
    return "urn:hl7v2:" + ":".join(quote(part, safe="") for part in parts)


def _universal(text: str, how: str) -> str | None:
    if _OID(text):
        return f"urn:oid:{text}"
    if how in ("UUID", "GUID", "") and _UUID(text.lower()):
        return f"urn:uuid:{text.lower()}"
    if how in ("URI", "") and re.match(r"(https?://|urn:)\S+$", text):
        return text
    return None


def identifier(node: Node, kind: str, reading: Reading) -> Identifier | None:
    """Of CX; `kind` holds where CX.5 says none. None, with a note, for what is no number."""
    value = node.get("1")
    if value is None:
        return None
    if not is_number(value):
        reading.note(node.place, "That is a filler and no number.")
        return None
    said = node.get("5") or kind
    said = said if _KIND(said) else ""
    return Identifier(system_of(node.node("4"), said, reading), value, said)


def entity(node: Node, kind: str, reading: Reading) -> Identifier | None:
    """Of EI, whose authority stands in 2 to 4; a single CX-like number is read likewise."""
    value = node.get("1")
    if not is_number(value):
        return None
    assert value is not None
    authority = Node(tuple((node.get(each),) for each in ("2", "3", "4")), f"{node.place}.2")
    return Identifier(system_of(authority, kind, reading), value, kind)


def as_fhir(found: Identifier) -> dict[str, Any]:
    value: dict[str, Any] = {"system": found.system, "value": found.value}
    if found.kind:
        value["type"] = {"coding": [{"system": KINDS, "code": found.kind}]}
    return value


def key_of(found: Identifier) -> str:
    return f"{found.system}|{found.value}"


def digest(*texts: str) -> str:
    """A key of texts that should not be read out of it, such as names."""
    return blake2b("\x1f".join(texts).encode(), digest_size=12).hexdigest()


def practitioner(node: Node, reading: Reading) -> Party | None:
    """Of XCN, or of CNN: the name for reading, the number for finding."""
    names = [node.get("6"), node.get("3"), node.get("4"), node.get("2.1") or node.get("2"),
             node.get("5")]  # fmt: skip
    display = " ".join(name for name in names if name)
    found = None
    if is_number(node.get("1")):
        kind = node.get("13") or "PRN"
        kind = kind if _KIND(kind) else "PRN"
        authority = node.node("9")
        if kind == "NPI" or (node.get("9") or "").upper() == "NPI":
            kind, authority = "NPI", of_text(None, node.place)
        value = node.get("1")
        assert value is not None
        found = Identifier(system_of(authority, kind, reading), value, kind)
    if not display and found is None:
        return None
    return Party(display or (found.value if found else ""), (found,) if found else ())


def place(node: Node, reading: Reading) -> Party | None:
    """Of PL: building, floor, point of care, room and bed as one line, and as one number."""
    names = [node.get(each) for each in ("4", "7", "8", "1", "2", "3")]
    display = ", ".join(name for name in names if name) or node.get("9") or ""
    if not display:
        return None
    code = "-".join(name for each in ("1", "2", "3") if (name := node.get(each)))
    number = Identifier(system_of(node.node("4"), "location", reading), code) if code else None
    return Party(display, (number,) if number else ())


def organization(node: Node, reading: Reading) -> Party | None:
    """Of XON."""
    name = node.get("1")
    value = node.get("10") or node.get("3")
    if not name and not value:
        return None
    found = None
    if is_number(value) and value is not None:
        found = Identifier(system_of(node.node("6"), "XX", reading), value, "XX")
    return Party(name or value or "", (found,) if found else ())


def reference(party: Party, kind: str) -> dict[str, Any]:
    """A FHIR reference that names without pointing; no directory is kept for it."""
    found: dict[str, Any] = {"type": kind, "display": party.display}
    if party.identifiers:
        number = party.identifiers[0]
        found["identifier"] = {"system": number.system, "value": number.value}
    return found


def manufacturer(node: Node, reading: Reading) -> Party | None:
    """Of a CWE that names a company by a code (MVX), a name or both."""
    code, name = node.get("1"), node.get("2")
    if not code and not name:
        return None
    system = tables.systems()["coding"].get((node.get("3") or "").upper())
    found = (
        Identifier(reading.channel.systems.get("MVX", system), code) if code and system else None
    )
    return Party(name or code or "", (found,) if found else ())
