"""What the portal's actions are given."""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypeVar

from polyclinic.foundation import clock
from polyclinic.foundation.caller import Callers
from polyclinic.foundation.database import Database
from polyclinic.foundation.errors import Unavailable
from polyclinic.foundation.vault import Vault
from polyclinic.services.portal.actions.watching import Watch
from polyclinic.services.portal.domain import times
from polyclinic.services.portal.gateways import (
    Appointments,
    Billing,
    DeadLetters,
    Health,
    Identity,
    Records,
)
from polyclinic.services.portal.gateways.audit import HttpAudit
from polyclinic.services.portal.gateways.billing_desk import HttpBillingDesk
from polyclinic.services.portal.gateways.insights import HttpInsights
from polyclinic.services.portal.gateways.integration import HttpIntegration
from polyclinic.services.portal.gateways.migration import HttpMigration
from polyclinic.services.portal.settings import PortalSettings

T = TypeVar("T")


@dataclass(slots=True)
class Outages:
    """Since when a service has not answered; only a hint for people, safe to lose."""

    _since: dict[str, datetime] = field(default_factory=dict[str, datetime])

    def failed(self, name: str) -> None:
        self._since.setdefault(name, clock.now())

    def answered(self, name: str) -> None:
        self._since.pop(name, None)

    def since(self, name: str) -> datetime | None:
        return self._since.get(name)


@dataclass(slots=True)
class Portal:
    """The portal at work."""

    settings: PortalSettings
    database: Database
    vault: Vault
    callers: Callers
    issuer: str
    identity: Identity
    records: Records
    appointments: Appointments
    billing: Billing
    billing_desk: HttpBillingDesk
    integration: HttpIntegration
    migration: HttpMigration
    insights: HttpInsights
    audit: HttpAudit
    dead_letters: DeadLetters
    health: Health
    outages: Outages = field(default_factory=Outages)
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self.watch = Watch(self.health)

    def has(self, service: str) -> bool:
        """Whether a service is part of the installation, be it well or not."""
        return service in self.health.names()

    def today(self) -> date:
        """The date by the clinic's own clock; the server's may be a day ahead or behind."""
        return times.today_at(self.settings.time_zone, clock.now())


async def answered(portal: Portal, name: str, work: Awaitable[T]) -> T:
    """What another service answers, remembering since when it does not."""
    try:
        found = await work
    except Unavailable:
        portal.outages.failed(name)
        raise
    portal.outages.answered(name)
    return found
