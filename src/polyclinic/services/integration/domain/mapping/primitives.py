"""Texts of HL7 v2 as FHIR's primitives and codes; what does not fit is noted and left out."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from polyclinic.services.integration.domain.mapping import tables, times
from polyclinic.services.integration.domain.mapping.nodes import Node
from polyclinic.services.integration.domain.mapping.reading import Reading

TEXT_MAX = 1024 * 1024
_NUMBER = re.compile(r"[+-]?\d{1,18}(\.\d{0,12})?|[+-]?\.\d{1,12}", re.ASCII).fullmatch
_CODE = re.compile(r"[^\s]+( [^\s]+)*").fullmatch
_URI = re.compile(r"[^\s<>\"{}|\\^`]+").fullmatch
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/v2-"


def string(node: Node, reading: Reading) -> str | None:
    """With line ends as everybody writes them, and not longer than a resource may be."""
    text = node.text
    if text is None:
        return None
    clean = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(clean) > TEXT_MAX:
        reading.note(node.place, "The text is longer than a resource may have, and was cut.")
        clean = clean[:TEXT_MAX]
    return clean or None


def moment(node: Node, reading: Reading) -> times.Moment | None:
    if (text := node.text) is None:
        return None
    try:
        found = times.read(text, reading.channel.zone)
    except times.NoTime as no_time:
        reading.note(node.place, str(no_time))
        return None
    if found.doubt:
        reading.note(node.place, found.doubt)
    return found


def date_time(node: Node, reading: Reading) -> str | None:
    found = moment(node, reading)
    return found.date_time if found else None


def instant(node: Node, reading: Reading) -> str | None:
    """None, with a note, where only a day was said."""
    found = moment(node, reading)
    if found is None:
        return None
    if found.at is None:
        reading.note(node.place, "A moment is needed here and only a date was sent.")
        return None
    return times.instant(found.at)


def date(node: Node, reading: Reading) -> str | None:
    found = moment(node, reading)
    return found.date if found else None


def time(node: Node, reading: Reading) -> str | None:
    try:
        return times.time_of_day(node.text) if node.text else None
    except times.NoTime as no_time:
        reading.note(node.place, str(no_time))
        return None


def decimal(node: Node, reading: Reading) -> Any:
    """A number with the digits that were sent, as far as JSON can say them."""
    text = node.text
    if text is None:
        return None
    if not _NUMBER(text):
        reading.note(node.place, "That is no number.")
        return None
    return number(text)


def number(text: str) -> int | float:
    value = Decimal(text)
    return int(value) if "." not in text else float(value)


def integer(node: Node, reading: Reading, least: int = -(2**31)) -> int | None:
    found = decimal(node, reading)
    if found is None:
        return None
    if found != int(found) or not least <= found < 2**31:
        reading.note(node.place, "A whole number is needed here, and not so large a one.")
        return None
    return int(found)


def unsigned(node: Node, reading: Reading) -> int | None:
    return integer(node, reading, 0)


def positive(node: Node, reading: Reading) -> int | None:
    return integer(node, reading, 1)


def boolean(node: Node, reading: Reading) -> bool | None:
    text = (node.text or "").upper()
    if text in ("Y", "N"):
        return text == "Y"
    if text:
        reading.note(node.place, "That is neither Y nor N.")
    return None


def uri(node: Node, _: Reading) -> str | None:
    text = node.text
    return text if text and _URI(text) else None


def plain_code(node: Node, reading: Reading) -> str | None:
    text = string(node, reading)
    return " ".join(text.split()) if text else None


def mapped(code: str, name: str) -> str | None:
    """What a concept map makes of a code; its `else` where it does not know it."""
    table = tables.codes()[name]
    found = table["codes"].get(code) or table["codes"].get(code.upper())
    return found or table.get("else")


def code_of_map(node: Node, name: str, reading: Reading) -> str | None:
    """A required code: only what the map knows."""
    text = node.text
    if text is None:
        return None
    own = reading.channel.mapping.get("codes")
    if isinstance(own, Mapping) and isinstance(mine := own.get(name), Mapping) and text in mine:
        text = str(mine[text])  # the sender's own code in the words of the standard's table
    found = mapped(text, name)
    if found is None:
        reading.note(node.place, f"The code is none that {name} knows.")
    return found


def coding_of_map(node: Node, name: str, reading: Reading) -> dict[str, str] | None:
    code = code_of_map(node, name, reading)
    if code is None:
        return None
    table = tables.codes()[name]
    system = table.get("systems", {}).get(code) or table["system"]
    return {"system": system, "code": code}


def system_of(name: str | None, reading: Reading) -> str | None:
    """The URI of a coding system as HL7 v2 names it; none for a local one that is not told."""
    if name is None:
        return None
    told = reading.channel.systems.get(name) or tables.systems()["coding"].get(name.upper())
    if told:
        return told
    if found := re.fullmatch(r"HL7(\d{4})", name):
        return f"{_TERMINOLOGY}{found[1]}"
    if re.fullmatch(r"\d+(\.\d+){3,}", name):
        return f"urn:oid:{name}"
    return name if name.startswith(("http://", "https://", "urn:")) and _URI(name) else None


def coding(node: Node, reading: Reading, first: int = 1) -> dict[str, str] | None:
    """Code, text and system of CWE; `first` is 4 for the alternate one."""
    code, text = node.get(str(first)), node.get(str(first + 1))
    if code is None or not (code := _one_spaced(code)):
        return None
    found = {"code": code}
    if system := system_of(node.get(str(first + 2)), reading):
        found = {"system": system, "code": code}
    if version := node.get(str(7 if first == 1 else 8)):
        found["version"] = version
    if text:
        found["display"] = text
    return found


def _one_spaced(code: str) -> str:
    """A FHIR code has single spaces only, and none at its ends."""
    found = " ".join(code.split())
    return found if _CODE(found) else ""


def concept(node: Node, name: str, reading: Reading) -> dict[str, Any] | None:
    """CWE: its codings and its text; with a map, our own coding comes first."""
    codings: list[dict[str, str]] = []
    if name and (ours := coding_of_map(node, name, reading)):
        codings.append(ours)
    for first in (1, 4):
        sent = coding(node, reading, first)
        # A bare code that our own says already would add nothing.
        if sent and _is_new(sent, codings) and ("system" in sent or not (name and codings)):
            codings.append(sent)
    text = node.get("9") or node.get("2") or (node.get("1") if not codings else None)
    found: dict[str, Any] = {}
    if codings:
        found["coding"] = codings
    if text:
        found["text"] = text
    return found or None


def _is_new(one: Mapping[str, str], others: list[dict[str, str]]) -> bool:
    return all(
        (one.get("system"), one["code"]) != (each.get("system"), each["code"]) for each in others
    )


PLAIN: Mapping[str, Callable[[Node, Reading], Any]] = {
    "string": string,
    "markdown": string,
    "code": plain_code,
    "date": date,
    "dateTime": date_time,
    "instant": instant,
    "time": time,
    "decimal": decimal,
    "integer": integer,
    "unsigned": unsigned,
    "positive": positive,
    "boolean": boolean,
    "uri": uri,
}
