"""What a running integration service holds; all of it is safe to lose."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import msgspec

from polyclinic.fhirserver.door import FhirServer
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.store.log import Released
from polyclinic.fhirserver.store.read import DENIED
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.once import Act, Once, Stored, carried
from polyclinic.foundation.service import Running
from polyclinic.foundation.vault import DataKey, Place, key_id_of
from polyclinic.services.integration.actions.delivering import Courier
from polyclinic.services.integration.domain.arriving import Answer
from polyclinic.services.integration.domain.channels import Channel
from polyclinic.services.integration.domain.outcomes import Outcome
from polyclinic.services.integration.domain.translating import Translate
from polyclinic.services.integration.gateways.converting import Converter
from polyclinic.services.integration.gateways.folders import Folders
from polyclinic.services.integration.gateways.lines import Lines
from polyclinic.services.integration.gateways.looking import Looking
from polyclinic.services.integration.gateways.outward import Outward
from polyclinic.services.integration.settings import IntegrationSettings
from polyclinic.standards.fhir.definitions import type_number

OWNED = ("Subscription",)
# The FHIR floor hands an errand to a registered action; who calls is said here by the route.
calling: ContextVar[Caller] = ContextVar("calling")
OWN_NAME = Caller(
    "integration", "integration", "system", frozenset({"system/*.cruds"}), None, "itself"
)
# The nearest FHIR type to a message: scopes and the access log name it.
KIND = "MessageHeader"


@dataclass(frozen=True, slots=True)
class Came:
    """Bytes of one message, the channel's name and the way (mllp, http, folder) they took."""

    channel: str
    way: str
    raw: bytes


class Received(NamedTuple):
    """What the sender is told. `message` none: refused, nothing is kept. `again`: it came before.
    `second`: another acknowledgement follows once the message was worked on.

    `acknowledgement` is empty where the sender wants none (MSH-15).
    """

    message: UUID | None
    answer: Answer
    acknowledgement: bytes
    again: bool = False
    second: bool = False


class CarryOut(Protocol):
    """Has the owners do what a translation says, once for each message id, however often asked."""

    async def __call__(self, running: Running, message: UUID, translation: Any, /) -> Outcome: ...


Receive = Callable[[Came], Awaitable[Received]]


class Deployed(NamedTuple):
    """A channel as it is at work."""

    channel: Channel
    version: int
    is_open: bool


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody at integration's door, and the errand under which it is logged."""

    caller: Caller
    errand: Errand

    @property
    def name(self) -> str:
        """Who did it, as it is kept: an opaque id."""
        return self.caller.subject


@dataclass(slots=True)
class Engine:
    """The state of the service."""

    running: Running
    server: FhirServer
    translate: Translate
    carry_out: CarryOut
    converter: Converter
    # Where other systems drop files, if anywhere.
    folders: Folders | None = None
    # Set when something new is in the queue.
    more: asyncio.Event = field(default_factory=asyncio.Event)
    # What is deployed, as of when it was last read (monotonic seconds).
    # How anybody hands in a message: `actions/receiving.py`.
    receive: Receive = field(init=False)
    gauges: Any = field(init=False)
    # Who is owed a second acknowledgement: `actions/answering.py`.
    answering: Any = field(init=False)
    # What listens for MLLP, where that is switched on.
    mllp: Any = None
    channels: dict[str, Deployed] = field(default_factory=dict[str, Deployed])
    channels_read: float = float("-inf")
    # Whom a practitioner's number names here, and until when that is believed (monotonic seconds).
    practitioners: dict[tuple[str, str], tuple[float, str | None]] = field(
        default_factory=dict[tuple[str, str], tuple[float, str | None]]
    )
    # The channels of the messages that are at work here, so that they need not be looked up.
    at_work: dict[UUID, str] = field(default_factory=dict[UUID, str])
    # One long message at a time is translated beside the loop: the other thread is for passwords.
    long_ones: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    # Of the pool's five connections the lanes use three; staff's transactions take turns.
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    outward: Outward = field(init=False)
    lines: Lines = field(init=False)
    courier: Courier = field(init=False)
    looking: Looking = field(init=False)

    @property
    def settings(self) -> IntegrationSettings:
        return self.running.settings

    def asker(self, caller: Caller, token: str = "") -> Asker:
        return Asker(caller, self.server.errand(caller, token))

    async def carried(self, key: Once | None, act: Act) -> Stored:
        """Does something once for each key, when it is its turn; again after a lost race."""
        return await carried(self.running.database, key, act, self.turn)

    def number(self, *parts: str) -> int:
        """A keyed hash by which something can be found, and from which nothing can be read."""
        return int.from_bytes(self.digest(*(part.encode() for part in parts))[:8], signed=True)

    def digest(self, *parts: bytes) -> bytes:
        whole = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return blake2b(whole, digest_size=16, key=self.running.vault.secret("messages")).digest()

    async def keys_for(self, people: Sequence[tuple[int, ...]]) -> list[DataKey]:
        """For each message the key of the one whom it concerns, one shared by several, or its
        type's: who is erased takes the messages about them along."""
        keys = self.server.store.keys
        owners = [keys.owner("Message", _names(each) if len(each) == 1 else []) for each in people]
        found = await keys.of_owners(owners)
        return [
            await keys.shared(_names(each)) if len(each) > 1 else found[owner]
            for each, owner in zip(people, owners, strict=True)
        ]

    def seal(self, key: DataKey, place: Place, content: bytes) -> bytes:
        return self.running.vault.seal(key, place, content)

    async def unseal(self, sealed: Sequence[tuple[Place, bytes]]) -> list[bytes]:
        """Opens many at once: their keys come in one statement."""
        keys = self.server.store.keys
        await keys.load(key_id_of(envelope) for _, envelope in sealed)
        return [
            self.running.vault.unseal(keys.known(key_id_of(envelope)), place, envelope)
            for place, envelope in sealed
        ]

    async def seal_beside(self, beside: bytes, place: Place, value: Any) -> bytes:
        """A value as JSON, under the key that something is sealed with already."""
        keys = self.server.store.keys
        await keys.load([key_id_of(beside)])
        return self.seal(keys.known(key_id_of(beside)), place, msgspec.json.encode(value))

    async def log_read(self, asker: Asker, patients: Sequence[str], message: UUID) -> None:
        """Who saw whose message: durable before the answer leaves."""
        person, number = self.server.store.terms.person, type_number(KIND)
        rows = [
            Released(asker.errand, person(who) if who else None, number, 1, "r", 0, str(message))
            for who in patients or ("",)
        ]
        await self.server.store.released(rows)

    async def log_denied(self, asker: Asker, patients: Sequence[str], message: UUID) -> None:
        """Who asked for a message about somebody and got none."""
        person, number = self.server.store.terms.person, type_number(KIND)
        rows = [
            Released(asker.errand, person(who), number, 0, "r", DENIED, str(message))
            for who in patients
        ]
        await self.server.store.released(rows)


def raw_place(message: UUID) -> Place:
    return Place("message", "sealed", str(message), 1)


def stage_place(message: UUID, attempt: int) -> Place:
    return Place("stage", "sealed", str(message), attempt)


def _names(people: Sequence[int]) -> list[str]:
    """Persons as senders name them; none of these names is a patient's id of ours."""
    return [f"hl7|{number:x}" for number in people]
