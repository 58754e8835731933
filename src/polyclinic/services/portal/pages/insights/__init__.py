"""The pages on risks by address; /insights itself is the door of that service."""

from starlette.routing import Route

from polyclinic.services.portal.pages.insights import models, risks, worklist

_CHART = "/patients/{patient_id}/risks"
_MODEL = "/models/{model}/{version}"

insight_routes = (
    Route(_CHART, risks.get_risks),
    Route(f"{_CHART}/release", risks.post_release, methods=["POST"]),
    Route(f"{_CHART}/{{kind}}/{{key}}", risks.get_source),
    Route("/worklist", worklist.get_worklist),
    Route("/worklist/{assessment}", worklist.post_decision, methods=["POST"]),
    Route("/models", models.get_models),
    Route("/models/learn", models.post_training, methods=["POST"]),
    Route(_MODEL, models.get_model),
    Route(f"{_MODEL}/{{verb}}", models.post_step, methods=["POST"]),
)
