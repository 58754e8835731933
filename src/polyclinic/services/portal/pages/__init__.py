"""The portal's pages by address."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from polyclinic.foundation.html import static_routes
from polyclinic.services.portal.pages import (
    bills,
    booking,
    clinician,
    desk,
    desk_booking,
    guests,
    patient,
    paying,
    schedule,
    seen,
    signing,
    visits,
)
from polyclinic.services.portal.pages.billing_desk import billing_desk_routes
from polyclinic.services.portal.pages.door import PACKAGE, STATIC
from polyclinic.services.portal.pages.insights import insight_routes
from polyclinic.services.portal.pages.messages import message_routes
from polyclinic.services.portal.pages.migration import migration_routes


async def get_favicon(_: Request) -> Response:
    """Browsers ask for this name whatever the page says."""
    return RedirectResponse(
        f"{STATIC}/favicon.svg", 308, {"Cache-Control": "public, max-age=86400"}
    )


routes = (
    Route("/", signing.get_root),
    *billing_desk_routes,
    *message_routes,
    *migration_routes,
    *insight_routes,
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
    Route("/who-saw", seen.get_seen),
    # Under /visits, because /appointments is the door of that service itself.
    Route("/visits", visits.get_visits),
    Route("/visits/book", booking.get_kinds, methods=["GET"]),
    Route("/visits/book", booking.post_kind, methods=["POST"]),
    Route("/visits/book/{draft}/time", booking.get_times, methods=["GET"]),
    Route("/visits/book/{draft}/time", booking.post_time, methods=["POST"]),
    Route("/visits/book/{draft}/about", booking.get_about, methods=["GET"]),
    Route("/visits/book/{draft}/about", booking.post_about, methods=["POST"]),
    Route("/visits/book/{draft}/check", booking.get_check, methods=["GET"]),
    Route("/visits/book/{draft}/check", booking.post_check, methods=["POST"]),
    Route("/visits/book/{draft}/wait", booking.post_wait, methods=["POST"]),
    Route("/visits/{visit}/appointment.ics", visits.get_invitation),
    Route("/visits/{visit}/booked", visits.get_booked),
    Route("/visits/{visit}/change", visits.get_change),
    Route("/visits/{visit}/cancel", visits.get_cancel, methods=["GET"]),
    Route("/visits/{visit}/cancel", visits.post_cancel, methods=["POST"]),
    Route("/bills", bills.get_bills),
    Route("/bills/pay", paying.get_pay, methods=["GET"]),
    Route("/bills/pay", paying.post_pay, methods=["POST"]),
    Route("/bills/back", paying.get_back),
    Route("/bills/payments/{payment}", paying.get_payment),
    Route("/bills/payments/{payment}/receipt", paying.get_receipt),
    Route("/bills/payments/{payment}/receipt.pdf", paying.get_receipt_pdf),
    Route("/bills/plan", paying.get_plan, methods=["GET"]),
    Route("/bills/plan", paying.post_plan, methods=["POST"]),
    Route("/bills/plan/end", paying.post_plan_end, methods=["POST"]),
    Route("/bills/estimates/{estimate}", bills.get_estimate),
    Route("/bills/{bill}", bills.get_bill),
    Route("/bills/{bill}/bill.pdf", bills.get_bill_pdf),
    # With the link on a bill, for people who are not signed in.
    Route("/pay/back", guests.get_back),
    Route("/pay/{word}", guests.get_link, methods=["GET"]),
    Route("/pay/{word}", guests.post_link, methods=["POST"]),
    Route("/pay/{word}/amount", guests.post_amount, methods=["POST"]),
    Route("/my-day", schedule.get_my_day),
    Route("/schedule", schedule.get_schedule),
    Route("/schedule/book", desk_booking.get_who, methods=["GET"]),
    Route("/schedule/book", desk_booking.post_who, methods=["POST"]),
    Route("/schedule/book/{draft}", desk_booking.get_when, methods=["GET"]),
    Route("/schedule/book/{draft}", desk_booking.post_when, methods=["POST"]),
    Route("/schedule/book/{draft}/check", desk_booking.get_check, methods=["GET"]),
    Route("/schedule/book/{draft}/check", desk_booking.post_check, methods=["POST"]),
    Route("/schedule/offer/{waiting}", desk_booking.get_offer),
    Route("/schedule/visits/{visit}", schedule.get_visit),
    Route("/schedule/visits/{visit}/move", desk_booking.get_move),
    Route("/schedule/visits/{visit}/cancel", schedule.post_cancel, methods=["POST"]),
    Route("/schedule/visits/{visit}/{verb}", schedule.post_step, methods=["POST"]),
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
    Route("/admin/events", desk.get_events),
    Route("/admin/events/{service}/{event}", desk.post_event, methods=["POST"]),
    Route("/welcome", desk.get_welcome),
    *static_routes(STATIC, PACKAGE),
)
