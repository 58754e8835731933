"""HL7 version 2: lossless messages of any delimiters and character set, batches, MLLP frames."""

from polyclinic.standards.hl7v2 import batch, mllp
from polyclinic.standards.hl7v2.answers import Header, acknowledge, new_message, refuse
from polyclinic.standards.hl7v2.faults import Fault, Malformed
from polyclinic.standards.hl7v2.groups import Group
from polyclinic.standards.hl7v2.message import Message, parse
from polyclinic.standards.hl7v2.segment import NULL, Repetition, Segment

__all__ = [
    "NULL", "Fault", "Group", "Header", "Malformed", "Message", "Repetition", "Segment",
    "acknowledge", "batch", "mllp", "new_message", "parse", "refuse",
]  # fmt: skip
