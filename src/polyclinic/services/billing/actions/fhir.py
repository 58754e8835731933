"""Billing's own types as FHIR clients ask for them."""

from collections.abc import Callable, Mapping

from polyclinic.fhirserver.rest.registered import Registered
from polyclinic.services.billing.actions.fhir_charges import ChargeDoor
from polyclinic.services.billing.actions.state import OWNED, Books

Find = Callable[[], Books]


def registered(books: Find) -> Mapping[str, Registered]:
    """What may be done to each owned type; the rest is made by billing itself."""
    nothing = {kind: Registered() for kind in OWNED}
    return {**nothing, "ChargeItem": ChargeDoor(books).registered()}
