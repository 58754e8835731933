"""The entries of a Bundle as interactions, checked before anything is written."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from polyclinic.fhirserver.rest import reading
from polyclinic.fhirserver.rest.interactions import Ask
from polyclinic.foundation.errors import Invalid, Problem
from polyclinic.foundation.work import Pace

ENTRIES_MAX = 20_000


@dataclass(slots=True)
class Entry:
    """One entry: what it asks, and under which address the others refer to it."""

    number: int
    full_url: str | None
    ask: Ask
    if_none_exist: str | None

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
    if method not in ("GET", "HEAD", "POST", "PUT", "DELETE"):
        raise Invalid("The method is GET, POST, PUT or DELETE.", place=f"{place}.request.method")
    if not isinstance(url, str) or not url or url.startswith(("/", "http:", "https:")):
        raise Invalid(
            "The url is relative to the server's base, such as Patient/123.",
            place=f"{place}.request.url",
        )
    path, _, query = url.partition("?")
    resource = entry.get("resource")
    if method in ("POST", "PUT") and not isinstance(resource, dict):
        raise Invalid("The entry has no resource.", place=f"{place}.resource")
    ask = Ask(
        method,
        tuple(unquote(part) for part in path.rstrip("/").split("/")),
        parse_qsl(query, keep_blank_values=True),
        resource=resource if isinstance(resource, dict) else None,
        headers=_headers(request),
    )
    full_url = entry.get("fullUrl")
    wanted = request.get("ifNoneExist")
    return Entry(
        number,
        full_url if isinstance(full_url, str) else None,
        ask,
        wanted.removeprefix("?") if isinstance(wanted, str) and method == "POST" else None,
    )


def _headers(request: dict[str, Any]) -> dict[str, str]:
    names = {"ifMatch": "if-match", "ifNoneMatch": "if-none-match"}
    return {
        header: request[name]
        for name, header in names.items()
        if isinstance(request.get(name), str)
    }


async def check_resources(entries: list[Entry]) -> None:
    """Base validation of everything that is to be written; the first bad entry is named."""
    pace = Pace()
    for entry in entries:
        if entry.ask.resource is not None:
            try:
                reading.of_type(entry.ask.resource, reading.a_type(entry.ask.path[0]))
                reading.checked(entry.ask.resource)
            except Problem as problem:
                raise located(problem, entry.place) from problem
        await pace.step()
