"""The doors of insights: work that waits, lists, charts, cards, calculators and models."""

from polyclinic.services.insights.routes.waiting import waiting_routes
from polyclinic.services.insights.routes.worklist import worklist_routes

routes = (*waiting_routes, *worklist_routes)
