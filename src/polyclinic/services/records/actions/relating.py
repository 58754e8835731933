"""Learns who cares for whom: what clinicians' Grants rest on."""

from hashlib import sha256

from polyclinic.fhirserver.door import FhirServer
from polyclinic.foundation.database import Database, Transaction
from polyclinic.services.records import store
from polyclinic.services.records.domain import CareRelation


async def relate(server: FhirServer, database: Database, relations: list[CareRelation]) -> None:
    """Opens charts to practitioners, all of them or none."""
    async with database.transaction() as tx:
        await relate_in(server, tx, relations)


async def relate_in(server: FhirServer, tx: Transaction, relations: list[CareRelation]) -> None:
    """Keeps relations as keyed hashes, never ids; the same source again replaces what it said."""
    person = server.store.terms.person
    rows = [
        (
            person(relation.practitioner),
            person(relation.patient),
            sha256(relation.source.encode()).digest()[:16],
            relation.since,
            relation.until,
        )
        for relation in relations
    ]
    await store.save_relations(tx, rows)
