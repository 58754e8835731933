"""The Bundle that answers a Bundle."""

from collections.abc import Sequence
from typing import Any

import msgspec

from polyclinic.fhirserver.bundle.entries import Entry
from polyclinic.fhirserver.rest.answer import Answer, instant

_REASONS = {
    200: "200 OK", 201: "201 Created", 204: "204 No Content", 304: "304 Not Modified",
}  # fmt: skip


def response_bundle(
    kind: str, answers: Sequence[tuple[Entry | None, Answer]], *, whole: bool
) -> bytes:
    """One entry an answer; written resources come along only when the client prefers them."""
    entries = [_entry(entry, answer, whole=whole) for entry, answer in answers]
    bundle = {"resourceType": "Bundle", "type": f"{kind}-response", "entry": entries}
    if not entries:
        del bundle["entry"]
    return msgspec.json.encode(bundle)


def _entry(entry: Entry | None, answer: Answer, *, whole: bool) -> dict[str, Any]:
    response: dict[str, Any] = {"status": _REASONS.get(answer.status, str(answer.status))}
    if answer.location is not None:
        response["location"] = answer.location
    if answer.document is not None:
        response["etag"] = f'W/"{answer.document.version}"'
        response["lastModified"] = instant(answer.document.updated)
    made: dict[str, Any] = {}
    if answer.body is not None:
        if answer.status >= 400:
            response["outcome"] = msgspec.Raw(answer.body)
        elif whole or (entry is not None and entry.ask.method in ("GET", "HEAD")):
            made["resource"] = msgspec.Raw(answer.body)
    return {**made, "response": response}
