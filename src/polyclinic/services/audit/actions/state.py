"""What a running audit service holds; all of it is safe to lose."""

from dataclasses import dataclass, field

from prometheus_client import Gauge

from polyclinic.fhirserver.door import FhirServer
from polyclinic.fhirserver.terms import Terms
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.database import Database
from polyclinic.foundation.service import Running
from polyclinic.foundation.telemetry import Metrics
from polyclinic.foundation.vault import Vault
from polyclinic.services.audit.gateways.anchors import Anchors
from polyclinic.services.audit.gateways.people import People
from polyclinic.services.audit.gateways.trails import Trails
from polyclinic.services.audit.settings import AuditSettings
from polyclinic.standards.transparency.note import Signer


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody at audit's door, and the token under which others are asked for them."""

    caller: Caller
    token: str


class Gauges:
    """How large the tree is, how much of it is signed, and whether it still is the signed one."""

    def __init__(self, metrics: Metrics) -> None:
        def gauge(name: str, says: str) -> Gauge:
            return Gauge(name, says, registry=metrics.registry)

        self.size = gauge("polyclinic_audit_leaves", "Rows in the audit tree")
        self.signed = gauge("polyclinic_audit_signed_leaves", "Rows under the last checkpoint")
        self.broken = gauge("polyclinic_audit_broken", "1 when the tree is not what was signed")


@dataclass(slots=True)
class Engine:
    """The state of the service."""

    running: Running
    server: FhirServer
    signer: Signer
    trails: Trails
    people: People
    gauges: Gauges
    anchors: Anchors | None = None
    # Until when (of the loop's clock) the tree counts as the one that was signed.
    sound_until: float = 0.0
    # The trails of each service, as far as they are known.
    named: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    _terms: dict[str, Terms] = field(default_factory=dict[str, Terms])

    def terms_of_all(self) -> list[Terms]:
        """By which each service's log numbers people; the keys come from the root key."""
        for name in self.running.peers.names():
            if name not in self._terms:
                self._terms[name] = Terms(Vault(self.running.root, name))
        return list(self._terms.values())

    @property
    def settings(self) -> AuditSettings:
        return self.running.settings

    @property
    def database(self) -> Database:
        return self.running.database
