"""The doors of migration: what is known of the old system, the plan, and what was decided."""

from polyclinic.services.migration.routes.data import data_routes
from polyclinic.services.migration.routes.decisions import decision_routes
from polyclinic.services.migration.routes.findings import finding_routes
from polyclinic.services.migration.routes.inventories import inventory_routes
from polyclinic.services.migration.routes.plans import plan_routes
from polyclinic.services.migration.routes.rollouts import rollout_routes

routes = (
    *decision_routes,
    *inventory_routes,
    *plan_routes,
    *rollout_routes,
    *finding_routes,
    *data_routes,
)
