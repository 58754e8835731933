"""The portal's pages by address."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from polyclinic.foundation.html import static_routes
from polyclinic.services.portal.pages import clinician, desk, patient, signing
from polyclinic.services.portal.pages.door import PACKAGE, STATIC


async def get_favicon(_: Request) -> Response:
    """Browsers ask for this name whatever the page says."""
    return RedirectResponse(
        f"{STATIC}/favicon.svg", 308, {"Cache-Control": "public, max-age=86400"}
    )


routes = (
    Route("/", signing.get_root),
    Route("/favicon.ico", get_favicon),
    Route("/sign-in", signing.get_sign_in),
    Route("/signed-in", signing.get_signed_in),
    Route("/sign-out", signing.post_sign_out, methods=["POST"]),
    Route("/signed-out", signing.get_signed_out),
    Route("/session/left", signing.get_left),
    Route("/session/stay", signing.post_stay, methods=["POST"]),
    Route("/session/theme", signing.post_theme, methods=["POST"]),
    Route("/home", patient.get_home),
    Route("/results", patient.get_results),
    Route("/results/{code}", patient.get_trend),
    Route("/medicines", patient.get_medicines),
    Route("/conditions", patient.get_conditions),
    Route("/patients", clinician.get_patients, methods=["GET"]),
    Route("/patients", clinician.post_patients, methods=["POST"]),
    Route("/patients/{patient_id}", clinician.get_summary),
    Route("/patients/{patient_id}/results", clinician.get_results),
    Route("/patients/{patient_id}/results/{code}", clinician.get_trend),
    Route("/patients/{patient_id}/medicines", clinician.get_medicines),
    Route("/patients/{patient_id}/problems", clinician.get_problems),
    Route("/patients/{patient_id}/visits", clinician.get_visits),
    Route("/desk", desk.get_desk, methods=["GET"]),
    Route("/desk", desk.post_desk, methods=["POST"]),
    Route("/desk/{patient_id}", desk.get_desk_patient),
    Route("/admin", desk.get_admin),
    Route("/welcome", desk.get_welcome),
    *static_routes(STATIC, PACKAGE),
)
