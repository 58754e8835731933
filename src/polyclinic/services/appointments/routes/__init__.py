"""The doors of appointments: its own JSON, and FHIR."""

from polyclinic.services.appointments.routes.fhir import fhir_routes

routes = (*fhir_routes,)
