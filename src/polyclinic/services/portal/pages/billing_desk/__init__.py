"""The pages of billing's staff by address; /billing itself is the door of that service."""

from starlette.routing import Route

from polyclinic.services.portal.pages.billing_desk import (
    claims,
    coding,
    days,
    fees,
    files,
    payments,
    queues,
)

BASE = "/billing-desk"

billing_desk_routes = (
    Route(BASE, queues.get_queue),
    Route(f"{BASE}/submit", queues.post_submit, methods=["POST"]),
    Route(f"{BASE}/work/{{item}}/{{verb}}", queues.post_item, methods=["POST"]),
    Route(f"{BASE}/visits/{{visit}}", coding.get_visit, methods=["GET"]),
    Route(f"{BASE}/visits/{{visit}}", coding.post_visit, methods=["POST"]),
    Route(f"{BASE}/visits/{{visit}}/not-billable", coding.post_not_billable, methods=["POST"]),
    Route(f"{BASE}/claims", claims.get_claims),
    Route(f"{BASE}/claims/{{claim}}", claims.get_claim),
    Route(f"{BASE}/claims/{{claim}}/{{verb}}", claims.post_claim, methods=["POST"]),
    Route(f"{BASE}/files", files.get_files, methods=["GET"]),
    Route(f"{BASE}/files", files.post_file, methods=["POST"]),
    Route(f"{BASE}/files/{{file}}", files.get_file),
    Route(f"{BASE}/fees", fees.get_schedules, methods=["GET"]),
    Route(f"{BASE}/fees", fees.post_schedule, methods=["POST"]),
    Route(f"{BASE}/fees/{{schedule}}", fees.get_schedule),
    Route(f"{BASE}/days", days.get_days, methods=["GET"]),
    Route(f"{BASE}/days", days.post_day, methods=["POST"]),
    Route(f"{BASE}/patients", payments.get_patients, methods=["GET"]),
    Route(f"{BASE}/patients", payments.post_patients, methods=["POST"]),
    Route(f"{BASE}/patients/{{patient_id}}", payments.get_account, methods=["GET"]),
    Route(f"{BASE}/patients/{{patient_id}}", payments.post_account, methods=["POST"]),
    Route(f"{BASE}/payments/{{payment}}", payments.get_payment),
    Route(f"{BASE}/payments/{{payment}}/refund", payments.post_refund, methods=["POST"]),
    # From the day's calendar: the visit of an appointment.
    Route("/schedule/visits/{visit}/code", coding.post_of_appointment, methods=["POST"]),
)
