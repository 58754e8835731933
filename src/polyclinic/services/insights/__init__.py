"""Insights: what a chart says of somebody's risks, what to do next, and whether that helped.

Keeps pseudonyms, scores' places in a list and what people made of them: no name, no patient's id,
no value of a chart. Scores are made in memory of charts that are read in its own name, and written
to records as RiskAssessment; a list is resolved under the token of whoever asks for it. Hears what
changes in records and who is booked, says nothing. Stopped or absent, it is missed by nobody else.
"""

from pathlib import Path

from polyclinic.foundation import once, outbox
from polyclinic.foundation.once.door import show_problem
from polyclinic.foundation.service import Service
from polyclinic.services.insights.actions.opening import open_engine
from polyclinic.services.insights.jobs import jobs
from polyclinic.services.insights.reactions import TYPES, VISIT, reactions
from polyclinic.services.insights.routes import routes
from polyclinic.services.insights.settings import InsightsSettings

service = Service(
    name="insights",
    about="Tells risks with the reasons for them, and ranks whom to help first.",
    security_class="de-identified",
    routes=routes,
    fronts=("/insights", "/cds-services"),
    schema=Path(__file__).parent / "schema",
    mounts=(once.SCHEMA, outbox.SCHEMA),
    settings=InsightsSettings,
    needs=("identity", "records", "appointments"),
    writes=("RiskAssessment", "Provenance", "Device"),
    # Medications stand behind references; its own assessments are found again by a search.
    reads=(*TYPES, VISIT, "Medication", "RiskAssessment"),
    start=open_engine,
    jobs=jobs,
    reactions=reactions,
    show_problem=show_problem,
)
