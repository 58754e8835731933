"""`_summary` and `_elements`: less of a resource, marked so that nobody writes it back whole."""

from typing import Any

from polyclinic.fhirserver.search.asks import Query
from polyclinic.standards.fhir import codec
from polyclinic.standards.fhir.definitions import structure, summary_elements

_ALWAYS = frozenset({"resourceType", "id", "meta", "implicitRules"})
_SUBSETTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
}


def shortened(query: Query, resource: dict[str, Any]) -> bytes:
    """The part that was asked for, tagged SUBSETTED (R4 search, 3.1.1.5.8 and 3.1.1.5.9)."""
    kind = resource["resourceType"]
    required = {name for name, element in structure(kind).items() if element.min > 0}
    if query.elements:
        wanted = {*query.elements, *required}
    elif query.summary == "text":
        wanted = {"text", *required}
    elif query.summary == "data":
        wanted = set(resource) - {"text"}
    else:
        wanted = {*summary_elements(kind), *required}
    part = {k: v for k, v in resource.items() if k in _ALWAYS or _is_among(k, wanted)}
    meta = part.get("meta", {})
    part["meta"] = {**meta, "tag": [*meta.get("tag", []), _SUBSETTED]}
    return codec.encode(part)


def _is_among(key: str, wanted: set[str]) -> bool:
    """`_birthDate` belongs to `birthDate`, and `valueQuantity` to the choice `value[x]`."""
    name = key.lstrip("_")
    if name in wanted:
        return True
    return any(w.endswith("[x]") and name.startswith(w[:-3]) for w in wanted)
