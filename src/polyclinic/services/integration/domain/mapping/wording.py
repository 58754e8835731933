"""Values of FHIR in the words of HL7 v2: what `kinds` reads, written."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from polyclinic.services.integration.domain.mapping import tables
from polyclinic.standards.hl7v2 import Segment
from polyclinic.standards.hl7v2.moments import from_fhir

_V2 = re.compile(r"http://terminology\.hl7\.org/CodeSystem/v2-(\d{4})").fullmatch
_OID = "urn:oid:"

Names = Mapping[str, str]  # the name of an authority at this receiver, by its URI


@cache
def _codes_back(name: str) -> Mapping[str, str]:
    """The first code of a table that means each of ours."""
    found: dict[str, str] = {}
    for sent, ours in tables.codes()[name]["codes"].items():
        found.setdefault(ours, sent)
    return found


@cache
def _systems_back() -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, uri in tables.systems()["coding"].items():
        found.setdefault(uri, name)
    return found


def code(name: str, ours: Any, other: str = "") -> str:
    """The sender's code for one of ours; `other` where the table has none."""
    return _codes_back(name).get(str(ours), other)


def moment(text: Any) -> str:
    """A FHIR date or time as DTM; nothing for what is none."""
    try:
        return from_fhir(str(text or ""))
    except ValueError:
        return ""


def put(segment: Segment, path: str, value: Any) -> None:
    """Writes what there is; texts are escaped by the segment, so that none makes a field."""
    if value not in (None, ""):
        segment.set(path, str(value))


def put_concept(segment: Segment, path: str, concept: Any, table: str = "") -> None:
    """A CodeableConcept as CWE: two codings and the text. With a table, our coding as its code."""
    if not isinstance(concept, Mapping):
        return
    codings = list(_codings(concept, table))[:2]
    for first, (word, display, system) in zip((1, 4), codings, strict=False):
        put(segment, f"{path}.{first}", word)
        put(segment, f"{path}.{first + 1}", display)
        put(segment, f"{path}.{first + 2}", system)
    text = concept.get("text")
    if text and not codings:
        put(segment, f"{path}.2", text)
    elif text and text != codings[0][1]:
        put(segment, f"{path}.9", text)


def _codings(concept: Mapping[str, Any], table: str) -> Iterator[tuple[str, str, str]]:
    for coding in concept.get("coding", ()):
        ours = coding.get("code")
        if not ours:
            continue
        if table and coding.get("system") == tables.codes()[table]["system"]:
            yield code(table, ours, str(ours)), str(coding.get("display", "")), ""
        else:
            yield str(ours), str(coding.get("display", "")), system_name(coding.get("system"))


def system_name(uri: Any) -> str:
    """As table 0396 names a coding system, else its URI."""
    if not isinstance(uri, str):
        return ""
    found = _V2(uri)
    return _systems_back().get(uri) or (f"HL7{found[1]}" if found else uri)


def put_authority(segment: Segment, path: str, system: Any, names: Names, first: int) -> None:
    """HD in components (`first` 2, of EI) or subcomponents (of CX, where it is the fourth)."""
    uri = str(system or "")
    if not uri:
        return
    is_oid = uri.startswith(_OID)
    name = names.get(uri) or ("" if is_oid else _last_part(uri))
    parts = (name, uri.removeprefix(_OID), "ISO" if is_oid else "URI")
    for number, part in enumerate(parts):
        put(segment, f"{path}.{first + number}" if first > 1 else f"{path}.{number + 1}", part)


def _last_part(uri: str) -> str:
    """What senders call it: `urn:id:HOSPITAL` and an address end in it."""
    return uri.rstrip("/").replace("/", ":").rpartition(":")[2]


def put_cx(segment: Segment, path: str, identifier: Mapping[str, Any], names: Names) -> None:
    put(segment, f"{path}.1", identifier.get("value"))
    put_authority(segment, f"{path}.4", identifier.get("system"), names, 1)
    put(segment, f"{path}.5", kind_of(identifier))


def put_ei(segment: Segment, path: str, identifier: Mapping[str, Any], names: Names) -> None:
    put(segment, f"{path}.1", identifier.get("value"))
    put_authority(segment, path, identifier.get("system"), names, 2)


def kind_of(identifier: Mapping[str, Any]) -> str:
    """The code of table 0203, where it has one."""
    for coding in identifier.get("type", {}).get("coding", ()):
        return str(coding.get("code", ""))
    return ""


def of_kind(identifiers: Any, kind: str) -> Mapping[str, Any] | None:
    """The first identifier of that kind."""
    return next((each for each in identifiers or () if kind_of(each) == kind), None)


def put_name(segment: Segment, path: str, name: Mapping[str, Any]) -> None:
    given = [*name.get("given", ())]
    put(segment, f"{path}.1", name.get("family") or (name.get("text") if not given else None))
    put(segment, f"{path}.2", given[0] if given else None)
    put(segment, f"{path}.3", " ".join(given[1:]))
    put(segment, f"{path}.4", " ".join(name.get("suffix", ())))
    put(segment, f"{path}.5", " ".join(name.get("prefix", ())))
    put(segment, f"{path}.7", code("NameType", name.get("use")))


def put_address(segment: Segment, path: str, address: Mapping[str, Any]) -> None:
    lines = list(address.get("line", ())) or [address.get("text")]
    put(segment, f"{path}.1", lines[0])
    put(segment, f"{path}.2", ", ".join(lines[1:]))
    for number, element in ((3, "city"), (4, "state"), (5, "postalCode"), (6, "country")):
        put(segment, f"{path}.{number}", address.get(element))
    put(segment, f"{path}.7", _USES_OF_ADDRESSES.get(str(address.get("use"))))
    put(segment, f"{path}.9", address.get("district"))


_USES_OF_ADDRESSES = {"home": "H", "work": "B", "temp": "C", "old": "BA", "billing": "BI"}


def put_telecom(segment: Segment, path: str, telecom: Mapping[str, Any]) -> None:
    system, use = telecom.get("system"), telecom.get("use")
    if system == "email":
        put(segment, f"{path}.2", "NET")
        put(segment, f"{path}.3", "Internet")
        put(segment, f"{path}.4", telecom.get("value"))
        return
    put(segment, f"{path}.1", telecom.get("value"))
    put(segment, f"{path}.2", "PRN" if use == "mobile" else code("TelecomUse", use))
    put(segment, f"{path}.3", "CP" if use == "mobile" else code("TelecomSystem", system, "PH"))


def put_party(segment: Segment, path: str, reference: Any, names: Names) -> None:
    """A practitioner by number and name, as one text: nobody takes a display apart."""
    if not isinstance(reference, Mapping):
        return
    number = reference.get("identifier") or _own_number(reference)
    put(segment, f"{path}.1", number.get("value"))
    put(segment, f"{path}.2", reference.get("display"))
    put_authority(segment, f"{path}.9", number.get("system"), names, 1)


def put_place(segment: Segment, path: str, reference: Any) -> None:
    """A place by its name (PL-9); its parts are not ours to guess."""
    if isinstance(reference, Mapping):
        put(segment, f"{path}.9", reference.get("display") or _own_number(reference).get("value"))


def _own_number(reference: Mapping[str, Any]) -> Mapping[str, Any]:
    """`Practitioner/42` is known by that id."""
    text = str(reference.get("reference", ""))
    return {"value": text.rpartition("/")[2]} if "/" in text else {}
