"""What the door answers, before it becomes an HTTP response or an entry of a Bundle."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime

from polyclinic.fhirserver.store.rows import Document
from polyclinic.foundation.errors import Issue, Problem
from polyclinic.standards.fhir import codec
from polyclinic.standards.fhir.issues import FhirIssue
from polyclinic.standards.fhir.outcome import operation_outcome

MEDIA_TYPE = "application/fhir+json; charset=utf-8"


@dataclass(slots=True)
class Answer:
    """Status, body and what the headers say of a version."""

    status: int
    body: bytes | None = None
    document: Document | None = None
    location: str | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])

    def all_headers(self, base: str) -> dict[str, str]:
        found = {"cache-control": "private, no-store", **self.headers}
        if self.document is not None:
            found["etag"] = f'W/"{self.document.version}"'
            found["last-modified"] = format_datetime(self.document.updated, usegmt=True)
        if self.location is not None:
            found["location"] = f"{base}/{self.location}"
        return found


def instant(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def outcome(problem: Problem) -> bytes:
    """A problem as an OperationOutcome that names the places."""
    return codec.encode(operation_outcome(_fhir(issue) for issue in problem.issues))


def remark(text: str) -> bytes:
    """An OperationOutcome that only informs."""
    return codec.encode(operation_outcome([FhirIssue("information", "informational", "", text)]))


def _fhir(issue: Issue) -> FhirIssue:
    return FhirIssue(issue.severity, issue.code, issue.place or "", issue.text)


def issues(found: Iterable[FhirIssue]) -> tuple[Issue, ...]:
    return tuple(Issue(i.text, i.expression, i.code, i.severity) for i in found)
