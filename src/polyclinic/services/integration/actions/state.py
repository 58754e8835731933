"""What a running integration service holds; all of it is safe to lose."""

from contextvars import ContextVar
from dataclasses import dataclass

from polyclinic.fhirserver.door import FhirServer
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.service import Running
from polyclinic.services.integration.settings import IntegrationSettings

OWNED = ("Subscription",)
# The FHIR floor hands an errand to a registered action; who calls is said here by the route.
calling: ContextVar[Caller] = ContextVar("calling")
OWN_NAME = Caller(
    "integration", "integration", "system", frozenset({"system/*.cruds"}), None, "itself"
)


@dataclass(slots=True)
class Engine:
    """The state of the service."""

    running: Running
    server: FhirServer

    @property
    def settings(self) -> IntegrationSettings:
        return self.running.settings
