"""Events on their way out: what there is to be told of, in which envelope, in which order."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from polyclinic.contracts import appointments, billing
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.events import Event
from polyclinic.standards.fhir.definitions import resource_types

RESOURCES = ("ResourceCreated", "ResourceUpdated", "ResourceDeleted")


def _kinds(module: Any) -> tuple[str, ...]:
    found = vars(module).values()
    events = [c for c in found if isinstance(c, type) and issubclass(c, Event) and c is not Event]
    return tuple(each.__name__ for each in events)


# Who says what.
SAID: dict[str, tuple[str, ...]] = {
    "records": RESOURCES,
    "appointments": (*RESOURCES, *_kinds(appointments)),
    "billing": (*RESOURCES, *_kinds(billing)),
}
PING = "Ping"
KINDS_MAX = 50

# Of what an event tells, only who and what it is about goes out of the house: no times, no amounts.
_IDS = frozenset(
    ["appointment", "patient", "practitioner", "visit", "claim", "payer", "statement", "payment",
     "refund", "site"]
)  # fmt: skip
MEDIA_TYPE = "application/cloudevents+json"


class NoSuchEvent(Invalid):
    """There is no such kind of event."""


@dataclass(frozen=True, slots=True)
class Said:
    """An event as it is kept for one receiver."""

    event: UUID
    source: str
    kind: str
    subject: str
    at: datetime
    data: bytes
    key: str

    @property
    def about(self) -> str:
        """`Observation/42` of the subject `Observation/42/2`."""
        return "/".join(self.subject.split("/")[:2])


def said(event: UUID, spoken: tuple[str, str, str], at: datetime, data: bytes) -> Said:
    """`spoken` is source, kind and subject. Its key is the patient where the event names one."""
    source, kind, subject = spoken
    ids = thin(data)
    about = "/".join(subject.split("/")[:2])
    return Said(event, source, kind, subject, at, msgspec.json.encode(ids), _key(about, ids))


def _key(about: str, ids: dict[str, str]) -> str:
    patient = ids.get("patient", "")
    return f"Patient/{patient.rpartition('/')[2]}" if patient else about


def thin(data: bytes) -> dict[str, str]:
    """The ids of an event's data, and nothing else of it."""
    try:
        found = msgspec.json.decode(data or b"null", type=dict[str, Any] | None) or {}
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return {k: v for k, v in found.items() if k in _IDS and isinstance(v, str)}


def check_kinds(kinds: list[str]) -> tuple[str, ...]:
    """Names of events, each with `:Type` behind it where one type is meant; raises NoSuchEvent."""
    if not 1 <= len(kinds) <= KINDS_MAX:
        raise Invalid(f"One to {KINDS_MAX} kinds of events are named.", place="events")
    everything = {kind for said in SAID.values() for kind in said}
    for name in kinds:
        kind, has_type, about = name.partition(":")
        if kind not in everything or (has_type and about not in resource_types()):
            raise NoSuchEvent(f"There is no event {name[:80]!r}.", place="events")
    return tuple(dict.fromkeys(kinds))


def envelope(told: Said, base: str) -> bytes:
    """A CloudEvent 1.0, the same bytes at each attempt; `base` is the address of this house."""
    source = f"{base}/{told.source}" if base else f"urn:polyclinic:{told.source}"
    value = {
        "specversion": "1.0",
        "id": str(told.event),
        "source": source,
        "type": f"org.polyclinic.{told.source}.{told.kind}.v1",
        "subject": told.subject,
        "time": told.at,
        "datacontenttype": "application/json",
        "data": msgspec.Raw(told.data),
    }
    return msgspec.json.encode(value)
