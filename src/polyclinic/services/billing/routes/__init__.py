"""The doors of billing: its own JSON, and FHIR."""

from polyclinic.services.billing.routes.bookkeeping import bookkeeping_routes
from polyclinic.services.billing.routes.charges import charge_routes
from polyclinic.services.billing.routes.claims import claim_routes
from polyclinic.services.billing.routes.estimates import estimate_routes
from polyclinic.services.billing.routes.fees import fee_routes
from polyclinic.services.billing.routes.fhir import (
    adopt_routes,
    fhir_routes,
    statement_route,
)
from polyclinic.services.billing.routes.files import file_routes
from polyclinic.services.billing.routes.payments import payment_routes
from polyclinic.services.billing.routes.people import people_routes
from polyclinic.services.billing.routes.statements import bill_routes
from polyclinic.services.billing.routes.work import work_routes

routes = (
    statement_route,
    *adopt_routes,
    *bookkeeping_routes,
    *claim_routes,
    *file_routes,
    *bill_routes,
    *payment_routes,
    *charge_routes,
    *fee_routes,
    *people_routes,
    *estimate_routes,
    *work_routes,
    *fhir_routes,
)
