"""What the portal's actions are given."""

from dataclasses import dataclass, field
from datetime import datetime

from polyclinic.foundation import clock
from polyclinic.foundation.caller import Callers
from polyclinic.foundation.database import Database
from polyclinic.foundation.vault import Vault
from polyclinic.services.portal.gateways import Health, Identity, Records
from polyclinic.services.portal.settings import PortalSettings


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
    health: Health
    outages: Outages = field(default_factory=Outages)
