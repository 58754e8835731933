"""Migration: leads a clinic from its old system to polyclinic, in steps that can be taken back.

Owns what is known of the old system (inventories, capabilities and what each maps to), the plan
with its waves and gates, and every decision that somebody made on the way. Knows no chart: an
inventory holds names of tables, templates of addresses and counts, never a value out of them.
What it moves it asks of its owner: charts of records, bookings of appointments.
"""

from pathlib import Path

from polyclinic.foundation import once, outbox
from polyclinic.foundation.once.door import show_problem
from polyclinic.foundation.service import Service
from polyclinic.services.migration.jobs import jobs
from polyclinic.services.migration.listeners import open_with_gateway
from polyclinic.services.migration.reactions import TYPES, reactions
from polyclinic.services.migration.routes import routes
from polyclinic.services.migration.settings import MigrationSettings

# What the gateway asks in migration's own name, for callers whom the old system let in.
READS = (
    "Patient",
    "AllergyIntolerance",
    "Condition",
    "MedicationRequest",
    "Observation",
    "Encounter",
    "Coverage",
    "Practitioner",
    "Location",
    "Appointment",
)

service = Service(
    name="migration",
    about="Leads from an old system to polyclinic in steps that can be taken back.",
    security_class="gateway",
    routes=routes,
    fronts=("/migration",),
    schema=Path(__file__).parent / "schema",
    mounts=(once.SCHEMA, outbox.SCHEMA),
    settings=MigrationSettings,
    needs=("identity", "records", "appointments", "billing"),
    writes=TYPES,
    reads=tuple(dict.fromkeys((*READS, *TYPES))),
    start=open_with_gateway,
    jobs=jobs,
    reactions=reactions,
    show_problem=show_problem,
)
