"""Records: the clinic's charts, sealed under each patient's own key, and who looked at them.

Owns every FHIR type that no other installed service owns, the import ledger and the care
relations. Says that resources changed (outbox). Knows nothing of appointments or money.
"""

from pathlib import Path

from polyclinic.fhirserver import dictionary
from polyclinic.fhirserver.door import show_problem
from polyclinic.fhirserver.store.trail import access_trail
from polyclinic.foundation import once, outbox, trail
from polyclinic.foundation.service import Job, Service
from polyclinic.services.records.jobs import count_terms, keep_log_months, sweep
from polyclinic.services.records.reactions import reactions
from polyclinic.services.records.routes import routes, start
from polyclinic.services.records.settings import RecordsSettings

_HERE = Path(__file__).parent

service = Service(
    name="records",
    about="Keeps patients' charts, each sealed under the patient's own key.",
    security_class="sealed",
    routes=routes,
    fronts=("/fhir", "/records"),
    schema=_HERE / "schema",
    mounts=(outbox.SCHEMA, trail.SCHEMA, dictionary.SCHEMA, once.SCHEMA),
    settings=RecordsSettings,
    needs=("identity",),
    start=start,
    says=True,
    reactions=reactions,
    jobs=(
        Job("sweep", 600, sweep),
        Job("count terms", 120, count_terms),
        Job("keep log months", 6 * 3600, keep_log_months),
    ),
    trails=(access_trail,),
    show_problem=show_problem,
    dictionaries=dictionary.dictionaries(),
)
