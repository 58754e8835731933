"""Subscriptions of FHIR: read from R4's resource, and the notifications that they bring about.

R4 rest-hook with a search as criteria, and topics as the R5 backport has them for R4:
https://hl7.org/fhir/uv/subscriptions-backport/
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from polyclinic.foundation.errors import Invalid, NotProcessable
from polyclinic.services.integration.domain.destinations import Particulars, Subscribed
from polyclinic.standards.fhir.definitions import resource_types

Resource = dict[str, Any]
BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"
TOPIC_BASE = "https://polyclinic.example/fhir/SubscriptionTopic"
CONTENTS = ("empty", "id-only", "full-resource")
HANDSHAKE, HEARTBEAT, NOTIFICATION, QUERY, QUERY_STATUS = (
    "handshake", "heartbeat", "event-notification", "query-event", "query-status"
)  # fmt: skip
HEARTBEAT_MIN, HEARTBEAT_MAX = 10, 24 * 3600
HEADERS_MAX = 10
KEPT = "(kept)"  # stands in the resource where a header's value is sealed

_HEADER = re.compile(r"([A-Za-z0-9-]{1,64}): ?([!-~][ -~]{0,2000})")
_OURS = frozenset(
    ["host", "content-length", "content-type", "connection", "transfer-encoding", "te", "trailer",
     "upgrade", "expect", "accept-encoding", "cookie", "proxy-authorization"]
)  # fmt: skip
_SEARCH = re.compile(r"([A-Z][A-Za-z]+)\?(.+)")
# These say how an answer looks, not what it is about.
_SHAPE = frozenset(
    ["_sort", "_count", "_include", "_revinclude", "_summary", "_elements", "_total", "_format"]
)


@dataclass(frozen=True, slots=True)
class Topic:
    """Something that one can subscribe to: which events, about which resource, in which state."""

    title: str
    kind: str
    events: tuple[str, ...]
    filters: tuple[str, ...]
    always: tuple[tuple[str, str], ...] = ()


TOPICS = {
    f"{TOPIC_BASE}/appointment-booked": Topic(
        "A patient has a place with a clinician", "Appointment", ("AppointmentBooked",),
        ("patient", "practitioner"),
    ),
    f"{TOPIC_BASE}/appointment-cancelled": Topic(
        "An appointment will not take place", "Appointment", ("AppointmentCancelled",),
        ("patient", "practitioner"),
    ),
    f"{TOPIC_BASE}/result-available": Topic(
        "A report is final, or was corrected", "DiagnosticReport",
        ("ResourceCreated:DiagnosticReport", "ResourceUpdated:DiagnosticReport"),
        ("patient", "code", "category"), (("status", "final,amended,corrected,appended"),),
    ),
    f"{TOPIC_BASE}/patient-changed": Topic(
        "A patient is new or was changed", "Patient",
        ("ResourceCreated:Patient", "ResourceUpdated:Patient"), ("_id",),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """A Subscription as it was asked for."""

    particulars: Particulars
    subscribed: Subscribed
    events: tuple[str, ...]


def read(resource: Resource, before: Particulars | None = None) -> Wanted:
    """What a Subscription asks for; raises Invalid with the place."""
    channel = resource.get("channel") or {}
    if channel.get("type") != "rest-hook":
        raise NotProcessable("Only rest-hook is offered.", place="Subscription.channel.type")
    criteria: str = resource["criteria"]
    topic = TOPICS.get(criteria)
    if topic is None and ("://" in criteria or criteria.startswith("urn:")):
        raise NotProcessable("There is no such topic here.", place="Subscription.criteria")
    kind, pairs = (
        (topic.kind, _filtered(topic, resource)) if topic is not None else _searched(criteria)
    )
    events = (
        topic.events
        if topic is not None
        else (f"ResourceCreated:{kind}", f"ResourceUpdated:{kind}")
    )
    payload = channel.get("payload")
    content = _content(channel)
    subscribed = Subscribed(
        kind=kind,
        pairs=pairs,
        topic=criteria if topic is not None else "",
        content=content or "id-only",
        plain=topic is None and payload is None and content is None,
        heartbeat=_heartbeat(channel),
    )
    headers = _headers(channel.get("header") or [], before)
    url = channel.get("endpoint") or ""
    return Wanted(Particulars(url=url, headers=headers), subscribed, events)


def shown(resource: Resource) -> Resource:
    """As it is kept and shown: values of headers are sealed elsewhere."""
    channel = dict(resource["channel"])
    if channel.get("header"):
        channel["header"] = [f"{line.partition(':')[0]}: {KEPT}" for line in channel["header"]]
    return {**resource, "channel": channel, "status": "requested"}


def _searched(criteria: str) -> tuple[str, list[tuple[str, str]]]:
    match = _SEARCH.fullmatch(criteria)
    if match is None or match[1] not in resource_types():
        raise Invalid(
            "Criteria are a search such as Observation?code=…, or a topic.",
            place="Subscription.criteria",
        )
    return match[1], _pairs(match[2], None)


def _filtered(topic: Topic, resource: Resource) -> list[tuple[str, str]]:
    found = list(topic.always)
    for text in _extensions(resource.get("_criteria"), "backport-filter-criteria"):
        match = _SEARCH.fullmatch(str(text))
        if match is None or match[1] != topic.kind:
            raise Invalid(
                f"A filter of this topic is {topic.kind}?{topic.filters[0]}=…",
                place="Subscription.criteria",
            )
        found += _pairs(match[2], topic.filters)
    return found


def _pairs(query: str, allowed: tuple[str, ...] | None) -> list[tuple[str, str]]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True)
    except ValueError as bad:
        raise Invalid("The criteria cannot be read.", place="Subscription.criteria") from bad
    for name, _ in pairs:
        bare = name.partition(":")[0]
        if bare in _SHAPE or (allowed is not None and bare not in allowed):
            raise Invalid(f"{bare[:64]} is no criterion here.", place="Subscription.criteria")
    return pairs


def _content(channel: Resource) -> str | None:
    found = _extensions(channel.get("_payload"), "backport-payload-content")
    if not found:
        return None
    if found[0] not in CONTENTS:
        raise Invalid("That is no kind of content.", place="Subscription.channel.payload")
    return str(found[0])


def _heartbeat(channel: Resource) -> int:
    found = _extensions(channel, "backport-heartbeat-period")
    if not found:
        return 0
    if not isinstance(found[0], int) or not HEARTBEAT_MIN <= found[0] <= HEARTBEAT_MAX:
        raise Invalid(
            f"A heartbeat comes every {HEARTBEAT_MIN} to {HEARTBEAT_MAX} seconds.",
            place="Subscription.channel.extension",
        )
    return found[0]


def _extensions(element: object, name: str) -> list[object]:
    """The values of one extension of the backport."""
    found = element.get("extension") if isinstance(element, dict) else None
    return [
        next((value for key, value in each.items() if key.startswith("value")), None)
        for each in found or []
        if each.get("url") == f"{BACKPORT}/{name}"
    ]


def _headers(lines: Sequence[str], before: Particulars | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        match = _HEADER.fullmatch(line)
        if match is None or match[1].lower() in _OURS or len(found) >= HEADERS_MAX:
            raise Invalid("That header cannot be sent.", place="Subscription.channel.header")
        name, value = match[1], match[2]
        if value == KEPT and before is not None:
            value = before.headers.get(name, "")
        found[name] = value
    return found


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a notification tells of; `focus` is empty where it is not to be told."""

    number: int
    at: str
    focus: str = ""
    resource: Resource | None = None


