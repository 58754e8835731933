"""Appointments: who is where and when, for clinicians, rooms and patients alike.

Owns Schedule, Slot, Appointment and AppointmentResponse, the clinic's set-up, holds and the
waiting list. Says AppointmentBooked and its kin (contracts/appointments.py). Knows nobody's name,
contact or chart: ids are opaque, and why somebody comes is sealed under the patient's key.
"""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.fhirserver import dictionary
from polyclinic.fhirserver.door import show_problem as show_fhir_problem
from polyclinic.fhirserver.store.trail import access_trail
from polyclinic.foundation import once, outbox, trail
from polyclinic.foundation.errors import Problem
from polyclinic.foundation.once.door import show_problem as show_json_problem
from polyclinic.foundation.service import Job, Service
from polyclinic.services.appointments.actions.opening import open_desk
from polyclinic.services.appointments.jobs import audit, count_terms, keep_log_months, sweep
from polyclinic.services.appointments.reactions import reactions
from polyclinic.services.appointments.routes import routes
from polyclinic.services.appointments.settings import AppointmentsSettings


async def _show_problem(request: Request, problem: Problem, status: int) -> Response:
    """FHIR clients read OperationOutcomes, our own pages read JSON."""
    if request.url.path.startswith("/fhir"):
        return await show_fhir_problem(request, problem, status)
    return await show_json_problem(request, problem, status)


service = Service(
    name="appointments",
    about="Knows who is where and when: hours, openings, bookings and the day's arrivals.",
    security_class="lean",
    routes=routes,
    fronts=("/appointments",),
    schema=Path(__file__).parent / "schema",
    mounts=(outbox.SCHEMA, trail.SCHEMA, once.SCHEMA, dictionary.SCHEMA),
    settings=AppointmentsSettings,
    needs=("identity",),
    owns=("Schedule", "Slot", "Appointment", "AppointmentResponse"),
    start=open_desk,
    says=True,
    reactions=reactions,
    jobs=(
        Job("end holds", 30, sweep),
        Job("audit", 24 * 3600, audit),
        Job("count terms", 120, count_terms),
        Job("keep log months", 6 * 3600, keep_log_months),
    ),
    trails=(access_trail,),
    show_problem=_show_problem,
    dictionaries=dictionary.dictionaries(),
)
