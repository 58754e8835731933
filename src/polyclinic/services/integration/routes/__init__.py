"""The doors of integration: messages, channels, its own JSON, and FHIR."""

from polyclinic.services.integration.routes.fhir import adopt_routes, fhir_routes, statement_route

routes = (statement_route, *adopt_routes, *fhir_routes)
