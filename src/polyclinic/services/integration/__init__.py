"""Integration: talks with what a hospital already has, and loses nothing on the way.

Owns Subscription; channels, the messages that came by them, and what was made of each. A message
is sealed before it is acknowledged; its effects are the owners' own: integration asks records,
appointments and billing in its own name. What it says: docs/reference/events.md.
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
from polyclinic.foundation.service import Service
from polyclinic.services.integration.actions.state import OWNED
from polyclinic.services.integration.jobs import jobs
from polyclinic.services.integration.listeners.doors import open_doors
from polyclinic.services.integration.reactions import reactions
from polyclinic.services.integration.routes import routes
from polyclinic.services.integration.settings import IntegrationSettings

# What a message can say of a person is kept by its owner; integration writes it in its own name.
WRITES = (
    "Patient",
    "RelatedPerson",
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "Location",
    "Encounter",
    "EpisodeOfCare",
    "Coverage",
    "AllergyIntolerance",
    "Condition",
    "Observation",
    "Specimen",
    "DiagnosticReport",
    "ServiceRequest",
    "DocumentReference",
    "Composition",
    "Binary",
    "Immunization",
    "Medication",
    "MedicationRequest",
    "MedicationDispense",
    "MedicationAdministration",
    "MedicationStatement",
    "Procedure",
    "CarePlan",
    "CareTeam",
    "Goal",
    "Device",
    "FamilyMemberHistory",
    "Provenance",
    "Appointment",
    "ChargeItem",
)


async def _show_problem(request: Request, problem: Problem, status: int) -> Response:
    """FHIR clients read OperationOutcomes, everybody else JSON."""
    if request.url.path.startswith("/fhir"):
        return await show_fhir_problem(request, problem, status)
    return await show_json_problem(request, problem, status)


service = Service(
    name="integration",
    about="Talks with what a hospital already has: HL7 v2 messages, documents, subscriptions.",
    security_class="sealed",
    routes=routes,
    fronts=("/integration",),
    schema=Path(__file__).parent / "schema",
    mounts=(outbox.SCHEMA, trail.SCHEMA, dictionary.SCHEMA, once.SCHEMA),
    settings=IntegrationSettings,
    needs=("identity", "records", "appointments", "billing"),
    owns=OWNED,
    writes=WRITES,
    reads=(*WRITES, "Schedule", "Slot", "Account"),
    delegated=True,
    start=open_doors,
    says=True,
    jobs=jobs,
    reactions=reactions,
    trails=(access_trail,),
    show_problem=_show_problem,
    dictionaries=dictionary.dictionaries(),
)
