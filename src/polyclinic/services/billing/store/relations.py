"""Which clinician sees whose charges at the FHIR door, as opaque numbers."""

from polyclinic.foundation.database import Transaction


async def add(tx: Transaction, practitioner: int, patient: int, source: bytes) -> None:
    await tx.execute(
        "INSERT INTO billing.relation (practitioner, patient, source) VALUES ($1, $2, $3)"
        " ON CONFLICT (practitioner, patient, source) DO UPDATE SET until = NULL",
        practitioner,
        patient,
        source,
    )
