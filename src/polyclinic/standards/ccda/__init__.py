"""C-CDA documents to FHIR R4 resources: what they say, what they deny, what was not understood.

PyPI `ccda-to-fhir` converts; around it stands what a clinic cannot do without: hostile XML is
refused, ids are the same each time, one bad entry does not take the document along, and a statement
that something is *not* so never becomes one that it is (HL7 C-CDA R2.1, `negationInd`).
"""

from polyclinic.standards.ccda.converting import Converted, Note, convert
from polyclinic.standards.ccda.heading import Heading, heading
from polyclinic.standards.ccda.reading import NotCcda, read

__all__ = ["Converted", "Heading", "NotCcda", "Note", "convert", "heading", "read"]
