"""The doors of billing: its own JSON, and FHIR."""

from polyclinic.services.billing.routes.bookkeeping import bookkeeping_routes
from polyclinic.services.billing.routes.fhir import fhir_routes, statement_route

routes = (statement_route, *bookkeeping_routes, *fhir_routes)
