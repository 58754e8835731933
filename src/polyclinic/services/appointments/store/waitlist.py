"""The waiting list: who wants a visit when a place comes free."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.services.appointments.domain.lifecycle import HOLDING

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
_CAME_TRUE: LiteralString = """
UPDATE appointments.waiting w SET status = 'booked'
WHERE status IN ('waiting', 'offered') AND (
    EXISTS (SELECT FROM appointments.appointment a WHERE a.id = w.offered)
    OR EXISTS (
        SELECT FROM appointments.appointment a
        JOIN unnest($1::text[], $2::text[]) AS s(site, zone) ON s.site = a.site
        WHERE a.person = w.person AND a.visit_type = w.visit_type AND a.made >= w.made
          AND a.status = ANY ($3::text[])
          AND (w.practitioner IS NULL OR w.practitioner = a.practitioner)
          AND (w.site IS NULL OR w.site = a.site)
          AND (to_timestamp(a.start_at * 300.0) AT TIME ZONE s.zone)::date
              BETWEEN w.from_day AND w.until_day))
RETURNING w.offered"""
_OFFER_ENDED: LiteralString = """
UPDATE appointments.waiting w SET status = 'waiting', offered = NULL, offer_ends = NULL
WHERE status = 'offered' AND offer_ends < now()
  AND NOT EXISTS (SELECT FROM appointments.appointment a WHERE a.id = w.offered)"""


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


async def take_up(tx: Transaction, hold: UUID) -> None:
    """The offered place was taken by moving an appointment to it."""
    await tx.execute("UPDATE appointments.waiting SET status = 'booked' WHERE offered = $1", hold)


async def settle(tx: Transaction, zones: Mapping[str, str]) -> list[UUID]:
    """Wishes that came true are booked; answers the offers among them that may still be held.

    True is an offer that was booked, and a visit booked since that is what was wished for, by the
    clock of its site (`zones`).
    """
    rows = await tx.fetch(_CAME_TRUE, list(zones), list(zones.values()), list(HOLDING))
    await tx.execute(_OFFER_ENDED)
    return [row["offered"] for row in rows if row["offered"] is not None]


def _waiting(row: Row) -> Waiting:
    return Waiting(*row.values())
