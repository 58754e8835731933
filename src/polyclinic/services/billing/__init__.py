"""Billing: from a visit to a paid bill, in a ledger that cannot be wrong.

Owns Account, ChargeItem, ChargeItemDefinition, Invoice, PaymentNotice and PaymentReconciliation;
the ledger (double entry, append-only), claims in work, X12 both ways, statements and payments.
Publishes Claim, ClaimResponse and ExplanationOfBenefit to records. Hears that a visit took place.
What was done to whom is sealed under the patient's key; amounts and opaque ids are readable.
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
from polyclinic.services.billing.actions.opening import open_books
from polyclinic.services.billing.actions.state import OWNED
from polyclinic.services.billing.jobs import jobs
from polyclinic.services.billing.reactions import reactions
from polyclinic.services.billing.routes import routes
from polyclinic.services.billing.settings import BillingSettings


async def _show_problem(request: Request, problem: Problem, status: int) -> Response:
    """FHIR clients read OperationOutcomes, our own pages read JSON."""
    if request.url.path.startswith("/fhir"):
        return await show_fhir_problem(request, problem, status)
    return await show_json_problem(request, problem, status)


service = Service(
    name="billing",
    about="Turns visits into charges, claims, bills and payments, in a ledger that balances.",
    security_class="sealed",
    routes=routes,
    fronts=("/billing",),
    schema=Path(__file__).parent / "schema",
    mounts=(outbox.SCHEMA, trail.SCHEMA, dictionary.SCHEMA, once.SCHEMA),
    settings=BillingSettings,
    needs=("identity", "records"),
    owns=OWNED,
    writes=("Claim", "ClaimResponse", "ExplanationOfBenefit"),
    reads=("Patient", "Encounter", "Coverage"),
    start=open_books,
    says=True,
    jobs=jobs,
    reactions=reactions,
    trails=(access_trail,),
    show_problem=_show_problem,
    dictionaries=dictionary.dictionaries(),
)
