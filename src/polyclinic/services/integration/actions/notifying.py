"""Subscribers are told: what fits their criteria and what their client may see, at that moment.

Whether it fits is asked of the owner of the resource with a token of the subscriber's own client
(decisions/0020), at each attempt: a right that ended in between ends the telling, too.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from polyclinic.fhirserver.rest.answer import instant
from polyclinic.fhirserver.store.draft import Draft
from polyclinic.foundation import clock, ids, telemetry
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Forbidden, Invalid, Problem, Unavailable
from polyclinic.services.integration.actions import sealing
from polyclinic.services.integration.actions.delivering import Sent
from polyclinic.services.integration.actions.state import OWN_NAME, Engine
from polyclinic.services.integration.domain import subscriptions, telling
from polyclinic.services.integration.domain.destinations import (
    Destination,
    Particulars,
    Subscribed,
)
from polyclinic.services.integration.domain.retrying import SCHEDULE
from polyclinic.services.integration.domain.subscriptions import (
    HANDSHAKE,
    HEARTBEAT,
    NOTIFICATION,
    Event,
    State,
)
from polyclinic.services.integration.store import deliveries, destinations
from polyclinic.services.integration.store import subscriptions as rows
from polyclinic.services.integration.store.deliveries import Delivery
from polyclinic.standards.fhir import codec

SUBSCRIPTION = "subscription"
FHIR = "application/fhir+json"
WITHDRAWN = "withdrawn"
Resource = dict[str, Any]


async def look(
    engine: Engine, subscribed: Subscribed, more: Sequence[tuple[str, str]]
) -> list[Resource]:
    """What fits the criteria, as the subscriber's client sees it; raises Forbidden if withdrawn."""
    token = await engine.running.tokens.for_delegation(subscribed.handle)
    return await engine.looking.search(subscribed.kind, [*subscribed.pairs, *more], token)


async def send(engine: Engine, destination: Destination, sealed: bytes, told: Delivery) -> Sent:
    """One notification. What does not fit, or may not be seen, is skipped without a trace."""
    particulars = await sealing.unseal(engine, destination.id, sealed)
    assert particulars.subscribed is not None
    try:
        event = await _event(engine, destination, particulars.subscribed, told)
    except Forbidden:
        await _withdraw(engine, destination)
        return Sent(0, reason=WITHDRAWN)
    except Invalid:
        return Sent(0, reason="criteria")
    if event is None:
        return Sent(0, skip=True)
    body = await _body(engine, destination, particulars, told, event)
    headers = dict(particulars.headers)
    if body:
        headers["content-type"] = FHIR
    answered = await engine.outward.post(particulars.url, headers, body)
    return Sent(answered.status, answered.retry_after)


async def _event(
    engine: Engine, destination: Destination, subscribed: Subscribed, told: Delivery
) -> Event | None:
    """The event with its number; one that was numbered keeps it, though nothing may be told."""
    at = instant(told.told.at)
    if told.told.source == "integration":
        return Event(0, at)
    found: list[Resource] = []
    if told.told.about.startswith(f"{subscribed.kind}/"):
        found = await look(engine, subscribed, [("_id", told.told.about.partition("/")[2])])
    if not found and told.said is None:
        return None
    async with engine.running.database.transaction() as tx:
        number = await rows.number(tx, destination.id, told.id, engine.courier.me)
    if number is None:
        raise Unavailable("Another process has taken this over.")
    return _shaped(subscribed, number, at, found[0] if found else None)


def _shaped(subscribed: Subscribed, number: int, at: str, found: Resource | None) -> Event:
    if found is None or subscribed.content == "empty":
        return Event(number, at)
    focus = f"{found['resourceType']}/{found['id']}"
    return Event(number, at, focus, found if subscribed.content == "full-resource" else None)


