"""The pages of the move by address; /migration itself is the door of that service."""

from starlette.routing import Route

from polyclinic.services.portal.pages.migration import live, looking, planning

BASE = "/move"

migration_routes = (
    Route(BASE, looking.get_overview),
    Route(f"{BASE}/plan", planning.get_plan, methods=["GET"]),
    Route(f"{BASE}/plan", planning.post_term, methods=["POST"]),
    Route(f"{BASE}/gates", planning.post_gate, methods=["POST"]),
    Route(f"{BASE}/routes", live.get_routes),
    Route(f"{BASE}/routes/{{capability}}", live.get_route),
    Route(f"{BASE}/routes/{{capability}}/{{verb}}", live.post_deed, methods=["POST"]),
    Route(f"{BASE}/kill", live.post_kill, methods=["POST"]),
    Route(f"{BASE}/differences", looking.get_differences, methods=["GET"]),
    Route(f"{BASE}/differences", looking.post_verdict, methods=["POST"]),
    Route(f"{BASE}/data", looking.get_data, methods=["GET"]),
    Route(f"{BASE}/data", looking.post_data, methods=["POST"]),
    Route(f"{BASE}/decisions", looking.get_decisions),
)
