"""What insights does when records and appointments speak: what changed is noted."""

from collections.abc import Sequence

from polyclinic.foundation.database import Transaction
from polyclinic.foundation.events import Told
from polyclinic.foundation.service import Reaction, Running
from polyclinic.services.insights.actions.state import Engine
from polyclinic.services.insights.store import work

# What scores are made of; of the rest of records nothing is sent here.
TYPES = (
    "Patient",
    "Observation",
    "Condition",
    "Encounter",
    "Procedure",
    "MedicationRequest",
    "MedicationStatement",
    "QuestionnaireResponse",
    "List",
    # Who does not want to be learned from or scored.
    "Consent",
)
# Who is booked, and who came: nobody is scored by it but for whether they will come.
VISIT = "Appointment"


async def note(running: Running, tx: Transaction, told: Sequence[Told]) -> None:
    """One row a resource, in the transaction that notes the event; the worker is woken."""
    engine: Engine = running.state
    await work.note(tx, [(each.subject, each.at) for each in told])
    engine.more.set()


_SAID = ("ResourceCreated", "ResourceUpdated", "ResourceDeleted")
# Without the appointments service they are plain documents of records.
reactions = (
    *(Reaction("records", said, note, kind) for kind in (*TYPES, VISIT) for said in _SAID),
    *(Reaction("appointments", said, note, VISIT) for said in _SAID),
)
