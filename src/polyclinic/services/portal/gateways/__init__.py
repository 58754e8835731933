"""Whom the portal asks: identity, records and appointments, and each service for its health."""

from polyclinic.services.portal.gateways.appointments import Appointments, HttpAppointments, Taken
from polyclinic.services.portal.gateways.events import DeadLetters, HttpDeadLetters
from polyclinic.services.portal.gateways.health import Health
from polyclinic.services.portal.gateways.identity import HttpIdentity, Identity
from polyclinic.services.portal.gateways.records import FhirRecords, Parameters, Records

__all__ = [
    "Appointments",
    "DeadLetters",
    "FhirRecords",
    "Health",
    "HttpAppointments",
    "HttpDeadLetters",
    "HttpIdentity",
    "Identity",
    "Parameters",
    "Records",
    "Taken",
]
