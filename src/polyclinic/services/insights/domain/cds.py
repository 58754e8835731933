"""CDS Hooks 2.0: which services there are, what a call must say, and whose chart it brings along.

https://cds-hooks.hl7.org/2.0/
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from polyclinic.foundation.errors import Invalid, NotFound, Stale
from polyclinic.services.insights.domain.asking import COUNT

Json = dict[str, Any]
RESOURCES_MAX, VISITS_MAX = 5000, 20
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}", re.ASCII)
_USER = re.compile(
    r"(?:Practitioner|PractitionerRole|Patient|RelatedPerson)/[A-Za-z0-9.-]{1,64}", re.ASCII
)
# What scores are made of, as an EHR may send it along; it may leave any of them to us.
PREFETCH = {
    "patient": "Patient/{{context.patientId}}",
    "observations": "Observation?patient={{context.patientId}}&_sort=-date&_count=500",
    "conditions": "Condition?patient={{context.patientId}}&_count=500",
    "medications": "MedicationRequest?patient={{context.patientId}}&_count=500",
    "encounters": "Encounter?patient={{context.patientId}}&_sort=-date&_count=200",
    "statements": "MedicationStatement?patient={{context.patientId}}&_count=500",
    "questionnaires": (
        "QuestionnaireResponse?patient={{context.patientId}}&_sort=-authored&_count=100"
    ),
    "lists": "List?patient={{context.patientId}}&_count=100",
}
# Many EHRs keep none of these types, and would be told nothing at all if they had to.
NOT_EVERYWHERE = frozenset({"statements", "questionnaires", "lists"})
# Of these what is on a further page is older still. A list that is cut says nothing by its silence.
_NEWEST_FIRST = tuple(key for key, url in PREFETCH.items() if "&_sort=-" in url)


class NoService(NotFound):
    """There is no such CDS service."""


class NotHad(Stale):
    """The data that this needs were neither sent along nor can be read."""

    code = "incomplete"


@dataclass(frozen=True, slots=True)
class Offered:
    """One service: a hook, and which scores it speaks of (none: of all)."""

    id: str
    hook: str
    title: str
    description: str
    methods: frozenset[str] | None = None
    # Learned models are named by clinics; what bears on a moment is what they foretell.
    tasks: frozenset[str] = frozenset()

    def described(self) -> Json:
        return {
            "id": self.id,
            "hook": self.hook,
            "title": self.title,
            "description": self.description,
            "prefetch": PREFETCH,
        }


SERVICES = {
    each.id: each
    for each in (
        Offered(
            "polyclinic-risks",
            "patient-view",
            "Risks and the next step",
            "The most useful next steps by published scores, with their reasons and sources.",
        ),
        Offered(
            "polyclinic-orders",
            "order-sign",
            "What a score says of these orders",
            "Speaks up where a score bears on a medicine that is about to be ordered.",
        ),
        Offered(
            "polyclinic-visits",
            "appointment-book",
            "Who needs support to come, or to stay well after a stay",
            "Proposes support with a visit; it never proposes to book somebody twice.",
            frozenset({"lace"}),
            frozenset({"no-show", "readmission-30d", "readmission-30d-diabetes"}),
        ),
    )
}


class Call(msgspec.Struct, frozen=True):
    """A call as it comes; what is not named here is left aside, as the specification asks."""

    hook: str
    hookInstance: str  # noqa: N815 - the specification's own words
    context: dict[str, Any]
    fhirServer: str = ""  # noqa: N815
    fhirAuthorization: dict[str, Any] | None = None  # noqa: N815
    prefetch: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that was checked: the patient's id, who looks, and what is drafted: orders, visits."""

    service: Offered
    patient: str
    user: str
    orders: tuple[Json, ...]
    visits: tuple[Json, ...] = ()


def service(name: str) -> Offered:
    found = SERVICES.get(name)
    if found is None:
        raise NoService(place="id")
    return found


