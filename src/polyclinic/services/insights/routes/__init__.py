"""The doors of insights: work that waits, lists, charts, cards, calculators and models."""

from polyclinic.services.insights.routes.calculators import calculator_routes
from polyclinic.services.insights.routes.cds_hooks import cds_routes
from polyclinic.services.insights.routes.chart import chart_routes
from polyclinic.services.insights.routes.models import model_routes
from polyclinic.services.insights.routes.waiting import waiting_routes
from polyclinic.services.insights.routes.worklist import worklist_routes

routes = (
    *waiting_routes,
    *worklist_routes,
    *chart_routes,
    *cds_routes,
    *calculator_routes,
    *model_routes,
)
