"""Whether a resource is R4: structure, cardinality, primitives, required codes, references.

Invariants that are checked: ait-1, ait-2, att-1, bdl-1 to bdl-5, bdl-7, bdl-8, con-4, con-5, cpt-2,
dom-2 to dom-5, ele-1, ext-1, inv-1 (Parameters), obs-3, obs-6, obs-7, pat-1, per-1, qty-3, ref-1,
txt-1, txt-2.
"""

from typing import Any

from polyclinic.standards.fhir.issues import FhirIssue
from polyclinic.standards.fhir.validation.findings import EnoughFound, Findings, Where
from polyclinic.standards.fhir.validation.structures import check_resource

__all__ = ["validate"]


def validate(resource: dict[str, Any]) -> list[FhirIssue]:
    """Everything wrong with it (up to 100 issues), each at its place; never raises on JSON."""
    found = Findings()
    name = resource.get("resourceType")
    where: Where = (None, name if isinstance(name, str) else "Resource", None)
    try:
        check_resource(resource, where, found)
    except EnoughFound:
        pass
    except RecursionError:
        text = "The resource is nested too deeply."
        found.issues.append(FhirIssue("error", "too-long", where[1], text))
    return found.issues
