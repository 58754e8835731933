"""Integration's own types as FHIR clients ask for them."""

from collections.abc import Callable, Mapping

from polyclinic.fhirserver.rest.registered import Registered
from polyclinic.services.integration.actions.state import OWNED, Engine


def registered(_: Callable[[], Engine]) -> Mapping[str, Registered]:
    """What may be done to each owned type besides reading it."""
    return {kind: Registered() for kind in OWNED}
