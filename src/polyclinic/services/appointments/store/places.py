"""Atoms: who has which five minutes. What the primary key refuses, nobody gets."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import LiteralString, NamedTuple
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.foundation.once import Once
from polyclinic.services.appointments.domain.atoms import Range
from polyclinic.services.appointments.domain.values import Place

# Shared visits: the group has the clinician's atoms, its members have a seat each.
SEAT_RESOURCE = 1 << 40
SEATS_MAX = 1024


class Want(NamedTuple):
    """A run of atoms that one booking needs, all of it or none."""

    resource: int
    first: int
    last: int


class Asked(NamedTuple):
    """One booking's wants, with the claim of its idempotency key, if it has one."""

    booking: UUID
    wants: tuple[Want, ...]
    once: Once | None
    hold_seconds: int | None = None


class Took(NamedTuple):
    """What a booking got: whether its key was new, and the resources it did not get whole."""

    is_new: bool
    lacking: frozenset[int]


# Claims and atoms in one statement: a repeated key takes nothing. An atom is taken over when it is
# the same booking's (a hold that is confirmed) or when its hold has ended.
_TAKE: LiteralString = """
WITH claim AS (
    SELECT * FROM unnest($1::bytea[], $2::bytea[]) AS t(name, body)),
claimed AS (
    INSERT INTO appointments.answered (name, body)
    SELECT name, body FROM claim ORDER BY name
    ON CONFLICT (name) DO NOTHING RETURNING name),
wanted AS (
    SELECT w.resource, generate_series(w.first, w.last - 1) AS at, w.booking, w.hold
    FROM unnest($3::bigint[], $4::int[], $5::int[], $6::uuid[], $7::bytea[], $8::int[])
         AS w(resource, first, last, booking, name, hold)
    WHERE w.name IS NULL OR w.name IN (SELECT name FROM claimed)),
took AS (
    INSERT INTO appointments.atom AS a (resource, at, booking, expires)
    SELECT resource, at, booking, now() + make_interval(secs => hold)
    FROM wanted ORDER BY resource, at
    ON CONFLICT (resource, at) DO UPDATE SET booking = excluded.booking, expires = CASE
        WHEN a.booking <> excluded.booking THEN excluded.expires
        WHEN a.expires IS NULL OR excluded.expires IS NULL THEN NULL
        ELSE greatest(a.expires, excluded.expires) END
    WHERE a.booking = excluded.booking OR a.expires < now()
    RETURNING resource, booking)
SELECT booking, resource, count(*) AS count, NULL::bytea AS name
FROM took GROUP BY booking, resource
UNION ALL SELECT NULL, NULL, 0, name FROM claimed"""

_GIVE_BACK: LiteralString = """
WITH atoms AS (DELETE FROM appointments.atom WHERE booking = ANY ($1::uuid[])),
holds AS (DELETE FROM appointments.hold WHERE id = ANY ($1::uuid[]))
DELETE FROM appointments.answered WHERE name = ANY ($2::bytea[])"""
_RELEASE: LiteralString = "DELETE FROM appointments.atom WHERE booking = $1"
# A confirmed hold's atoms have no end: whoever confirms at this moment keeps them.
_END_HOLDS: LiteralString = """
WITH atoms AS (
    DELETE FROM appointments.atom WHERE booking = ANY ($1::uuid[]) AND expires IS NOT NULL)
DELETE FROM appointments.hold WHERE id = ANY ($1::uuid[])"""


async def take(tx: Transaction, asks: Sequence[Asked]) -> list[Took]:
    """Takes what can be had; no two asks of one call may want the same atom.

    Atoms that others have are locked: who gives them back meanwhile sees what this call leads to.
    """
    claims = [ask.once for ask in asks if ask.once is not None]
    wants = [
        (*want, ask.booking, ask.once.name if ask.once else None, ask.hold_seconds)
        for ask in asks
        for want in ask.wants
    ]
    rows = await tx.fetch(
        _TAKE, [c.name for c in claims], [c.body for c in claims], *_turned(wants, 6)
    )
    claimed = {row["name"] for row in rows if row["name"] is not None}
    got = {(row["booking"], row["resource"]): row["count"] for row in rows if row["booking"]}
    return [_took(ask, claimed, got) for ask in asks]


@asynccontextmanager
async def undone_alone(tx: Transaction) -> AsyncGenerator[None, None]:
    """What is taken within it is given back when it raises; the transaction goes on."""
    async with tx.connection.transaction():
        yield


def _took(ask: Asked, claimed: set[bytes], got: dict[tuple[UUID, int], int]) -> Took:
    lacking = frozenset(
        want.resource
        for want in ask.wants
        if got.get((ask.booking, want.resource), 0) != want.last - want.first
    )
    return Took(ask.once is None or ask.once.name in claimed, lacking)


async def give_back(tx: Transaction, bookings: Iterable[UUID], names: Iterable[bytes]) -> None:
    """Undoes what lost bookings took, claims included."""
    await tx.execute(_GIVE_BACK, sorted(bookings), sorted(names))


