"""The doors of billing: its own JSON, and FHIR."""

from polyclinic.services.billing.routes.bookkeeping import bookkeeping_routes
from polyclinic.services.billing.routes.claims import claim_routes
from polyclinic.services.billing.routes.fhir import fhir_routes, statement_route
from polyclinic.services.billing.routes.files import file_routes
from polyclinic.services.billing.routes.payments import payment_routes

routes = (
    statement_route,
    *bookkeeping_routes,
    *claim_routes,
    *file_routes,
    *payment_routes,
    *fhir_routes,
)
