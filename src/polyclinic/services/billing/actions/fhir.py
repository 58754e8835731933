"""Billing's own types as FHIR clients ask for them."""

from collections.abc import Callable, Mapping

from polyclinic.fhirserver.rest.registered import Registered
from polyclinic.services.billing.actions.state import OWNED, Books

Find = Callable[[], Books]


def registered(books: Find) -> Mapping[str, Registered]:  # noqa: ARG001
    """What may be done to each owned type; the rest is made by billing itself."""
    return {kind: Registered() for kind in OWNED}
