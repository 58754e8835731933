"""Complaints gathered while a resource is walked; a place is written out only for a complaint."""

from typing import Optional

from polyclinic.standards.fhir.issues import FhirIssue

ISSUES_MAX = 100  # who sends more has another problem, and hints cost time
NAME_CHARACTERS_MAX = 64

# (the place above, the name, the index in an array): cheap to make for every element.
Where = tuple[Optional["Where"], str, int | None]


class EnoughFound(Exception):
    """There are as many complaints as anybody reads."""


class Findings:
    """The complaints so far, in the order of the resource."""

    __slots__ = ("inward", "issues")

    def __init__(self) -> None:
        self.issues: list[FhirIssue] = []
        # The references "#id" of the resource at hand: its contained resources answer for them.
        self.inward: list[tuple[str, Where]] = []

    def add(self, code: str, where: Where, text: str) -> None:
        self.issues.append(FhirIssue("error", code, written(where), text))
        if len(self.issues) >= ISSUES_MAX:
            raise EnoughFound


def written(where: Where) -> str:
    """As FHIRPath: Patient.contact[0].name."""
    names: list[str] = []
    above: Where | None = where
    while above is not None:
        above, name, index = above
        name = shortened(name)
        names.append(name if index is None else f"{name}[{index}]")
    return ".".join(reversed(names))


def shortened(name: str) -> str:
    return name if len(name) <= NAME_CHARACTERS_MAX else name[:NAME_CHARACTERS_MAX] + "…"
