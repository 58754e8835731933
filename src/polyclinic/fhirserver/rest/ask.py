"""One interaction as a client words it, and what all interactions read and answer alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from polyclinic.fhirserver.rest import answer as answers
from polyclinic.fhirserver.rest import reading
from polyclinic.fhirserver.rest.answer import Answer
from polyclinic.fhirserver.store.rows import Document
from polyclinic.fhirserver.store.store import Outcome
from polyclinic.foundation.errors import Invalid, MethodRefused

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Ask:
    """One interaction as a client words it, over HTTP or as an entry of a Bundle."""

    method: str
    path: tuple[str, ...]
    pairs: Pairs = ()
    body: bytes = b""
    resource: dict[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def decoded(self) -> dict[str, Any]:
        return self.resource if self.resource is not None else reading.decoded(self.body)

    @property
    def if_match(self) -> int | None:
        """The version that must be current: 0 is none at all (a PUT with `If-None-Match: *`)."""
        if self.method == "PUT" and self.headers.get("if-none-match", "").strip() == "*":
            return 0
        return reading.version_of(self.headers.get("if-match"))


def only(method: str, *offered: str) -> None:
    if method not in offered:
        raise MethodRefused(f"{method} is not offered at this address.", place="url")


def form(body: bytes) -> list[tuple[str, str]]:
    """The parameters of a POST _search; raises Invalid when they are no form."""
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body.strip()))
    except ValueError as bad:
        raise Invalid("The body is not a form of search parameters.", place="body") from bad


def written(outcome: Outcome, headers: Mapping[str, str]) -> Answer:
    """201 or 200 with the version, and as much of the resource as the client prefers."""
    return kept(outcome.document, headers, status=201 if outcome.created else 200)


def kept(document: Document, headers: Mapping[str, str], *, status: int) -> Answer:
    location = f"{document.type}/{document.id}/_history/{document.version}"
    prefer = headers.get("prefer", "")
    body = document.body
    if "return=minimal" in prefer:
        body = None
    elif "return=OperationOutcome" in prefer:
        body = answers.remark(f"Kept as version {document.version}.")
    return Answer(status, body, document, location)
