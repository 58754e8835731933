"""What migration does when owners speak: what was written here goes back to the old system."""

from collections.abc import Sequence

from polyclinic.foundation.database import Transaction
from polyclinic.foundation.events import Told
from polyclinic.foundation.service import Reaction, Running
from polyclinic.services.migration.actions import data, returning
from polyclinic.services.migration.domain.crossing import BOOKING

# What is moved at all; of the rest of records, and of appointments, nothing is sent here.
TYPES = (
    "Patient",
    "AllergyIntolerance",
    "Condition",
    "MedicationStatement",
    "Observation",
    "Encounter",
    "ServiceRequest",
    "Coverage",
    BOOKING,
)


async def take_back(running: Running, tx: Transaction, told: Sequence[Told]) -> None:
    """Raises Unavailable while the old system does not answer: the feed is read again then."""
    ways = (await data.ways(running.state)).values()
    for each in told:
        kind, name, version = each.subject.split("/")
        for way in ways:
            await returning.take_back(way, tx, kind, name, int(version))


reactions = tuple(
    Reaction("appointments" if kind == BOOKING else "records", said, take_back, kind)
    for kind in TYPES
    for said in ("ResourceCreated", "ResourceUpdated", "ResourceDeleted")
)
