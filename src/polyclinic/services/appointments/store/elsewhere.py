"""The audit of bookings that other systems made."""

from uuid import UUID

from polyclinic.foundation.database import Transaction


async def add(tx: Transaction, name: UUID, actor: str, *, in_hours: bool) -> None:
    query = (
        "INSERT INTO appointments.elsewhere (appointment, at, actor, in_hours)"
        " VALUES ($1, clock_timestamp(), $2, $3)"
    )
    await tx.execute(query, name, actor, in_hours)
