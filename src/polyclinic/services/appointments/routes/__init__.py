"""The doors of appointments: its own JSON, and FHIR."""

from polyclinic.services.appointments.routes.desk import desk_routes
from polyclinic.services.appointments.routes.fhir import adopt_routes, fhir_routes, statement_route

routes = (statement_route, *adopt_routes, *desk_routes, *fhir_routes)
