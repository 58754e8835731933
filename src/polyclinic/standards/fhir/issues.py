"""What is wrong with a resource, as FHIR's own vocabulary says it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FhirIssue:
    """One complaint: `code` is a FHIR issue-type, `expression` the place as a FHIRPath."""

    severity: str
    code: str
    expression: str
    text: str
