"""Integration's own types as FHIR clients ask for them."""

from collections.abc import Callable, Mapping

from polyclinic.fhirserver.rest.registered import Registered
from polyclinic.services.integration.actions.state import Engine
from polyclinic.services.integration.actions.subscribing import SubscriptionDoor


def registered(engine: Callable[[], Engine]) -> Mapping[str, Registered]:
    """What may be done to each owned type besides reading it."""
    return SubscriptionDoor(engine).registered()
