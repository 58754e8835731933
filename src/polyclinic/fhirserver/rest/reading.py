"""Bodies and addresses as clients send them: decoded, checked, and refused by place."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from polyclinic.fhirserver.rest.answer import issues
from polyclinic.foundation.errors import Invalid, Issue, NotProcessable, NotSupported
from polyclinic.standards.fhir import codec
from polyclinic.standards.fhir.dates import date_range
from polyclinic.standards.fhir.definitions import resource_types
from polyclinic.standards.fhir.validation import validate

ID = re.compile(r"[A-Za-z0-9.-]{1,64}", re.ASCII)
_ETAG = re.compile(r'(?:W/)?"(\d{1,9})"', re.ASCII)
_TYPES = frozenset(resource_types())
IGNORED = frozenset({"_format", "_pretty"})  # the shape of the answer, said with any request
_FORMATS = frozenset({"json", "application/json", "application/fhir+json", "text/json"})


class NotAcceptable(Invalid):
    """Only JSON is spoken here."""

    code = "not-supported"


class UnknownType(NotSupported):
    """FHIR R4 has no such resource type."""


class NotValid(NotProcessable):
    """The resource is not valid FHIR R4."""


def a_type(name: str) -> str:
    if name not in _TYPES:
        raise UnknownType(f"FHIR R4 has no resource type {name[:64]!r}.", place="url")
    return name


def an_id(name: str) -> str:
    if not ID.fullmatch(name):
        raise Invalid("An id has 1 to 64 letters, digits, hyphens or dots.", place="id")
    return name


def decoded(body: bytes) -> dict[str, Any]:
    """The JSON object of a body; raises Invalid that says where it breaks."""
    if not body.strip():
        raise Invalid("The body is empty; a FHIR resource in JSON is expected.", place="body")
    try:
        return codec.decode(body)
    except codec.BadJson as bad:
        place = bad.place or "body"
        raise Invalid(bad.text, place=place, issues=(Issue(bad.text, place, "structure"),)) from bad


def checked(resource: dict[str, Any]) -> dict[str, Any]:
    """A resource that base R4 validation finds no error in; raises NotValid with every place."""
    found = validate(resource)
    errors = [issue for issue in found if issue.severity in ("error", "fatal")]
    if errors:
        raise NotValid(errors[0].text, place=errors[0].expression, issues=issues(errors))
    return resource


def of_type(resource: dict[str, Any], expected: str) -> dict[str, Any]:
    stated = resource.get("resourceType")
    if stated != expected:
        shown = stated if isinstance(stated, str) else "nothing"
        raise Invalid(
            f"The address says {expected}, the body says {shown[:64]}.", place="resourceType"
        )
    return resource


def version_of(etag: str | None) -> int | None:
    """The version of an If-Match header."""
    if etag is None:
        return None
    found = _ETAG.fullmatch(etag.strip())
    if found is None:
        raise Invalid('If-Match is written W/"3".', place="If-Match")
    return int(found[1])


def check_format(pairs: Iterable[tuple[str, str]]) -> None:
    """Raises NotAcceptable when `_format` asks for anything but JSON."""
    for name, value in pairs:
        if name == "_format" and value.partition(";")[0].replace(" ", "+") not in _FORMATS:
            raise NotAcceptable(f"Only JSON is spoken here, not {value[:40]!r}.", place="_format")


def since_of(said: Mapping[str, str]) -> datetime | None:
    """The instant of `_since`, if there is one."""
    try:
        return date_range(said["_since"])[0] if "_since" in said else None
    except ValueError as bad:
        raise Invalid("_since is an instant such as 2026-11-22T08:30:00Z.", place="_since") from bad


def is_type(name: str) -> bool:
    return name in _TYPES
