"""Subscription at the FHIR door: asked for, changed, ended; how it stands and what it told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from polyclinic.fhirserver.access import ALL_LABELS, Grant, bits
from polyclinic.fhirserver.rest.answer import Answer, instant
from polyclinic.fhirserver.rest.registered import Operation, Registered, Write
from polyclinic.fhirserver.store.draft import Draft
from polyclinic.fhirserver.store.store import Outcome
from polyclinic.foundation import clock, ids
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Forbidden, Invalid, NotFound, NotProcessable, Problem
from polyclinic.services.integration.actions import notifying, sealing
from polyclinic.services.integration.actions.state import Engine, calling
from polyclinic.services.integration.domain import subscriptions, telling
from polyclinic.services.integration.domain.destinations import ACTIVE, Destination, Particulars
from polyclinic.services.integration.domain.subscriptions import QUERY, QUERY_STATUS, Wanted
from polyclinic.services.integration.store import deliveries, destinations
from polyclinic.services.integration.store import subscriptions as rows
from polyclinic.standards.fhir import codec
from polyclinic.standards.fhir.dates import instant as moment_of

KIND = "Subscription"
EVENTS_MAX = 100
OPERATOR_SCOPE = "system/*.cruds"
_ONE = bits(frozenset([KIND]))
OWN_WORD = Grant(types=_ONE, open_types=_ONE, labels=ALL_LABELS, patient=None, practitioner=None)
Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SubscriptionDoor:
    """The FHIR door's way to subscriptions; who calls is told by the route."""

    find: Callable[[], Engine]

    def registered(self) -> Mapping[str, Registered]:
        operations = {"$status": self.status, "$events": self.events}
        return {
            KIND: Registered(
                create=self.create, update=self.update, delete=self.delete, operations=operations
            )
        }

    async def create(self, write: Write) -> Outcome:
        assert write.resource is not None
        wanted = await self._checked(write, None)
        return await self._keep(write, ids.new_uuid(), wanted, None)

    async def update(self, write: Write) -> Outcome:
        """Turned off it rests; anything else begins anew with a handshake, and goes on counting."""
        assert write.resource is not None
        found, before = await self._own(write.id)
        if write.resource.get("status") == "off":
            return await self._turn_off(write, found, before)
        wanted = await self._checked(write, before)
        outcome = await self._keep(write, found.id, wanted, found)
        await self._let_go(before)
        return outcome

    async def delete(self, write: Write) -> Outcome:
        found, before = await self._own(write.id)
        draft = Draft(write.errand, OWN_WORD, KIND, str(found.id), None, write.if_match)
        async with self.find().running.database.transaction() as tx:
            await destinations.remove(tx, found.id)
            outcome = await self._put(tx, draft)
        await self._let_go(before)
        return outcome

    async def status(self, operation: Operation) -> Answer:
        """`$status` of one, or of all that are named by `id`."""
        names = [operation.id] if operation.id else [v for k, v in operation.pairs if k == "id"]
        engine, found = self.find(), list[Resource]()
        for name in names[:100]:
            destination, particulars = await self._own(name)
            [state] = await notifying.states(engine, destination.id, particulars)
            value = subscriptions.status(state, QUERY_STATUS, [], _base(engine))
            found.append({"resource": value, "search": {"mode": "match"}})
        bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(found)}
        return Answer(200, codec.encode({**bundle, **({"entry": found} if found else {})}))

    async def events(self, operation: Operation) -> Answer:
        """`$events`: what was told, by number; a subscriber fills its gaps with it."""
        engine = self.find()
        destination, particulars = await self._own(operation.id)
        given = {**dict(operation.pairs), **_values(operation.parameters)}
        since, until = (_number(given, f"events{word}Number") for word in ("Since", "Until"))
        told = await rows.events(
            engine.running.database, destination.id, since or 1, until or 2**62, EVENTS_MAX
        )
        [state] = await notifying.states(engine, destination.id, particulars)
        events = await notifying.again(engine, destination, particulars, told)
        bundle = subscriptions.notification(
            state, QUERY, events, instant(clock.now()), _base(engine)
        )
        return Answer(200, codec.encode(bundle))

    async def _checked(self, write: Write, before: Particulars | None) -> Wanted:
        """Read, its address looked at, and its criteria tried with the rights it will have."""
        engine, resource = self.find(), write.resource or {}
        if resource.get("status") not in ("requested", "active"):
            raise NotProcessable("A new subscription is requested.", place=f"{KIND}.status")
        wanted = subscriptions.read(resource, before)
        engine.outward.check(wanted.particulars.url)
        granted = engine.settings.full_resource_clients.split(",")
        full = wanted.subscribed.content == "full-resource"
        if full and calling.get().client not in granted:
            text = "Whole resources are sent to clients that the operator named for it."
            raise Forbidden(text, place=f"{KIND}.channel.payload")
        scope = f"system/{wanted.subscribed.kind}.rs"
        handle = await engine.running.tokens.delegation(write.errand.token, scope)
        subscribed = msgspec.structs.replace(wanted.subscribed, handle=handle)
        particulars = msgspec.structs.replace(wanted.particulars, subscribed=subscribed)
        try:
            await notifying.look(engine, subscribed, [("_count", "1")])
        except Problem:
            await self._let_go(particulars)
            raise
        return Wanted(particulars, subscribed, wanted.events)

    async def _keep(
        self, write: Write, name: UUID, wanted: Wanted, before: Destination | None
    ) -> Outcome:
        """The row, the resource and the handshake that is due: together or not."""
        engine, resource = self.find(), write.resource or {}
        sealed = await sealing.seal(engine, name, wanted.particulars)
        draft = Draft(
            write.errand, OWN_WORD, KIND, str(name), subscriptions.shown(resource), write.if_match
        )
        hello = telling.said(
            ids.new_uuid(), ("integration", "Handshake", f"{KIND}/{name}"), clock.now(), b"{}"
        )
        async with engine.running.database.transaction() as tx:
            if before is None:
                new = (name, "subscription", wanted.events, sealed, calling.get().subject)
                await destinations.add(tx, new, ACTIVE)
            else:
                await destinations.change(tx, name, before.version, wanted.events, sealed)
                await destinations.enable(tx, name)
            await rows.put(tx, name, wanted.subscribed.heartbeat, _end(resource))
            await deliveries.tell_one(tx, name, hello)
            outcome = await self._put(tx, draft)
        engine.courier.wake.set()
        return outcome

    async def _turn_off(self, write: Write, found: Destination, before: Particulars) -> Outcome:
        assert write.resource is not None
        value = {**subscriptions.shown(write.resource), "status": "off"}
        draft = Draft(write.errand, OWN_WORD, KIND, str(found.id), value, write.if_match)
        async with self.find().running.database.transaction() as tx:
            await destinations.disable(tx, found.id, "by hand")
            await rows.off(tx, found.id, "")
            await rows.shown(tx, found.id, "off")
            outcome = await self._put(tx, draft)
        await self._let_go(before)
        return outcome

    async def _own(self, name: str | None) -> tuple[Destination, Particulars]:
        """A subscription of the caller's own; operators may deal with all."""
        engine, caller = self.find(), calling.get()
        try:
            found = await destinations.find(engine.running.database, UUID(name or ""))
        except ValueError:
            found = None
        if found is None or found[0].kind != "subscription":
            raise NotFound(place=f"{KIND}/{(name or '')[:64]}")
        if found[0].owner != caller.subject and OPERATOR_SCOPE not in caller.scopes:
            raise Forbidden("That subscription is another client's.", place=KIND)
        return found[0], await sealing.unseal(engine, found[0].id, found[1])

    async def _put(self, tx: Transaction, draft: Draft) -> Outcome:
        store = self.find().server.store
        store.drafting.index(draft)
        [outcome] = await store.apply(tx, [draft])
        assert isinstance(outcome, Outcome)
        return outcome

    async def _let_go(self, particulars: Particulars) -> None:
        """The right to ask in the client's name ends with what it was given for."""
        if particulars.subscribed is not None and particulars.subscribed.handle:
            await self.find().running.tokens.end_delegation(particulars.subscribed.handle)


def _base(engine: Engine) -> str:
    public = engine.running.platform.public_url
    return f"{public}/fhir" if public else ""


def _end(resource: Resource) -> datetime | None:
    return moment_of(resource["end"]) if "end" in resource else None


def _values(parameters: Resource | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in (parameters or {}).get("parameter") or ():
        value = next((str(v) for k, v in each.items() if k.startswith("value")), "")
        found[each.get("name", "")] = value
    return found


def _number(given: Mapping[str, str], name: str) -> int:
    text = given.get(name, "0")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Invalid(f"{name} is a number.", place=name)
    return int(text)