async def release(tx: Transaction, booking: UUID) -> None:
    """Gives an appointment's atoms back, or those under which a shared visit has its clinician."""
    await tx.execute(_RELEASE, booking)


async def end_holds(tx: Transaction, holds: Iterable[UUID]) -> None:
    """Gives back what is still held; what was confirmed is an appointment's."""
    listed = sorted(holds)
    if listed:
        await tx.execute(_END_HOLDS, listed)


async def taken_seats(
    tx: Transaction, clinician: int, start: int, but_of: UUID | None = None
) -> set[int]:
    """The seats of a shared visit that others have; its own atoms must be locked by then."""
    query = (
        "SELECT resource FROM appointments.atom WHERE resource >= $1 AND resource < $2 AND at = $3"
        " AND (expires IS NULL OR expires > now()) AND booking IS DISTINCT FROM $4"
    )
    low = seat_resource(clinician, 0)
    rows = await tx.fetch(query, low, low + SEATS_MAX, start, but_of)
    return {row["resource"] - low for row in rows}


async def adopt_hold(tx: Transaction, hold: UUID, booking: UUID) -> None:
    """What is still a hold's own becomes a booking's; what was taken over since stays away."""
    query = "UPDATE appointments.atom SET booking = $2, expires = NULL WHERE booking = $1"
    await tx.execute(query, hold, booking)
    await end_holds(tx, [hold])


async def release_others(tx: Transaction, booking: UUID, wants: Sequence[Want]) -> None:
    """After a move: gives back what the booking no longer needs."""
    query = (
        "DELETE FROM appointments.atom a WHERE a.booking = $1 AND NOT EXISTS ("
        " SELECT FROM unnest($2::bigint[], $3::int[], $4::int[]) AS w(resource, first, last)"
        " WHERE w.resource = a.resource AND a.at >= w.first AND a.at < w.last)"
    )
    await tx.execute(query, booking, *_turned(list(wants), 3))


async def lock_atoms(tx: Transaction, booking: UUID) -> None:
    query = "SELECT 1 FROM appointments.atom WHERE booking = $1 ORDER BY resource, at FOR UPDATE"
    await tx.fetch(query, booking)


async def add_hold(tx: Transaction, hold: UUID, holder: bytes, place: Place, seconds: int) -> None:
    query = (
        "INSERT INTO appointments.hold (id, holder, clinician, room, visit_type, site, start_at,"
        " first_at, last_at, seat, expires)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now() + make_interval(secs => $11))"
    )
    seat = place.seats.first if place.is_shared else None
    await tx.execute(
        query, hold, holder, place.clinician, place.room, place.visit_type, place.site,
        place.start, *place.around, seat, seconds,
    )  # fmt: skip


class Held(NamedTuple):
    """A hold as it stands; its time may have passed."""

    id: UUID
    holder: bytes
    clinician: int
    room: int | None
    visit_type: str
    site: str
    start: int
    around: Range
    seat: int | None

    @property
    def is_shared(self) -> bool:
        return self.seat is not None


_HELD: LiteralString = (
    "SELECT id, holder, clinician, room, visit_type, site, start_at, first_at, last_at, seat"
    " FROM appointments.hold h WHERE "
)
_ONE: LiteralString = _HELD + "id = $1"
_ONE_LOCKED: LiteralString = _ONE + " FOR UPDATE"
_OF_HOLDER: LiteralString = (
    _HELD + "holder = $1 AND NOT EXISTS ("
    " SELECT FROM appointments.waiting w WHERE w.offered = h.id AND w.status = 'offered')"
    " ORDER BY id FOR UPDATE OF h"
)
_ENDED: LiteralString = (
    _HELD + "expires < now() - interval '30 seconds' ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED"
)


async def find_hold(database: Database, hold: UUID) -> Held | None:
    row = await database.fetchrow(_ONE, hold)
    return _held(row) if row else None


async def lock_hold(tx: Transaction, hold: UUID) -> list[Held]:
    """The hold, or nothing when it was confirmed or has ended."""
    return [_held(row) for row in await tx.fetch(_ONE_LOCKED, hold)]


async def lock_holds_of(tx: Transaction, holder: bytes) -> list[Held]:
    """All but the places that the desk offered from the waiting list: those are kept apart."""
    return [_held(row) for row in await tx.fetch(_OF_HOLDER, holder)]


async def lock_ended_holds(tx: Transaction, limit: int) -> list[Held]:
    """Holds that ended a while ago; a confirmation at the same moment is not disturbed."""
    return [_held(row) for row in await tx.fetch(_ENDED, limit)]


def seat_resource(clinician: int, seat: int) -> int:
    return SEAT_RESOURCE + clinician * SEATS_MAX + seat


def _held(row: Row) -> Held:
    return Held(
        row["id"], row["holder"], row["clinician"], row["room"], row["visit_type"], row["site"],
        row["start_at"], Range(row["first_at"], row["last_at"]), row["seat"],
    )  # fmt: skip


def _turned(rows: Sequence[Sequence[object]], width: int) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[]] * width
