"""An X12 file to be read by people: a line for each segment, with what it is about."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

ISA_LENGTH = 106
SHOWN_MAX = 2000  # segments; longer files are for downloading
# What segments are about, in our own words.
TAGS: Mapping[str, str] = {
    "ISA": "Envelope begins", "GS": "Group begins", "ST": "Message begins", "SE": "Message ends",
    "GE": "Group ends", "IEA": "Envelope ends", "TA1": "Receipt of an envelope",
    "BHT": "What the message is", "HL": "Level", "NM1": "Name", "N1": "Party", "N3": "Street",
    "N4": "City", "PER": "Contact", "PRV": "Provider", "SBR": "Insured", "PAT": "Patient",
    "DMG": "Birth date and sex", "DTP": "Date", "DTM": "Date", "REF": "Reference number",
    "CLM": "Claim", "HI": "Diagnoses", "LX": "Line", "SV1": "Service", "BPR": "Payment",
    "TRN": "Trace number", "CLP": "Decision on a claim", "SVC": "Decision on a line",
    "CAS": "Taken off, and why", "AMT": "Amount", "QTY": "Count", "PLB": "Apart from claims",
    "STC": "Status", "AK1": "Answers group", "AK2": "Answers message", "IK3": "Segment in doubt",
    "IK4": "Element in doubt", "IK5": "Message taken or not", "AK9": "Group taken or not",
    "CTX": "Where exactly", "MIA": "Remarks", "MOA": "Remarks", "LQ": "Remark", "CUR": "Currency",
    "RDM": "Delivery", "TS3": "Summary", "PWK": "Papers", "CN1": "Contract", "NTE": "Note",
}  # fmt: skip
# Whom NM1 and N1 name, by their first element.
_WHO: Mapping[str, str] = {
    "40": "Receiver", "41": "Sender", "85": "Clinic", "87": "Pay to", "82": "Clinician",
    "DN": "Referred by", "77": "Place", "IL": "Insured", "QC": "Patient", "PR": "Payer",
    "PE": "Who is paid", "74": "Corrected insured", "1P": "Clinic", "AY": "Clearing house",
}  # fmt: skip
_SEGMENT = re.compile(r"[Ss]egment (\d+)")


@dataclass(frozen=True, slots=True)
class Row:
    """One segment: its number, tag, the rest of it, its meaning, and how deep it lies."""

    number: int
    tag: str
    rest: str
    words: str
    is_marked: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """A file's segments, and how many were left out."""

    rows: list[Row]
    left_out: int


def view(content: bytes, problem: str | None = None) -> View:
    """Whatever it is, it is shown: what is no X12 becomes lines as they are."""
    text = content.decode("utf-8", "replace")
    is_x12 = text.startswith("ISA") and len(text) >= ISA_LENGTH
    element, end = (text[3], text[ISA_LENGTH - 1]) if is_x12 else ("*", "~")
    pieces = [piece.strip("\r\n") for piece in text.split(end)]
    pieces = [piece for piece in pieces if piece.strip()]
    shape = _SEGMENT.search(problem or "")
    marked = int(shape[1]) if shape else 0
    rows = [
        _row(number, piece, element, number == marked)
        for number, piece in enumerate(pieces[:SHOWN_MAX], 1)
    ]
    return View(rows, max(len(pieces) - SHOWN_MAX, 0))


def _row(number: int, piece: str, element: str, is_marked: bool) -> Row:  # noqa: FBT001
    tag, separator, rest = piece.partition(element)
    words = TAGS.get(tag, "")
    if tag in ("NM1", "N1"):
        words = _WHO.get(rest.partition(element)[0], words)
    return Row(number, tag[:40], separator + rest, words, is_marked)
