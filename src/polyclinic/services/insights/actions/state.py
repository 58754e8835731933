"""What a running insights service holds; all of it is safe to lose."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from polyclinic.foundation.caller import Caller
from polyclinic.foundation.database import Database
from polyclinic.foundation.once import Act, Once, Stored, carried
from polyclinic.foundation.service import Running
from polyclinic.services.insights.actions.meters import Meters
from polyclinic.services.insights.actions.model_meters import ModelMeters
from polyclinic.services.insights.domain.models import Model
from polyclinic.services.insights.gateways.issuers import Issuers
from polyclinic.services.insights.settings import InsightsSettings

# Whoever else makes something of a chart that was just read: `Patient/<id>`, the Patient, its
# resources, and what is gone for good. What it raises has the chart read again later.
Follower = Callable[
    [str, dict[str, Any], Sequence[dict[str, Any]], frozenset[str]], Awaitable[None]
]


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody at insights' door, and the token under which others are asked for them."""

    caller: Caller
    token: str

    @property
    def name(self) -> str:
        """Who did it, as it is kept: an opaque id."""
        return self.caller.subject


@dataclass(slots=True)
class Engine:
    """The state of the service."""

    running: Running
    meters: Meters
    model_meters: ModelMeters
    # The EHRs that may call CDS Hooks.
    issuers: Issuers
    # Set when something new is in the queue.
    more: asyncio.Event = field(default_factory=asyncio.Event)
    # Set when something new is to be learned.
    lessons: asyncio.Event = field(default_factory=asyncio.Event)
    # Devices (a version of a calculator each) that are known to be in records.
    devices: set[str] = field(default_factory=set[str])
    followers: list[Follower] = field(default_factory=list[Follower])
    # Models by the SHA-256 of their bytes.
    loaded: dict[bytes, Model] = field(default_factory=dict[bytes, Model])
    # Of the pool's five connections one is the reader's and one the worker's.
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))

    @property
    def settings(self) -> InsightsSettings:
        return self.running.settings

    @property
    def database(self) -> Database:
        return self.running.database

    def pseudonym(self, patient: str) -> bytes:
        """16 bytes for `Patient/<id>`: always the same, and nobody without the key finds back."""
        return self._keyed("pseudonyms", patient)

    def assessment_id(self, patient: str, method: str) -> UUID:
        """The id of a person's RiskAssessment by one method: a repeat is the same resource."""
        raw = bytearray(self._keyed("assessments", f"{patient}|{method}"))
        raw[6] = (raw[6] & 0x0F) | 0x80  # RFC 9562 version 8: made by a rule of our own
        raw[8] = (raw[8] & 0x3F) | 0x80
        return UUID(bytes=bytes(raw))

    def viewer(self, *names: str) -> str:
        """Who is shown something, as a keyed hash: exposures are counted, not looked up."""
        return self._keyed("viewers", "|".join(names)).hex()

    def digest(self, content: bytes) -> bytes:
        """A keyed hash: tells whether something changed, and nothing of what it says."""
        return hmac.digest(self.running.vault.secret("digests"), content, "sha256")[:16]

    def _keyed(self, purpose: str, text: str) -> bytes:
        return hmac.digest(self.running.vault.secret(purpose), text.encode(), "sha256")[:16]

    async def carried(self, key: Once | None, act: Act) -> Stored:
        """Does something once for each key, when it is its turn; again after a lost race."""
        return await carried(self.database, key, act, self.turn)