async def _body(
    engine: Engine, destination: Destination, particulars: Particulars, told: Delivery, event: Event
) -> bytes:
    subscribed = particulars.subscribed
    if subscribed is None or subscribed.plain:
        return b""
    [state] = await states(engine, destination.id, particulars)
    kinds = {"Handshake": HANDSHAKE, "Heartbeat": HEARTBEAT}
    kind = kinds.get(told.told.kind, NOTIFICATION)
    # A subscriber that is told something is one that works.
    status = state.status if kind == HANDSHAKE else "active"
    said = event.number or state.said
    now = State(state.name, status, said, state.topic)
    public = engine.running.platform.public_url
    base = f"{public}/fhir" if public else ""
    events = [event] if event.number else []
    bundle = subscriptions.notification(now, kind, events, instant(clock.now()), base)
    return codec.encode(bundle)


async def states(engine: Engine, name: UUID, particulars: Particulars) -> list[State]:
    topic = particulars.subscribed.topic if particulars.subscribed else ""
    found = await rows.find(engine.running.database, [name])
    return [State(str(r["id"]), r["status"], r["said"], topic, r["error"]) for r in found]


async def again(
    engine: Engine, destination: Destination, particulars: Particulars, told: list[Resource]
) -> list[Event]:
    """Events that were numbered, with what their subscriber may see of them today."""
    subscribed = particulars.subscribed
    assert subscribed is not None
    names = [each["subject"].split("/")[1] for each in told]
    found: dict[str, Resource] = {}
    if names and destination.status == "active":
        ask = [("_id", ",".join(dict.fromkeys(names))), ("_count", "1000")]
        found = {each["id"]: each for each in await look(engine, subscribed, ask)}
    return [
        _shaped(subscribed, each["said"], instant(each["at"]), found.get(name))
        for each, name in zip(told, names, strict=True)
    ]


async def ended(engine: Engine, tx: Transaction, destination: Destination, failures: int) -> None:
    """An answer makes it active; a failure an error; ten of them in a row turn it off."""
    if not failures:
        await rows.well(tx, destination.id)
        return
    off = failures >= len(SCHEDULE)
    await rows.failed(tx, destination.id, "The endpoint does not answer as it should.", off=off)
    if off:
        await engine.courier.disable(tx, destination, "failing")


async def _withdraw(engine: Engine, destination: Destination) -> None:
    """Whoever may not look any more is not told any more."""
    async with engine.running.database.transaction() as tx:
        await destinations.lock(tx, destination.id)
        await engine.courier.disable(tx, destination, WITHDRAWN)
        await rows.off(tx, destination.id, "The client may not ask for this any more.")


async def beat(engine: Engine) -> None:
    """Heartbeats for those that heard nothing for a while; those whose time is over are off."""
    database = engine.running.database
    for name in await rows.silent(database):
        subject = f"Subscription/{name}"
        beat = telling.said(
            ids.new_uuid(), ("integration", "Heartbeat", subject), clock.now(), b"{}"
        )
        await deliveries.tell_one(database, name, beat)
    for name in await rows.over(database):
        async with database.transaction() as tx:
            await destinations.disable(tx, name, "over")
            await rows.off(tx, name, "")


async def show(engine: Engine) -> None:
    """Brings the FHIR resource to what is so: requested, active, error, off."""
    for row in await rows.unshown(engine.running.database):
        try:
            await _show(engine, row)
        except Problem as problem:
            telemetry.log("subscription not shown", error=type(problem).__name__)


async def _show(engine: Engine, row: dict[str, Any]) -> None:
    store, errand = engine.server.store, engine.server.errand(OWN_NAME)
    grant = errand.access.to("u", "Subscription")
    document = await store.read(errand, grant, "Subscription", str(row["id"]))
    assert document.body is not None
    resource = codec.decode_kept(document.body)
    resource["status"] = row["status"]
    resource.pop("error", None)
    if row["error"]:
        resource["error"] = row["error"]
    draft = Draft(errand, grant, "Subscription", str(row["id"]), resource, document.version)
    store.drafting.index(draft)
    async with engine.running.database.transaction() as tx:
        await store.apply(tx, [draft])
        await rows.shown(tx, row["id"], row["status"])
