"""The waiting list: who wants a visit when a place comes free."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction

_COLUMNS: LiteralString = (
    "id, patient, person, visit_type, practitioner, site, from_day, until_day, status, offered,"
    " offer_ends, made"
)
_LIST: LiteralString = (
    f"SELECT {_COLUMNS} FROM appointments.waiting"  # noqa: S608 (constants)
    " WHERE ($1::bigint IS NULL OR person = $1)"
    " AND (status IN ('waiting', 'offered') OR $1::bigint IS NOT NULL)"
    " AND until_day >= current_date - 1 ORDER BY made LIMIT 500"
)
_LOCK: LiteralString = f"SELECT {_COLUMNS} FROM appointments.waiting WHERE id = $1 FOR UPDATE"  # noqa: S608 (constants)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody who waits; `offered` is the hold of a place that was offered."""

    id: UUID
    patient: str
    person: int
    visit_type: str
    practitioner: str | None
    site: str | None
    from_day: date
    until_day: date
    status: str = "waiting"
    offered: UUID | None = None
    offer_ends: datetime | None = None
    made: datetime | None = None


async def add(tx: Transaction, new: Waiting) -> None:
    query = (
        "INSERT INTO appointments.waiting (id, patient, person, visit_type, practitioner, site,"
        " from_day, until_day, status, made) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
    )
    await tx.execute(
        query, new.id, new.patient, new.person, new.visit_type, new.practitioner, new.site,
        new.from_day, new.until_day, new.status, new.made,
    )  # fmt: skip


async def listed(database: Database, person: int | None) -> list[Waiting]:
    """The patient's entries, or everybody who still waits."""
    return [_waiting(row) for row in await database.fetch(_LIST, person)]


async def lock(tx: Transaction, name: UUID) -> Waiting | None:
    row = await tx.fetchrow(_LOCK, name)
    return _waiting(row) if row else None


async def offer(tx: Transaction, name: UUID, hold: UUID, seconds: int) -> None:
    query = (
        "UPDATE appointments.waiting SET status = 'offered', offered = $2,"
        " offer_ends = now() + make_interval(secs => $3) WHERE id = $1"
    )
    await tx.execute(query, name, hold, seconds)


async def end(tx: Transaction, name: UUID, status: str) -> None:
    await tx.execute("UPDATE appointments.waiting SET status = $2 WHERE id = $1", name, status)


async def settle(database: Database) -> None:
    """Offers that were taken up are booked; those that ended wait again."""
    await database.execute(
        "UPDATE appointments.waiting w SET status = 'booked' WHERE status = 'offered'"
        " AND EXISTS (SELECT FROM appointments.appointment a WHERE a.id = w.offered)"
    )
    await database.execute(
        "UPDATE appointments.waiting SET status = 'waiting', offered = NULL, offer_ends = NULL"
        " WHERE status = 'offered' AND offer_ends < now()"
    )


def _waiting(row: Row) -> Waiting:
    return Waiting(*row.values())