def checked(name: str, call: Call) -> Asked:
    """Raises Invalid, naming the place, where a call does not say what its hook must say."""
    offered = service(name)
    if call.hook != offered.hook:
        raise Invalid(f"This service answers {offered.hook}.", place="hook")
    try:
        UUID(call.hookInstance)
    except ValueError:
        raise Invalid("A UUID.", place="hookInstance") from None
    patient, user = call.context.get("patientId"), call.context.get("userId")
    if not (isinstance(patient, str) and _ID.fullmatch(patient)):
        raise Invalid("The patient's id.", place="context.patientId")
    if not (isinstance(user, str) and _USER.fullmatch(user)):
        raise Invalid("Who looks, such as Practitioner/42.", place="context.userId")
    drafts = _drafts(call, {"order-sign": "draftOrders", "appointment-book": "appointments"})
    is_visit = call.hook == "appointment-book"
    return Asked(offered, patient, user, () if is_visit else drafts, drafts if is_visit else ())


def _drafts(call: Call, places: Mapping[str, str]) -> tuple[Json, ...]:
    name = places.get(call.hook)
    if name is None:
        return ()
    bundle = call.context.get(name)
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise Invalid("A Bundle.", place=f"context.{name}")
    return tuple(_entries(bundle, f"context.{name}"))


def planned(visits: Sequence[Json], now: datetime) -> list[Json]:
    """Visits that are about to be booked, as they will stand once they are: made now."""
    return [
        {
            "resourceType": "Appointment",
            "id": f"drafted-{number}",
            "status": "booked",
            "start": each.get("start"),
            "created": now.isoformat(),
        }
        for number, each in enumerate(visits[:VISITS_MAX])
        if each.get("resourceType") == "Appointment"
    ]


def sent(call: Call) -> tuple[dict[str, list[Json]], list[str]]:
    """What a call brought along by prefetch key, and the keys of what it did not.

    `null` says that there is nothing; an OperationOutcome says that the EHR could not read it, and
    a link to a next page that there is more than was sent.
    """
    brought: dict[str, list[Json]] = {}
    lacking: list[str] = []
    total = 0
    for key in PREFETCH:
        given = (call.prefetch or {}).get(key, msgspec.UNSET)
        if given is None:
            brought[key] = []
        elif given is msgspec.UNSET or _is_outcome(given) or is_cut(key, given):
            lacking.append(key)
        elif isinstance(given, dict):
            brought[key] = list(_resources(given, f"prefetch.{key}"))
            total += len(brought[key])
        else:
            raise Invalid("A resource, a Bundle or null.", place=f"prefetch.{key}")
    if total > RESOURCES_MAX:
        raise Invalid(f"At most {RESOURCES_MAX} resources.", place="prefetch")
    return brought, lacking


def _is_outcome(given: Any) -> bool:
    return isinstance(given, dict) and given.get("resourceType") == "OperationOutcome"


def url_of(key: str, patient: str) -> str:
    """Where we read it ourselves: as long a page as a door of this platform gives."""
    url = PREFETCH[key].replace("{{context.patientId}}", patient)
    return re.sub(r"_count=\d+", f"_count={COUNT}", url)


def is_cut(key: str, bundle: Any) -> bool:
    """Whether a Bundle is only the first page of a list that has to be whole."""
    links = bundle.get("link") if isinstance(bundle, dict) else None
    return key not in _NEWEST_FIRST and any(
        isinstance(each, dict) and each.get("relation") == "next"
        for each in (links if isinstance(links, list) else ())
    )


def may_lack(key: str, call: Call) -> bool:
    """Whether an answer can do without it: not where it was sent and is not whole."""
    given = (call.prefetch or {}).get(key)
    return key in NOT_EVERYWHERE and (given is None or _is_outcome(given))


def _resources(given: Json, place: str) -> Iterator[Json]:
    if given.get("resourceType") == "Bundle":
        yield from _entries(given, place)
    elif isinstance(given.get("resourceType"), str):
        yield given
    else:
        raise Invalid("A resource, a Bundle or null.", place=place)


def _entries(bundle: Json, place: str) -> Iterator[Json]:
    entries = bundle.get("entry") or []
    if not isinstance(entries, list):
        raise Invalid("A list.", place=f"{place}.entry")
    for number, entry in enumerate(entries):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict):
            raise Invalid("An entry with a resource.", place=f"{place}.entry[{number}]")
        if resource.get("resourceType") != "OperationOutcome":
            yield resource


def patient_in(brought: Mapping[str, list[Json]], patient: str) -> Json | None:
    """The Patient that was sent, who must be the one of the context."""
    found = brought.get("patient")
    if not found:
        return None
    if found[0].get("resourceType") != "Patient" or found[0].get("id") != patient:
        raise Invalid("The Patient of the context.", place="prefetch.patient")
    return found[0]
