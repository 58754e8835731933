"""Who exists. Read this page first: each service's own page says what it owns and needs."""

from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.service import Service
from polyclinic.services.appointments import service as appointments
from polyclinic.services.identity import service as identity
from polyclinic.services.portal import service as portal
from polyclinic.services.records import service as records

SERVICES: tuple[Service, ...] = (identity, records, appointments, portal)


def named(names: tuple[str, ...]) -> tuple[Service, ...]:
    """The services of these names, in the order of this page; unknown names are refused."""
    known = {service.name: service for service in SERVICES}
    for name in names:
        if name not in known:
            offered = ", ".join(known)
            raise Invalid(f"There is no service {name!r}; there are: {offered}.", place="services")
    return tuple(service for service in SERVICES if service.name in names)


def owner_of(resource_type: str, names: tuple[str, ...]) -> str | None:
    """Which installed service owns a FHIR type; records has every type without another owner."""
    for service in SERVICES:
        if service.name in names and resource_type in service.owns:
            return service.name
    return "records" if "records" in names else None
