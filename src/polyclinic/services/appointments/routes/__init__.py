"""The doors of appointments: its own JSON, and FHIR."""

from polyclinic.services.appointments.routes.desk import desk_routes
from polyclinic.services.appointments.routes.fhir import fhir_routes

routes = (*desk_routes, *fhir_routes)
