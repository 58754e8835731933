"""HL7 v2 to other systems: the events that webhooks tell of, as ADT, SIU and ORU over MLLP.

What came in from a system is not sent back to it: the lineage of messages says which version each
made. While a message of its channels is not worked off, nobody knows yet, and the event waits.
"""

import ssl
from typing import Any
from uuid import UUID

import msgspec

from polyclinic.foundation import ids, telemetry
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Invalid, NotFound, Unavailable
from polyclinic.foundation.starting import CannotStart
from polyclinic.services.integration.actions import sealing
from polyclinic.services.integration.actions.delivering import Sent
from polyclinic.services.integration.actions.state import Engine
from polyclinic.services.integration.domain import speaking
from polyclinic.services.integration.domain.destinations import ACTIVE, Destination, Particulars
from polyclinic.services.integration.gateways.lines import client_context, url_of
from polyclinic.services.integration.gateways.mllp import NoAnswer
from polyclinic.services.integration.gateways.outward import Unreachable
from polyclinic.services.integration.settings import IntegrationSettings
from polyclinic.services.integration.store import deliveries, destinations, origins
from polyclinic.services.integration.store.deliveries import Delivery
from polyclinic.standards.hl7v2 import Header, Message

HL7V2 = "hl7v2"
RESULTS_MAX = 200
Resource = dict[str, Any]


