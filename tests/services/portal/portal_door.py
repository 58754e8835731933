"""A portal at work for tests: its own database, and records and identity kept in memory."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
from appointments_in_memory import AppointmentsInMemory, DeadLettersInMemory
from billing_in_memory import BillingInMemory

from polyclinic.foundation import clock
from polyclinic.foundation.caller import Callers
from polyclinic.foundation.database import Database
from polyclinic.foundation.errors import Forbidden, NotFound, Unauthenticated, Unavailable
from polyclinic.foundation.http import App
from polyclinic.foundation.peers import Peers
from polyclinic.foundation.service import Running, Service
from polyclinic.foundation.settings import Platform
from polyclinic.foundation.telemetry import Metrics
from polyclinic.foundation.tokens import ServiceTokens
from polyclinic.foundation.vault import RootKey, Vault
from polyclinic.services.portal import service
from polyclinic.services.portal.actions import sessions
from polyclinic.services.portal.actions.state import Portal
from polyclinic.services.portal.domain.session import Session, Tokens, new_secret
from polyclinic.services.portal.gateways import Health, Parameters
from polyclinic.services.portal.gateways.audit import HttpAudit
from polyclinic.services.portal.gateways.billing_desk import HttpBillingDesk
from polyclinic.services.portal.gateways.insights import HttpInsights
from polyclinic.services.portal.gateways.integration import HttpIntegration
from polyclinic.services.portal.gateways.migration import HttpMigration
from polyclinic.services.portal.pages.door import SESSION
from polyclinic.services.portal.settings import PortalSettings

Resource = Mapping[str, Any]
URL = "http://127.0.0.1:8080"
COOKIE = SESSION.full_name(URL)


@dataclass
class RecordsInMemory:
    """Answers as records does: a clinician sees the charts of related patients only."""

    resources: list[Resource]
    related: set[str] = field(default_factory=set)
    down: set[str] = field(default_factory=set)
    asked: list[tuple[str, Parameters]] = field(default_factory=list)

    async def read(self, token: str, kind: str, key: str) -> Resource:
        self._listen(kind, token)
        for resource in self.resources:
            if resource["resourceType"] == kind and resource["id"] == key:
                return resource
        raise NotFound(place="records")

    async def search(
        self, token: str, kind: str, parameters: Parameters, most: int
    ) -> list[Resource]:
        self._listen(kind, token)
        self.asked.append((kind, parameters))
        asked = list(parameters)
        found = [r for r in self.resources if r["resourceType"] == kind]
        for name, value in asked:
            found = [r for r in found if self._fits(r, name, value)]
        if kind not in ("Patient", "Practitioner") and token.startswith("clinician"):
            # As records does: a chart that is not open is refused rather than empty.
            whose = dict(asked).get("patient", "").partition("/")[2]
            if whose and whose not in self.related:
                raise Forbidden(place="patient")
            found = [r for r in found if _about(r) in self.related]
        # Newest first, as every part of a chart is asked for.
        return sorted(found, key=_date, reverse=True)[:most]

    def _listen(self, kind: str, token: str) -> None:
        if kind in self.down or "*" in self.down:
            raise Unavailable("The records service does not answer.", place="records")
        if token.startswith("front-desk") and kind not in ("Patient", "Practitioner"):
            raise Forbidden(place="records")

    def _fits(self, resource: Resource, name: str, value: str) -> bool:
        match name:
            case "patient":
                return f"Patient/{_about(resource)}" == value
            case "_id":
                return resource["id"] in value.split(",")
            case "category":
                return value in str(resource.get("category"))
            case "code":
                return f"'{value.partition('|')[2]}'" in str(resource.get("code"))
            case "name":
                return value.lower() in str(resource.get("name")).lower()
            case "birthdate":
                return resource.get("birthDate") == value
            case "identifier":
                return value in str(resource.get("identifier"))
            case _:
                return True


@dataclass
class IdentityInMemory:
    """Gives tokens; remembers what was renewed and revoked."""

    renewed: list[str] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    ended: bool = False

    async def exchange(self, code: str, verifier: str, back: str) -> tuple[Tokens, dict[str, Any]]:
        raise NotImplementedError("The way in is tested against the real identity.")

    async def renew(self, refresh: str) -> Tokens:
        if self.ended:
            raise Unauthenticated
        self.renewed.append(refresh)
        return Tokens("clinician-renewed", "refresh-2", clock.now().timestamp() + 900)

    async def revoke(self, refresh: str) -> None:
        self.revoked.append(refresh)


@dataclass
class Door:
    """A portal, its gateways and ways to be somebody."""

    running: Running
    portal: Portal
    records: RecordsInMemory
    identity: IdentityInMemory
    appointments: AppointmentsInMemory
    billing: BillingInMemory
    app: App

    def installs_appointments(self) -> "Door":
        """Makes appointments part of the installation."""
        self.running.peers.add_remote("appointments", "http://127.0.0.1:9")
        return self

    def installs_billing(self) -> "Door":
        """Makes billing part of the installation."""
        self.running.peers.add_remote("billing", "http://127.0.0.1:9")
        return self

    async def as_(self, role: str, person: str | None = None, **changed: Any) -> "Visitor":
        """Somebody who is signed in."""
        now = clock.now().timestamp()
        tokens = Tokens(f"{role}-token", "refresh-1", changed.pop("expires_at", now + 900))
        name = {"patient": "Maria Keller", "clinician": "Dr Ana Ruiz"}.get(role, "Sam Park")
        session = Session(
            changed.pop("subject", f"subject-{role}"), role, person, name, new_secret(), tokens
        )
        secret = await sessions.open_session(self.portal, session, clock.now())
        return Visitor(self.client({COOKIE: secret}), session, secret)

    def client(self, cookies: Mapping[str, str] | None = None) -> httpx.AsyncClient:
        headers = {"cookie": "; ".join(f"{n}={v}" for n, v in (cookies or {}).items())}
        transport = httpx.ASGITransport(app=self.app)  # pyright: ignore
        return httpx.AsyncClient(
            transport=transport, base_url=URL, headers=headers if cookies else {}
        )


@dataclass
class Visitor:
    """A signed-in browser without a screen."""

    client: httpx.AsyncClient
    session: Session
    secret: str

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self.client.get(path, **more)

    async def post(
        self, path: str, headers: Mapping[str, str] | None = None, **form: str
    ) -> httpx.Response:
        sent = {"csrf": self.session.csrf, **form}
        site = {"sec-fetch-site": "same-origin", **(headers or {})}
        return await self.client.post(path, data=sent, headers=site)


DatabaseOf = Callable[[Service], Awaitable[Database]]


async def open_portal(
    database: Database, root: RootKey, records: RecordsInMemory, settings: PortalSettings
) -> Door:
    peers = Peers()
    platform = Platform(public_url=None)
    identity, appointments = IdentityInMemory(), AppointmentsInMemory()
    billing = BillingInMemory()
    running = Running(
        service,
        platform,
        settings,
        database,
        root,
        Vault(root, "portal"),
        peers,
        Callers(peers, None),
        Metrics("portal"),
        ServiceTokens(peers, root, "portal", None),
    )
    portal = Portal(
        settings=settings,
        database=database,
        vault=running.vault,
        callers=running.callers,
        issuer="urn:polyclinic",
        identity=identity,
        records=records,
        appointments=appointments,
        billing=billing,
        billing_desk=HttpBillingDesk(peers),
        integration=HttpIntegration(peers),
        migration=HttpMigration(peers),
        insights=HttpInsights(peers),
        audit=HttpAudit(peers),
        dead_letters=DeadLettersInMemory(),
        health=Health(peers),
    )
    running.state = portal
    app = App(running)
    peers.add_local("portal", app)
    return Door(running, portal, records, identity, appointments, billing, app)


def later(minutes: float) -> Callable[[], Any]:
    """A clock that is ahead."""
    ahead = clock.now() + timedelta(minutes=minutes)
    return lambda: ahead


def _about(resource: Resource) -> str:
    said = resource.get("subject") or resource.get("patient") or {}
    return said.get("reference", "").partition("/")[2]


def _date(resource: Resource) -> str:
    period = resource.get("period") or {}
    return (
        resource.get("effectiveDateTime") or resource.get("authoredOn") or period.get("start") or ""
    )
