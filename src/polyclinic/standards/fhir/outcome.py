"""Issues as an OperationOutcome."""

from collections.abc import Iterable
from typing import Any

from polyclinic.standards.fhir.issues import FhirIssue


def operation_outcome(issues: Iterable[FhirIssue]) -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": [_issue(issue) for issue in issues]}


def _issue(issue: FhirIssue) -> dict[str, Any]:
    stated: dict[str, Any] = {"severity": issue.severity, "code": issue.code}
    if issue.text:
        stated["details"] = {"text": issue.text}
        stated["diagnostics"] = issue.text
    if issue.expression:
        stated["expression"] = [issue.expression]
    return stated
