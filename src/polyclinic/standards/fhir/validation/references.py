"""What a Reference says literally: its form, and whether it may point at that type."""

import re
from typing import Any

from polyclinic.standards.fhir.definitions import resource_types
from polyclinic.standards.fhir.validation.findings import Findings, Where

_TYPES = frozenset(resource_types())
_RELATIVE = re.compile(
    r"([A-Z][A-Za-z]+)(?:/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?|\?\S+)"
).fullmatch
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:\S+").fullmatch
_INWARD = re.compile(r"#[A-Za-z0-9\-.]{0,64}").fullmatch
_FORMS = (
    "A reference is Type/id, an absolute address, urn:uuid:…, #contained or, within a transaction, "
    "Type?criteria."
)


def check_reference(value: Any, targets: frozenset[str], where: Where, found: Findings) -> None:
    """`targets` empty means any type."""
    if type(value) is not dict:
        return
    reference = value.get("reference")
    if type(reference) is str:
        relative = _RELATIVE(reference)
        if relative:
            _check_type(relative[1], targets, (where, "reference", None), found)
        elif reference.startswith("#") and _INWARD(reference):
            found.inward.append((reference[1:], (where, "reference", None)))
        elif not _ABSOLUTE(reference):
            found.add("value", (where, "reference", None), _FORMS)
    if type(value.get("type")) is str:
        _check_type(value["type"].rpartition("/")[2], targets, (where, "type", None), found)


def _check_type(name: str, targets: frozenset[str], where: Where, found: Findings) -> None:
    if name not in _TYPES:
        found.add("value", where, "R4 has no resource type of that name.")
    elif targets and name not in targets:
        named = ", ".join(sorted(targets))
        found.add("value", where, f"It points at a {name}, but may only at: {named}.")
