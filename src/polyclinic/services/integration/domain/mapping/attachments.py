"""Files within messages: bounded before they are decoded, and never unpacked."""

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Any

from polyclinic.services.integration.domain.mapping.nodes import Node
from polyclinic.services.integration.domain.mapping.reading import Reading

BYTES_MAX = 700_000  # of a file within a resource: base64 of it stays below records' 1 MB
_SPACE = re.compile(r"\s+")

TYPES = {
    "PDF": "application/pdf", "RTF": "application/rtf", "HTML": "text/html", "XML": "text/xml",
    "JPEG": "image/jpeg", "JPG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif",
    "TIFF": "image/tiff", "TIF": "image/tiff", "DICOM": "application/dicom", "PLAIN": "text/plain",
    "TEXT": "text/plain", "TXT": "text/plain", "WAV": "audio/wav", "MPEG": "video/mpeg",
    "X-HL7-CDA-LEVEL-ONE": "text/xml", "CDA": "text/xml",
}  # fmt: skip
_BEGINS = {
    "application/pdf": b"%PDF", "image/png": b"\x89PNG", "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8", "application/rtf": b"{\\rtf",
}  # fmt: skip
ANY = "application/octet-stream"


def content_type(data_type: str | None, subtype: str | None) -> str:
    """Of ED.2 and ED.3; what we do not know is bytes."""
    for said in (subtype, data_type):
        if said and (found := TYPES.get(said.upper())):
            return found
        if said and re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", said.lower()):
            return said.lower()
    return "text/plain" if (data_type or "").upper() == "TEXT" else ANY


def encapsulated(node: Node, reading: Reading) -> dict[str, Any] | None:
    """Of ED. What is too large or no base64 is left out with an error; the message keeps it."""
    kind, data = content_type(node.get("2"), node.get("3")), node.get("5")
    found: dict[str, Any] = {"contentType": kind}
    if title := node.get("1.2"):
        found["title"] = title
    if data is None:
        reading.note(node.place, "The file is empty.")
        return found
    raw = _decoded(data, (node.get("4") or "").upper(), node.place, reading)
    if raw is None:
        return found
    if not raw.startswith(_BEGINS.get(kind, b"")):
        reading.note(node.place, "The file does not begin as its type says; it is kept as bytes.")
        found["contentType"] = ANY
    return {**found, "data": base64.b64encode(raw).decode(), "size": len(raw)}


def _decoded(data: str, encoding: str, place: str, reading: Reading) -> bytes | None:
    if len(data) > BYTES_MAX * 4 // 3 + 4096 or (encoding == "A" and len(data) > BYTES_MAX):
        reading.note(place, "The file is larger than a document may have; it is left out.", "error")
        return None
    if encoding in ("A", ""):
        return data.encode()
    try:
        if encoding == "HEX":
            return bytes.fromhex(data)
        compact = _SPACE.sub("", data)
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError):
        reading.note(place, "The file is not encoded as it says; it is left out.", "error")
        return None


def text(lines: Iterable[str], place: str, reading: Reading) -> dict[str, Any]:
    """Lines of a report as a file of text."""
    raw = "\n".join(lines).encode()
    found: dict[str, Any] = {"contentType": "text/plain; charset=utf-8"}
    if len(raw) > BYTES_MAX:
        reading.note(place, "The text is larger than a document may have; it is left out.", "error")
        return found
    return {**found, "data": base64.b64encode(raw).decode(), "size": len(raw)}


def pointer(node: Node, _: Reading) -> dict[str, Any] | None:
    """Of RP: where a file lies, with its type; nobody fetches it."""
    where, how = node.get("1"), node.get("2.1") or node.get("2")
    if not where or not re.fullmatch(r"[^\s<>\"{}|\\^`]+", where):
        return None
    kind = content_type(node.get("3"), node.get("4"))
    found = {"contentType": kind, "url": where}
    return {**found, "title": how} if how and how != where else found
