"""What a running appointments service holds; all of it is safe to lose."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from polyclinic.fhirserver.access import ALL_LABELS, Grant, bits
from polyclinic.fhirserver.door import FhirServer
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.store.draft import Draft
from polyclinic.fhirserver.store.log import Released
from polyclinic.fhirserver.store.read import DENIED
from polyclinic.foundation import clock
from polyclinic.foundation.batching import Lane
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Forbidden
from polyclinic.foundation.once import Once, Stored
from polyclinic.foundation.service import Running
from polyclinic.services.appointments.actions.calendar import Calendar
from polyclinic.services.appointments.actions.world import World, Worlds
from polyclinic.services.appointments.domain import access
from polyclinic.services.appointments.domain.problems import NotYours
from polyclinic.services.appointments.domain.values import Appointment
from polyclinic.services.appointments.settings import AppointmentsSettings
from polyclinic.services.appointments.store.waitlist import Waiting
from polyclinic.standards.fhir.definitions import type_number

# The FHIR floor hands an errand to a registered action; who calls is said here by the route.
calling: ContextVar[Caller] = ContextVar("calling")

PERSON_BIT = 1 << 62
Owned = TypeVar("Owned", Appointment, Waiting)
KIND = "Appointment"


@dataclass(slots=True)
class Desk:
    """The state of the service."""

    running: Running
    server: FhirServer
    worlds: Worlds
    calendar: Calendar
    lanes: "Lanes"
    nearest: dict[Any, Any] = field(default_factory=dict[Any, Any])
    in_flight: set[bytes] = field(default_factory=set[bytes])
    # Of the pool's five connections two are the lanes' and two these transactions', so that reads
    # go on. What they need in between (keys, row numbers, the set-up) is asked aside.
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))

    @property
    def settings(self) -> AppointmentsSettings:
        return self.running.settings

    async def world(self) -> World:
        return await self.worlds.now()

    def person(self, reference: str) -> int:
        """The patient's number among the resources of atoms; a keyed hash, so no table has it."""
        return (self.server.store.terms.person(reference) & (PERSON_BIT - 1)) | PERSON_BIT

    def holder(self, name: str) -> bytes:
        number = self.server.store.terms.person(f"holder\x1f{name}")
        return number.to_bytes(8, "big", signed=True)

    async def log_read(self, errand: Errand, counts: dict[str, int]) -> None:
        """Who saw whose appointments: durable before the answer leaves."""
        person, kind = self.server.store.terms.person, type_number(KIND)
        rows = [Released(errand, person(who), kind, count) for who, count in counts.items()]
        await self.server.store.released(rows)

    async def own(self, visitor: "Visitor", found: Owned | None, interaction: str) -> Owned:
        """What was found, if it is the caller's; what is not looks like nothing, and is logged."""
        if found is None:
            access.check_scope(visitor.caller, interaction)
            raise NotYours
        async with self.denials_logged(visitor.errand, found.patient, interaction):
            access.check_own(visitor.caller, found.patient, interaction)
        return found

    async def log_denied(self, errand: Errand, patient: str, interaction: str) -> None:
        person, kind = self.server.store.terms.person(patient), type_number(KIND)
        await self.server.store.released([Released(errand, person, kind, 0, interaction, DENIED)])

    @asynccontextmanager
    async def denials_logged(
        self, errand: Errand, patient: str, interaction: str
    ) -> AsyncGenerator[None, None]:
        """Who asks for what of somebody is not theirs is in the log before they are refused."""
        try:
            yield
        except (NotYours, Forbidden):
            await self.log_denied(errand, patient, interaction)
            raise


@dataclass(slots=True)
class Lanes:
    """Bookings and refusals that travel together."""

    book: "Lane[Any, Stored]"
    refuse: "Lane[tuple[Once, Stored], Stored]"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody at the desk: the caller, the errand under which it is logged, and when."""

    caller: Caller
    errand: Errand
    now: datetime

    @classmethod
    def of(cls, desk: Desk, caller: Caller) -> "Visitor":
        return cls(caller, desk.server.errand(caller), clock.now())


# The rules of this service (domain/access.py) decide who may write; the FHIR floor keeps what they
# decided and logs it under the caller's own name.
OWN_WORD = Grant(
    types=bits(frozenset({"Appointment", "Schedule"})),
    open_types=bits(frozenset({"Appointment", "Schedule"})),
    labels=ALL_LABELS,
    patient=None,
    practitioner=None,
)


def draft(errand: Errand, kind: str, resource: dict[str, Any]) -> Draft:
    return Draft(errand, OWN_WORD, kind, resource["id"], resource, check=False)
