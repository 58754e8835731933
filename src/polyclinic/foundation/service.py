"""What a service is: a name, its doors, its tables, its settings and whom it needs."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from polyclinic.foundation.caller import Callers
from polyclinic.foundation.database import Database, Transaction
from polyclinic.foundation.errors import Problem
from polyclinic.foundation.events import Told
from polyclinic.foundation.peers import Peers
from polyclinic.foundation.settings import Platform, Settings
from polyclinic.foundation.telemetry import Metrics
from polyclinic.foundation.tokens import ServiceTokens
from polyclinic.foundation.vault import RootKey, Vault


class Numbers(Protocol):
    """What numbers a service's events; `more` is set when there are new ones, while it `runs`.

    `ends` once nobody is to wait for more.
    """

    more: asyncio.Event
    runs: bool
    ends: bool

    def let_go(self) -> None: ...


class Reads(Protocol):
    """What reads another service's events."""

    async def again(self, event: uuid.UUID) -> None: ...


@dataclass(slots=True)
class Running:
    """A service at work: what its doors and actions are given."""

    service: "Service"
    platform: Platform
    settings: Any
    database: Database
    root: RootKey
    vault: Vault
    peers: Peers
    callers: Callers
    metrics: Metrics
    tokens: ServiceTokens
    # FHIR types that other installed services keep, and which.
    elsewhere: Mapping[str, str] = field(default_factory=dict[str, str])
    # What each service of the house may do with documents in its own name: identity grants it.
    document_scopes: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict[str, tuple[str, ...]]
    )
    state: Any = None
    sequencer: "Numbers | None" = None
    readers: "Mapping[str, Reads]" = field(default_factory=dict[str, "Reads"])


@dataclass(frozen=True, slots=True)
class Job:
    """Something the clock does: every so many seconds, on one replica at a time.

    A run that answers False had nothing to do: each such run doubles the pause, up to
    `idle_seconds`.
    """

    name: str
    every_seconds: float
    run: Callable[[Running], Awaitable[bool | None]]
    idle_seconds: float = 0.0


React = Callable[["Running", Transaction, Sequence[Told]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a service does when another says something; runs in the transaction that notes it.

    It is given what was said of this kind one after the other, in order. `about` narrows it to
    subjects of one type (`Encounter`): of the rest nothing is sent.
    """

    source: str
    kind: str
    react: React
    about: str = ""


@dataclass(frozen=True, slots=True)
class Trail:
    """A log of who did what, as others may read it: see foundation/trail.

    `rows` selects what a row says, with position and tx, and ends in `trail.WINDOW`.
    """

    name: str
    rows: LiteralString
    next_position: LiteralString


Start = Callable[[Running], AbstractAsyncContextManager[Any]]
ShowProblem = Callable[[Request, Problem, int], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Service:
    """A capability with its own data, security class and doors; any subset of them runs."""

    name: str
    about: str
    security_class: str
    routes: tuple[BaseRoute, ...]
    fronts: tuple[str, ...]
    schema: Path | None = None
    mounts: tuple[Path, ...] = ()
    settings: type[Settings] = Settings
    needs: tuple[str, ...] = ()
    owns: tuple[str, ...] = ()
    # Types of other owners that it publishes or looks up in its own name, and nothing else of them.
    writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    # Whether it asks others in the name of whoever asked it to; identity keeps who did.
    delegated: bool = False
    start: Start | None = None
    jobs: tuple[Job, ...] = ()
    # Whether it announces events; who says or hears mounts `outbox.SCHEMA`.
    says: bool = False
    reactions: tuple[Reaction, ...] = ()
    # What it logs of who did what; who has trails mounts `trail.SCHEMA`.
    trails: tuple[Trail, ...] = ()
    # Whether it gathers the others' trails, and asks identity who is behind an account.
    gathers: bool = False
    show_problem: ShowProblem | None = None
    dictionaries: dict[int, bytes] = field(default_factory=dict[int, bytes])

    @property
    def document_scopes(self) -> tuple[str, ...]:
        """What it may ask of identity for its own name, beyond the others' feeds.

        What it publishes it may change and read by id, but not search and never delete.
        """
        published = (f"system/{kind}.cru" for kind in self.writes)
        spoken_for = ("system/identity.delegations",) if self.delegated else ()
        gathered = ("system/audit.trails", "system/identity.people") if self.gathers else ()
        read = (f"system/{kind}.rs" for kind in self.reads)
        return (*published, *read, *spoken_for, *gathered)
