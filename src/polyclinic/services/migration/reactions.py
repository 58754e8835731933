"""What migration does when records speak: what was written here goes back to the old system."""

from collections.abc import Sequence

from polyclinic.foundation.database import Transaction
from polyclinic.foundation.events import Told
from polyclinic.foundation.service import Reaction, Running
from polyclinic.services.migration.actions import data, returning

# What is moved at all; of the rest of records nothing is sent here.
TYPES = (
    "Patient",
    "AllergyIntolerance",
    "Condition",
    "MedicationStatement",
    "Observation",
    "Encounter",
    "ServiceRequest",
    "Coverage",
)


async def take_back(running: Running, tx: Transaction, told: Sequence[Told]) -> None:
    """Raises Unavailable while the old system does not answer: the feed is read again then."""
    ways = (await data.ways(running.state)).values()
    for each in told:
        kind, name, version = each.subject.split("/")
        for way in ways:
            await returning.take_back(way, tx, kind, name, int(version))


reactions = tuple(
    Reaction("records", said, take_back, kind)
    for kind in TYPES
    for said in ("ResourceCreated", "ResourceUpdated", "ResourceDeleted")
)
