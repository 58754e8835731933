"""The doors of migration: what is known of the old system, the plan, and what was decided."""

from polyclinic.services.migration.routes.decisions import decision_routes

routes = (*decision_routes,)