class NewSystem(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A system that hears messages: where it listens, of which kinds, and what it sends us by.

    With `acknowledgements` it may have no kinds: it hears the second acknowledgements of channels
    that name it.
    """

    host: str
    port: int
    messages: list[str]
    application: str
    facility: str = ""
    tls: bool = True
    channels: list[str] = []
    acknowledgements: bool = False
    name: str = ""


async def create(engine: Engine, caller: Caller, asked: NewSystem) -> dict[str, Any]:
    engine.outward.check(url_of(asked.host, asked.port, tls=asked.tls))
    is_empty = not asked.messages and not asked.acknowledgements
    if is_empty or not set(asked.messages) <= speaking.EVENTS.keys():
        raise Invalid(f"Messages are of {', '.join(speaking.EVENTS)}.", place="messages")
    kinds = tuple(event for each in asked.messages for event in speaking.EVENTS[each])
    name = ids.new_uuid()
    particulars = Particulars(
        name=asked.name,
        url="https" if asked.tls else "http",
        host=asked.host,
        port=asked.port,
        application=asked.application,
        facility=asked.facility,
        channels=asked.channels,
    )
    sealed = await sealing.seal(engine, name, particulars)
    new = (name, HL7V2, kinds, sealed, caller.subject)
    await destinations.add(engine.running.database, new, ACTIVE)
    telemetry.log("hl7 destination made", account=caller.subject)
    return await shown(engine, name)


async def listed(engine: Engine) -> list[dict[str, Any]]:
    found = await destinations.listed(engine.running.database, HL7V2)
    return [await shown(engine, each.id) for each, _ in found]


async def shown(engine: Engine, name: UUID) -> dict[str, Any]:
    found = await destinations.find(engine.running.database, name)
    if found is None or found[0].kind != HL7V2:
        raise NotFound("There is no such system.", place="destination")
    particulars = await sealing.unseal(engine, name, found[1])
    counts = await deliveries.counts(engine.running.database, [name])
    return {
        "id": str(name),
        "name": particulars.name,
        "host": particulars.host,
        "port": particulars.port,
        "tls": particulars.url == "https",
        "application": particulars.application,
        "facility": particulars.facility,
        "channels": particulars.channels,
        "events": list(found[0].kinds),
        "status": found[0].status,
        "reason": found[0].reason,
        "failures": found[0].failures,
        "counts": counts[name],
    }


async def send(engine: Engine, destination: Destination, sealed: bytes, told: Delivery) -> Sent:
    """One message. AE and AR end it: the same again would be refused again."""
    particulars = await sealing.unseal(engine, destination.id, sealed)
    if await _came_from_there(engine, particulars, told):
        return Sent(0, skip=True)
    # Number and time are the same at each attempt: by them a receiver knows what it has.
    control_id = f"PC{told.number}"
    receiver = (particulars.application, particulars.facility)
    message = await _message(engine, told, speaking.header(receiver, control_id, told.told.at))
    if message is None:
        return Sent(0, skip=True)
    return await tell(engine, particulars, message.write(), control_id)


async def _came_from_there(engine: Engine, particulars: Particulars, told: Delivery) -> bool:
    if not particulars.channels:
        return False
    database, version = engine.running.database, told.told.subject.rpartition("/")[2]
    if await origins.caused(database, told.told.about, version, particulars.channels):
        return True
    if await origins.unsure(database, particulars.channels, told.told.at):
        raise Unavailable("A message of that system is still being worked on.")
    return await origins.caused(database, told.told.about, version, particulars.channels)


async def _message(engine: Engine, told: Delivery, head: Header) -> Message | None:
    """A snapshot of what is kept at this moment; none where there is nothing to say."""
    kind, _, _ = told.told.about.partition("/")
    found = await _read(engine, told.told.about)
    if found is None:
        return None
    is_new = told.told.kind == "ResourceCreated"
    if kind == "Patient":
        return speaking.person(found, head, is_new=is_new)
    patient = await _read(engine, _patient_of(found))
    if kind == "Appointment":
        return speaking.appointment(found, patient, head, is_new=is_new)
    if found.get("status") not in speaking.SPOKEN:
        return None
    results = found.get("result", [])[:RESULTS_MAX]
    names = [str(each.get("reference", "")) for each in results]
    read = [await _read(engine, name) for name in names if name.startswith("Observation/")]
    return speaking.report(found, patient, [each for each in read if each is not None], head)


async def _read(engine: Engine, reference: str) -> Resource | None:
    """In integration's own name: what may be said to a system was decided with its destination."""
    kind, _, name = reference.partition("/")
    if not name or kind not in engine.running.elsewhere:
        return None
    token = await engine.running.tokens.for_documents()
    found = await engine.looking.search(kind, [("_id", name)], token)
    return found[0] if found else None


def _patient_of(found: Resource) -> str:
    actors = [each.get("actor") or {} for each in found.get("participant") or ()]
    for each in (found.get("subject") or {}, *actors):
        if str(each.get("reference", "")).startswith("Patient/"):
            return each["reference"]
    return ""


async def tell(engine: Engine, particulars: Particulars, message: bytes, control_id: str) -> Sent:
    is_tls = particulars.url == "https"
    line = engine.lines.to(particulars.host, particulars.port, tls=is_tls)
    try:
        said = await line.send(message, control_id)
    except NoAnswer as lost:
        raise Unreachable(place="no acknowledgement") from lost
    if said.verdict == "again":
        return Sent(503, reason=said.code)
    return Sent(200 if said.verdict == "accepted" else 400, reason=said.code,
                refused=said.verdict == "refused")  # fmt: skip


def trusted(settings: IntegrationSettings) -> ssl.SSLContext:
    """How listeners are trusted, and what they are shown; raises CannotStart."""
    certificate, key = settings.mllp_outward_certificate, settings.mllp_outward_key
    if bool(certificate) != bool(key):
        text = "A certificate for systems that hear HL7 v2 needs its key, and the key it."
        raise CannotStart(text, place="POLYCLINIC_INTEGRATION_MLLP_OUTWARD_CERTIFICATE")
    try:
        return client_context(settings.mllp_outward_authority, certificate, key)
    except OSError as unread:
        text = "The certificate files for systems that hear HL7 v2 cannot be read."
        raise CannotStart(text, place="POLYCLINIC_INTEGRATION_MLLP_OUTWARD_AUTHORITY") from unread
