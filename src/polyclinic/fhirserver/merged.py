"""Follows records when it says which patients are one person."""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime

from polyclinic.fhirserver.door import FhirServer
from polyclinic.fhirserver.store import merging
from polyclinic.fhirserver.store.merging import Merge
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.events import Event, Told
from polyclinic.foundation.service import Reaction, Running


class Said(Event, frozen=True, kw_only=True):
    """Two records and the merge that joins or joined them, as contracts/records.py has it."""

    merge: str
    winner: str
    loser: str
    at: datetime


def following(server_of: Callable[[Running], FhirServer]) -> tuple[Reaction, ...]:
    """The reactions of a service whose FHIR server `server_of` finds."""

    async def join(running: Running, tx: Transaction, told: Sequence[Told]) -> None:
        terms = server_of(running).store.terms
        for said in (each.read(Said) for each in told):
            merge = Merge(uuid.UUID(said.merge), said.loser, said.winner, said.at)
            await merging.begin(tx, terms, merge)

    async def part(running: Running, tx: Transaction, told: Sequence[Told]) -> None:
        terms = server_of(running).store.terms
        for said in (each.read(Said) for each in told):
            await merging.end(tx, terms, uuid.UUID(said.merge), said.at)

    return (
        Reaction("records", "PatientsMerged", join),
        Reaction("records", "PatientsParted", part),
    )
