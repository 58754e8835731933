"""What a running billing service holds; all of it is safe to lose."""

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from polyclinic.fhirserver.access import ALL_LABELS, Grant, bits
from polyclinic.fhirserver.door import FhirServer
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.store.draft import Draft
from polyclinic.fhirserver.store.log import Released
from polyclinic.fhirserver.store.read import DENIED
from polyclinic.foundation import clock, once
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.once import Act, Once, Stored
from polyclinic.foundation.service import Running
from polyclinic.foundation.typesetting import Typesetter
from polyclinic.foundation.vault import Place, key_id_of
from polyclinic.services.billing.gateways.cards import PaymentGateway
from polyclinic.services.billing.gateways.charts import Charts
from polyclinic.services.billing.settings import BillingSettings
from polyclinic.standards.fhir.definitions import type_number

OWNED = (
    "Account",
    "ChargeItem",
    "ChargeItemDefinition",
    "Invoice",
    "PaymentNotice",
    "PaymentReconciliation",
)

# The FHIR floor hands an errand to a registered action; who calls is said here by the route.
calling: ContextVar[Caller] = ContextVar("calling")
# The rules of this service (domain/access.py) decide who may write; the FHIR floor keeps what they
# decided and logs it under the caller's own name.
OWN_WORD = Grant(
    types=bits(frozenset(OWNED)),
    open_types=bits(frozenset(OWNED)),
    labels=ALL_LABELS,
    patient=None,
    practitioner=None,
)
OWN_NAME = Caller("billing", "billing", "system", frozenset({"system/*.cruds"}), None, "-")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody at billing's door: the caller, the errand under which it is logged, and when."""

    caller: Caller
    errand: Errand
    now: datetime

    @property
    def name(self) -> str:
        """Who did it, as the ledger keeps it: an opaque id."""
        return self.caller.subject


@dataclass(slots=True)
class Books:
    """The state of the service."""

    running: Running
    server: FhirServer
    charts: Charts
    cards: PaymentGateway | None
    typesetter: Typesetter
    # Of the pool's five connections two are the lanes' and two these transactions', so that reads
    # go on while money moves. What they need in between (keys, row numbers) is asked aside.
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))

    @property
    def settings(self) -> BillingSettings:
        return self.running.settings

    def today(self) -> date:
        """The clinic's own date."""
        return clock.now().astimezone(ZoneInfo(self.settings.time_zone)).date()

    def own(self) -> Asker:
        """Billing itself, as the clock and its gateways make it act."""
        return self.asker(OWN_NAME)

    def asker(self, caller: Caller, token: str = "") -> Asker:
        return Asker(caller, self.server.errand(caller, token), clock.now())

    async def carried(self, key: Once | None, act: Act) -> Stored:
        """Does something once for each key, when it is its turn; again after a lost race."""
        return await once.carried(self.running.database, key, act, self.turn)

    async def seal(self, patient: str, where: tuple[str, str], value: object) -> bytes:
        """A value as JSON under the patient's own key; `where` is (table, id)."""
        return (await self.seal_all(patient, [(where, value)]))[0]

    async def seal_all(
        self, patient: str, values: list[tuple[tuple[str, str], object]]
    ) -> list[bytes]:
        owner = self.server.store.keys.owner("", [patient.partition("/")[2]])
        key = (await self.server.store.keys.of_owners([owner]))[owner]
        return [
            self.running.vault.seal(key, _place(where), msgspec.json.encode(value))
            for where, value in values
        ]

    async def unseal(self, where: tuple[str, str], envelope: bytes, kind: type[T]) -> T:
        return (await self.unseal_all([(where, envelope)], kind))[0]

    async def unseal_all(
        self, sealed: list[tuple[tuple[str, str], bytes]], kind: type[T]
    ) -> list[T]:
        """Opens many at once: their keys come in one statement."""
        keys = self.server.store.keys
        await keys.load(key_id_of(envelope) for _, envelope in sealed)
        return [
            msgspec.json.decode(
                self.running.vault.unseal(keys.known(key_id_of(envelope)), _place(where), envelope),
                type=kind,
            )
            for where, envelope in sealed
        ]

    async def seal_file(self, name: str, content: bytes) -> bytes:
        """Bytes of several patients at once, under the key of all such files."""
        owner = self.server.store.keys.owner("X12", [])
        key = (await self.server.store.keys.of_owners([owner]))[owner]
        return self.running.vault.seal(key, _place(("x12_file", name)), content)

    async def open_file(self, name: str, envelope: bytes) -> bytes:
        keys = self.server.store.keys
        await keys.load([key_id_of(envelope)])
        key = keys.known(key_id_of(envelope))
        return self.running.vault.unseal(key, _place(("x12_file", name)), envelope)

    async def put(self, tx: Transaction, asker: Asker, resources: list[dict[str, Any]]) -> None:
        """Keeps FHIR resources of billing's own types in the transaction of their cause."""
        drafts = [
            Draft(asker.errand, OWN_WORD, each["resourceType"], each["id"], each, check=False)
            for each in resources
        ]
        for draft in drafts:
            self.server.store.drafting.index(draft)
        await self.server.store.apply(tx, drafts)

    async def log_read(self, asker: Asker, kind: str, counts: dict[str, int]) -> None:
        """Who saw whose bills: durable before the answer leaves.

        `counts` by patient reference; an empty one where nobody knows whose it is.
        """
        person, number = self.server.store.terms.person, type_number(kind)
        rows = [
            Released(asker.errand, person(who) if who else None, number, n)
            for who, n in counts.items()
        ]
        await self.server.store.released(rows)

    async def log_denied(self, asker: Asker, kind: str, patient: str) -> None:
        """Who asked for somebody else's bill and got none."""
        person, number = self.server.store.terms.person(patient), type_number(kind)
        await self.server.store.released([Released(asker.errand, person, number, 0, "r", DENIED)])


def _place(where: tuple[str, str]) -> Place:
    return Place(where[0], "sealed", where[1], 1)
