"""Whom the portal asks: identity, records, appointments, billing, and each for its health."""

from polyclinic.services.portal.gateways.appointments import Appointments, HttpAppointments, Taken
from polyclinic.services.portal.gateways.billing import Billing, HttpBilling
from polyclinic.services.portal.gateways.events import DeadLetters, HttpDeadLetters
from polyclinic.services.portal.gateways.health import Health
from polyclinic.services.portal.gateways.identity import HttpIdentity, Identity
from polyclinic.services.portal.gateways.records import FhirRecords, Parameters, Records

__all__ = [
    "Appointments",
    "Billing",
    "DeadLetters",
    "FhirRecords",
    "Health",
    "HttpAppointments",
    "HttpBilling",
    "HttpDeadLetters",
    "HttpIdentity",
    "Identity",
    "Parameters",
    "Records",
    "Taken",
]
