"""Audit: proves who saw what, and that nobody changed the record of it.

Owns AuditEvent. Gathers every service's trail after the fact into one Merkle tree, signs how it
stands, and anchors that outside the database; keeps the ledger of disclosures. Says nothing; hears
which records are one person's. Stopped or absent, nobody else notices: the services' own logs are
written where they always were, and are taken in later.
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
from polyclinic.services.audit.actions.opening import OWNED, open_engine
from polyclinic.services.audit.jobs import jobs
from polyclinic.services.audit.reactions import reactions
from polyclinic.services.audit.routes import routes
from polyclinic.services.audit.settings import AuditSettings
from polyclinic.services.audit.store.disclosures import disclosures_trail, suppressions_trail


async def _show_problem(request: Request, problem: Problem, status: int) -> Response:
    """FHIR clients read OperationOutcomes, everybody else JSON."""
    if request.url.path.startswith("/fhir"):
        return await show_fhir_problem(request, problem, status)
    return await show_json_problem(request, problem, status)


service = Service(
    name="audit",
    about="Proves who saw what, and that nobody changed the record of it.",
    security_class="append-only",
    routes=routes,
    fronts=("/audit",),
    schema=Path(__file__).parent / "schema",
    mounts=(outbox.SCHEMA, trail.SCHEMA, dictionary.SCHEMA, once.SCHEMA),
    settings=AuditSettings,
    needs=("identity",),
    owns=OWNED,
    start=open_engine,
    jobs=jobs,
    reactions=reactions,
    trails=(access_trail, disclosures_trail, suppressions_trail),
    gathers=True,
    show_problem=_show_problem,
    dictionaries=dictionary.dictionaries(),
)