@dataclass(frozen=True, slots=True)
class State:
    """A subscription at a moment."""

    name: str
    status: str
    said: int
    topic: str = ""
    error: str = ""


def notification(state: State, kind: str, events: Sequence[Event], now: str, base: str) -> Resource:
    """A Bundle as the backport has it for R4: history, the status first."""
    first: Resource = {
        "fullUrl": f"urn:uuid:{state.name}",
        "resource": status(state, kind, events, base),
        "request": {"method": "GET", "url": f"Subscription/{state.name}/$status"},
        "response": {"status": "200"},
    }
    entries = [first, *(_entry(each, base) for each in events if each.focus)]
    return {"resourceType": "Bundle", "type": "history", "timestamp": now, "entry": entries}


def _entry(event: Event, base: str) -> Resource:
    entry: Resource = {"fullUrl": f"{base}/{event.focus}"} if base else {}
    if event.resource is not None:
        entry["resource"] = event.resource
    return {
        **entry,
        "request": {"method": "PUT", "url": event.focus},
        "response": {"status": "200"},
    }


def status(state: State, kind: str, events: Sequence[Event], base: str) -> Resource:
    """SubscriptionStatus as R4's Parameters."""
    name = f"Subscription/{state.name}"
    parameters: list[Resource] = [
        {
            "name": "subscription",
            "valueReference": {"reference": f"{base}/{name}" if base else name},
        },
        {"name": "status", "valueCode": state.status},
        {"name": "type", "valueCode": kind},
        {"name": "eventsSinceSubscriptionStart", "valueString": str(state.said)},
    ]
    if state.topic:
        parameters.insert(1, {"name": "topic", "valueCanonical": state.topic})
    if state.error:
        parameters.append({"name": "error", "valueCodeableConcept": {"text": state.error}})
    parameters += [{"name": "notificationEvent", "part": _parts(each)} for each in events]
    return {
        "resourceType": "Parameters",
        "id": state.name,
        "meta": {"profile": [f"{BACKPORT}/backport-subscription-status-r4"]},
        "parameter": parameters,
    }


def _parts(event: Event) -> list[Resource]:
    parts: list[Resource] = [
        {"name": "eventNumber", "valueString": str(event.number)},
        {"name": "timestamp", "valueInstant": event.at},
    ]
    if event.focus:
        parts.append({"name": "focus", "valueReference": {"reference": event.focus}})
    return parts
