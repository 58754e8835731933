"""Who exists. Read this page first: each service's own page says what it owns and needs."""

from collections.abc import Collection

from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.service import Service
from polyclinic.services.appointments import service as appointments
from polyclinic.services.audit import service as audit
from polyclinic.services.billing import service as billing
from polyclinic.services.identity import service as identity
from polyclinic.services.insights import service as insights
from polyclinic.services.integration import service as integration
from polyclinic.services.migration import service as migration
from polyclinic.services.portal import service as portal
from polyclinic.services.records import service as records
from polyclinic.standards.fhir.definitions import resource_types

SERVICES: tuple[Service, ...] = (
    identity,
    records,
    appointments,
    billing,
    integration,
    insights,
    audit,
    migration,
    portal,
)


def named(names: tuple[str, ...]) -> tuple[Service, ...]:
    """The services of these names, in the order of this page; unknown names are refused."""
    known = {service.name: service for service in SERVICES}
    for name in names:
        if name not in known:
            offered = ", ".join(known)
            raise Invalid(f"There is no service {name!r}; there are: {offered}.", place="services")
    return tuple(service for service in SERVICES if service.name in names)


def owned_elsewhere(name: str, installed: Collection[str]) -> dict[str, str]:
    """The FHIR types that other installed services own, and which; records has all the rest."""
    owned = {
        kind: service.name
        for service in SERVICES
        if service.name in installed
        for kind in service.owns
    }
    if "records" in installed:
        owned = {**dict.fromkeys(resource_types(), "records"), **owned}
    return {kind: owner for kind, owner in owned.items() if owner != name}
