"""Webhooks: who gets told by HTTP, with a secret that is shown once."""

import os
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from polyclinic.foundation import clock, ids, telemetry
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Conflict, Invalid, NotFound
from polyclinic.services.integration.actions import sealing
from polyclinic.services.integration.actions.delivering import Sent
from polyclinic.services.integration.actions.state import Engine
from polyclinic.services.integration.domain import signing, telling
from polyclinic.services.integration.domain.destinations import (
    ACTIVE,
    Destination,
    Particulars,
    Secret,
)
from polyclinic.services.integration.store import deliveries, destinations
from polyclinic.services.integration.store.deliveries import NUMBER_MAX, Delivery

WEBHOOK = "webhook"
KINDS = (WEBHOOK, "hl7v2")  # systems that hear HL7 v2 are replayed, disabled and listed alike
STATES = ("waiting", "sent", "skipped", "dead")
LISTED_MAX = 200
_EVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))


class NoSuchWebhook(NotFound):
    """There is no such webhook."""


class NewWebhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An address and the kinds of events that it is told of."""

    url: str
    events: list[str]
    name: str = ""
    scheme: str = "v1"


class Rotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how many hours the old secret signs as well."""

    hours: int = 24


class Replay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which deliveries are sent again: of which states, of events between two moments."""

    states: tuple[str, ...] = ("dead",)
    after: datetime | None = None
    before: datetime | None = None
    dry_run: bool = False


async def create(engine: Engine, caller: Caller, asked: NewWebhook) -> dict[str, Any]:
    """The only answer that holds the secret."""
    engine.outward.check(asked.url)
    if len(asked.name) > 200:
        raise Invalid("A name has at most 200 characters.", place="name")
    kinds = telling.check_kinds(asked.events)
    secret = signing.new_secret(asked.scheme, os.urandom(signing.SECRET_BYTES))
    name = ids.new_uuid()
    particulars = Particulars(url=asked.url, name=asked.name, secrets=[Secret(secret)])
    sealed = await sealing.seal(engine, name, particulars)
    new = (name, WEBHOOK, kinds, sealed, caller.subject)
    await destinations.add(engine.running.database, new, ACTIVE)
    telemetry.log("webhook made", account=caller.subject)
    made, _ = await _need(engine, name)
    return {**_shown(made, particulars), "secret": signing.shown(secret)}


async def listed(engine: Engine) -> list[dict[str, Any]]:
    found = await destinations.listed(engine.running.database, WEBHOOK)
    counts = await deliveries.counts(engine.running.database, [each.id for each, _ in found])
    return [
        {**_shown(each, await sealing.unseal(engine, each.id, sealed)), "counts": counts[each.id]}
        for each, sealed in found
    ]


async def shown(engine: Engine, name: UUID) -> dict[str, Any]:
    found, particulars = await _need(engine, name)
    counts = await deliveries.counts(engine.running.database, [name])
    return {**_shown(found, particulars), "counts": counts[name]}


async def ping(engine: Engine, name: UUID) -> dict[str, Any]:
    """Sends a test event through the same queue, with the same signature."""
    await _need(engine, name, (WEBHOOK,))
    said = telling.said(
        ids.new_uuid(), ("integration", telling.PING, f"Webhook/{name}"), clock.now(), b"{}"
    )
    delivery = await deliveries.tell_one(engine.running.database, name, said)
    engine.courier.wake.set()
    return {"delivery": str(delivery)}


async def rotate(engine: Engine, name: UUID, asked: Rotation) -> dict[str, Any]:
    """A new secret, shown once; for some hours each message carries both signatures."""
    found, particulars = await _need(engine, name, (WEBHOOK,))
    current = particulars.signing(clock.now())[0]
    scheme = "v1a" if current.startswith("whsk_") else "v1"
    fresh = signing.new_secret(scheme, os.urandom(signing.SECRET_BYTES))
    changed = particulars.rotated(fresh, clock.now(), asked.hours)
    sealed = await sealing.seal(engine, name, changed)
    if not await destinations.change(
        engine.running.database, name, found.version, found.kinds, sealed
    ):
        raise Conflict("Somebody else has just changed this webhook.")
    return {"id": str(name), "secret": signing.shown(fresh)}


async def disable(engine: Engine, name: UUID) -> dict[str, Any]:
    """Nothing more is sent or kept for it; what waits stays."""
    await _need(engine, name)
    await destinations.disable(engine.running.database, name, "by hand")
    return await shown(engine, name)


async def enable(engine: Engine, name: UUID) -> dict[str, Any]:
    """Events from now on, and what still waits."""
    await _need(engine, name)
    async with engine.running.database.transaction() as tx:
        await destinations.enable(tx, name)
        await deliveries.all_now(tx, name)
    engine.courier.wake.set()
    return await shown(engine, name)


async def remove(engine: Engine, name: UUID) -> None:
    """It is gone with its deliveries and their log."""
    await _need(engine, name)
    await destinations.remove(engine.running.database, name)


async def log(engine: Engine, name: UUID, state: str, before: int, most: int) -> dict[str, Any]:
    """Deliveries, newest first, each with its attempts."""
    await _need(engine, name)
    if state and state not in STATES:
        raise Invalid(f"A state is one of {', '.join(STATES)}.", place="state")
    rows = await deliveries.listed(
        engine.running.database, name, state, before or NUMBER_MAX, min(most, LISTED_MAX)
    )
    return {"deliveries": rows}


async def replay(engine: Engine, name: UUID, asked: Replay) -> dict[str, Any]:
    """Sends many again, under the ids that they had; a dry run only counts."""
    await _need(engine, name)
    if not asked.states or not set(asked.states) <= {"dead", "sent"}:
        raise Invalid("What is sent again was dead or sent.", place="states")
    between = (asked.after or _EVER[0], asked.before or _EVER[1])
    if any(each.tzinfo is None for each in between):
        raise Invalid("A moment has an offset from UTC.", place="after")
    if asked.dry_run:
        would = await deliveries.would_replay(engine.running.database, name, asked.states, between)
        return {"would_replay": would}
    async with engine.running.database.transaction() as tx:
        await destinations.lock(tx, name)
        many = await deliveries.replay(tx, name, asked.states, None, between)
    engine.courier.wake.set()
    return {"replayed": many}


async def replay_one(engine: Engine, name: UUID, delivery: UUID) -> dict[str, Any]:
    await _need(engine, name)
    many = await deliveries.replay(engine.running.database, name, ("dead", "sent"), delivery, _EVER)
    if not many:
        raise NotFound("There is no such delivery that has come to an end.", place="delivery")
    engine.courier.wake.set()
    return {"replayed": many}


async def send(engine: Engine, destination: Destination, sealed: bytes, told: Delivery) -> Sent:
    """One attempt: the same id and body each time, signed anew."""
    particulars = await sealing.unseal(engine, destination.id, sealed)
    now = clock.now()
    body = telling.envelope(told.told, engine.running.platform.public_url or "")
    signed = signing.headers(particulars.signing(now), str(told.id), int(now.timestamp()), body)
    headers = {"content-type": telling.MEDIA_TYPE, "user-agent": "polyclinic-webhooks/1"}
    answered = await engine.outward.post(particulars.url, {**headers, **signed}, body)
    return Sent(answered.status, answered.retry_after)


async def _need(
    engine: Engine, name: UUID, kinds: tuple[str, ...] = KINDS
) -> tuple[Destination, Particulars]:
    found = await destinations.find(engine.running.database, name)
    if found is None or found[0].kind not in kinds:
        raise NoSuchWebhook(place="webhook")
    return found[0], await sealing.unseal(engine, name, found[1])


def _shown(found: Destination, particulars: Particulars) -> dict[str, Any]:
    """A webhook without its secrets."""
    return {
        "id": str(found.id),
        "url": particulars.url,
        "name": particulars.name,
        "events": list(found.kinds),
        "status": found.status,
        "reason": found.reason,
        "failures": found.failures,
        "rests_until": found.rests_until if found.failures else None,
        "made": found.made,
        "made_by": found.owner,
    }
