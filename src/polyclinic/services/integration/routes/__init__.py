"""The doors of integration: messages, channels, its own JSON, and FHIR."""

from polyclinic.services.integration.routes.channels import channel_routes
from polyclinic.services.integration.routes.fhir import adopt_routes, fhir_routes, statement_route
from polyclinic.services.integration.routes.matching import matching_routes
from polyclinic.services.integration.routes.messages import message_routes
from polyclinic.services.integration.routes.sheets import sheet_routes
from polyclinic.services.integration.routes.systems import system_routes
from polyclinic.services.integration.routes.webhooks import webhook_routes

routes = (
    statement_route,
    *adopt_routes,
    *channel_routes,
    *message_routes,
    *matching_routes,
    *sheet_routes,
    *webhook_routes,
    *system_routes,
    *fhir_routes,
)
