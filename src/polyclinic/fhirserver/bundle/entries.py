"""The entries of a Bundle as interactions, checked before anything is written."""

import base64
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from polyclinic.fhirserver.rest import reading
from polyclinic.fhirserver.rest.ask import Ask
from polyclinic.fhirserver.rest.conditional import Criteria, canonical
from polyclinic.fhirserver.rest.patch import operations_of
from polyclinic.foundation.errors import Invalid, Problem
from polyclinic.foundation.work import Pace

ENTRIES_MAX = 20_000
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


@dataclass(slots=True)
class Entry:
    """One entry: what it asks, and under which address the others refer to it."""

    number: int
    full_url: str | None
    ask: Ask
    if_none_exist: str | None

    @property
    def criteria(self) -> Criteria | None:
        """What it must match, or what nothing may match, when it is written by criteria."""
        kind = self.ask.path[0]
        if self.if_none_exist is not None:
            return canonical(kind, self.if_none_exist)
        if self.ask.method in ("PUT", "PATCH", "DELETE") and len(self.ask.path) == 1:
            return canonical(kind, self.ask.pairs)
        return None

    @property
    def place(self) -> str:
        return f"Bundle.entry[{self.number}]"


def located(problem: Problem, place: str) -> Problem:
    """The same problem, with every issue placed inside the entry."""
    moved = tuple(
        type(issue)(
            issue.text,
            _within(place, issue.place),
            issue.code,
            issue.severity,
        )
        for issue in problem.issues
    )
    return type(problem)(problem.message, place=place, issues=moved)


def _within(entry: str, place: str | None) -> str:
    if place is None:
        return entry
    if place == "If-Match":
        return f"{entry}.request.ifMatch"
    # An address (Patient/123) is the entry's own; anything else lies in its resource.
    return f"{entry}.request.url" if "/" in place else f"{entry}.resource.{place}"


def read_entries(bundle: dict[str, Any]) -> list[Entry]:
    """Every entry with its request; raises Invalid that names the entry."""
    return [read_entry(number, entry) for number, entry in enumerate(listed_entries(bundle))]


def listed_entries(bundle: dict[str, Any]) -> list[Any]:
    """The entries as they are written, of which there must not be too many."""
    listed = bundle.get("entry", [])
    if not isinstance(listed, list):
        raise Invalid("Bundle.entry is a list.", place="Bundle.entry")
    if len(listed) > ENTRIES_MAX:
        raise Invalid(f"A Bundle has at most {ENTRIES_MAX} entries.", place="Bundle.entry")
    return listed


def read_entry(number: int, entry: Any) -> Entry:
    place = f"Bundle.entry[{number}]"
    request = entry.get("request") if isinstance(entry, dict) else None
    if not isinstance(request, dict):
        raise Invalid("The entry has no request.", place=f"{place}.request")
    method, url = request.get("method"), request.get("url")
    if method not in _METHODS:
        text = "The method is GET, POST, PUT, PATCH or DELETE."
        raise Invalid(text, place=f"{place}.request.method")
    if not isinstance(url, str) or not url or url.startswith(("/", "http:", "https:")):
        raise Invalid(
            "The url is relative to the server's base, such as Patient/123.",
            place=f"{place}.request.url",
        )
    path, _, query = url.partition("?")
    resource = entry.get("resource")
    if method in ("POST", "PUT", "PATCH") and not isinstance(resource, dict):
        raise Invalid("The entry has no resource.", place=f"{place}.resource")
    headers, body = _headers(request), b""
    if method == "PATCH":
        headers["content-type"], body = _patch(resource, place)
    ask = Ask(
        method,
        tuple(unquote(part) for part in path.rstrip("/").split("/")),
        parse_qsl(query, keep_blank_values=True),
        body,
        resource if isinstance(resource, dict) and method != "PATCH" else None,
        headers,
    )
    full_url = entry.get("fullUrl")
    wanted = request.get("ifNoneExist")
    return Entry(
        number,
        full_url if isinstance(full_url, str) else None,
        ask,
        wanted.removeprefix("?") if isinstance(wanted, str) and method == "POST" else None,
    )


def _patch(binary: Any, place: str) -> tuple[str, bytes]:
    """R4 3.1.0.11.4: a patch that is no resource travels as a Binary, with its own content type."""
    kind, data = binary.get("contentType"), binary.get("data")
    if binary.get("resourceType") != "Binary" or not isinstance(kind, str):
        raise Invalid("A patch is a Binary that states its contentType.", place=f"{place}.resource")
    try:
        return kind, base64.b64decode(data, validate=True)
    except (TypeError, ValueError) as bad:
        raise Invalid("The patch is not base64.", place=f"{place}.resource.data") from bad


def _headers(request: dict[str, Any]) -> dict[str, str]:
    names = {
        "ifMatch": "if-match",
        "ifNoneMatch": "if-none-match",
        "ifNoneExist": "if-none-exist",
    }
    return {
        header: request[name]
        for name, header in names.items()
        if isinstance(request.get(name), str)
    }


async def check_resources(entries: list[Entry]) -> None:
    """Base validation of everything that is to be written; the first bad entry is named."""
    pace = Pace()
    for entry in entries:
        try:
            _check(entry.ask)
        except Problem as problem:
            raise located(problem, entry.place) from problem
        await pace.step()


def _check(ask: Ask) -> None:
    if ask.method == "PATCH":
        operations_of(ask)
    elif ask.resource is not None:
        reading.checked(reading.of_type(ask.resource, reading.a_type(ask.path[0])))
