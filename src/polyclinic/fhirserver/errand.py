"""One request of one caller, as every method of the store wants it."""

import uuid
from dataclasses import dataclass, field

from polyclinic.fhirserver.access import Access
from polyclinic.foundation import ids, tracing

_NAMES = uuid.UUID("8f0a3c7e-6f4e-4c39-9d3e-0f1b6a6f5a10")  # ours, for request ids that are no UUID


@dataclass(frozen=True, slots=True)
class Errand:
    """Who asks, what they may, and the number under which it is logged."""

    access: Access
    request: uuid.UUID
    # The caller's own token, to ask another service in the caller's name; never logged.
    token: str = field(default="", repr=False)
    # Where in a trace it began, for the events that it causes.
    trace: str | None = field(default_factory=tracing.here, repr=False)

    @classmethod
    def of(cls, access: Access, request_id: str, token: str = "") -> "Errand":
        try:
            return cls(access, uuid.UUID(request_id), token)
        except ValueError:
            named = request_id != "-"
            number = uuid.uuid5(_NAMES, request_id) if named else ids.new_uuid()
            return cls(access, number, token)
