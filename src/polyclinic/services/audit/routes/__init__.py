"""The doors of audit: the tree and its proofs, AuditEvents, who saw what, and disclosures."""

from polyclinic.services.audit.routes.disclosures import disclosure_routes
from polyclinic.services.audit.routes.fhir import fhir_routes
from polyclinic.services.audit.routes.seen import seen_routes
from polyclinic.services.audit.routes.tree import tree_routes

routes = (*tree_routes, *seen_routes, *disclosure_routes, *fhir_routes)
