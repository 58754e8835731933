"""Appointments as rows, and what of the calendar they take."""

from collections.abc import Sequence
from typing import Any, LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.services.appointments.domain.atoms import Range
from polyclinic.services.appointments.domain.lifecycle import HOLDING
from polyclinic.services.appointments.domain.values import Appointment, Place

_COLUMNS: LiteralString = (
    "id, patient, person, practitioner, clinician, room, visit_type, site, start_at, end_at,"
    " first_at, last_at, lower(seats) AS seat_first, upper(seats) AS seat_last, status,"
    " overbooked, version, made, arrived, checked_in, cancelled_by, reason_code, note"
)
_ONE: LiteralString = f"SELECT {_COLUMNS} FROM appointments.appointment WHERE id = $1"  # noqa: S608 (constants)
_ONE_LOCKED: LiteralString = _ONE + " FOR UPDATE"
# All that is to come, for a patient has one place at a time; of the rest the newest.
_OF_PATIENT: LiteralString = f"""
SELECT * FROM (
    (SELECT {_COLUMNS} FROM appointments.appointment
     WHERE person = $1 AND start_at >= $3 AND status <> 'cancelled')
    UNION ALL
    (SELECT {_COLUMNS} FROM appointments.appointment
     WHERE person = $1 AND start_at >= $2 AND (start_at < $3 OR status = 'cancelled')
     ORDER BY start_at DESC LIMIT 200)) AS found
ORDER BY start_at, id"""  # noqa: S608 (constants)
_OVERBOOKED: LiteralString = (
    f"SELECT {_COLUMNS} FROM appointments.appointment"  # noqa: S608 (constants)
    " WHERE overbooked AND status = ANY ($1::text[]) AND (clinician = $2 OR room = $3)"
    " AND first_at >= $4 - 256 AND first_at < $5 AND last_at > $4"
    " ORDER BY made, id FOR UPDATE"
)
# No visit is longer than 144 atoms, so the index need not be read from its beginning.
_OF_SPAN: LiteralString = (
    f"SELECT {_COLUMNS} FROM appointments.appointment"  # noqa: S608 (constants)
    " WHERE start_at < $2 AND start_at >= $1 - 144 AND end_at > $1"
    " AND ($3::text IS NULL OR site = $3) ORDER BY start_at, id LIMIT 2000"
)
_ADD: LiteralString = """
WITH added AS (
    INSERT INTO appointments.appointment
           (id, patient, person, practitioner, clinician, room, visit_type, site, start_at, end_at,
            first_at, last_at, seats, status, overbooked, note, made)
    SELECT id, patient, person, practitioner, clinician, room, visit_type, site, start_at, end_at,
           first_at, last_at, int4range(seat_first, seat_last), status, overbooked, note, now()
    FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::int[], $6::int[], $7::text[],
                $8::text[], $9::int[], $10::int[], $11::int[], $12::int[], $13::int[], $14::int[],
                $15::text[], $16::bool[], $17::bytea[])
         AS t(id, patient, person, practitioner, clinician, room, visit_type, site, start_at,
              end_at, first_at, last_at, seat_first, seat_last, status, overbooked, note)),
confirmed AS (DELETE FROM appointments.hold WHERE id = ANY ($1::uuid[]))
INSERT INTO appointments.relation (practitioner, patient, source)
SELECT * FROM unnest($18::bigint[], $19::bigint[], $20::bytea[])
ON CONFLICT DO NOTHING"""


async def add(
    tx: Transaction, made: Sequence[Appointment], relations: Sequence[tuple[int, int, bytes]]
) -> None:
    """Keeps new appointments; a hold of the same id is confirmed and gone.

    `relations` open them to their clinicians at the FHIR door.
    """
    rows = [
        (
            a.id, a.patient, a.person, a.place.practitioner, a.place.clinician, a.place.room,
            a.place.visit_type, a.place.site, a.place.start, a.place.end, *a.place.around,
            *a.place.seats, a.status, a.overbooked, a.note,
        )
        for a in made
    ]  # fmt: skip
    columns = [list(column) for column in zip(*rows, strict=True)]
    await tx.execute(_ADD, *columns, *[list(column) for column in zip(*relations, strict=True)])


async def lock(tx: Transaction, name: UUID) -> Appointment | None:
    row = await tx.fetchrow(_ONE_LOCKED, name)
    return _appointment(row) if row else None


async def find(database: Database, name: UUID) -> Appointment | None:
    row = await database.fetchrow(_ONE, name)
    return _appointment(row) if row else None


async def is_made(tx: Transaction, name: UUID) -> bool:
    """Whether a hold of this id was confirmed."""
    query = "SELECT EXISTS (SELECT FROM appointments.appointment WHERE id = $1)"
    return await tx.fetchval(query, name)


async def of_patient(database: Database, person: int, since: int, now: int) -> list[Appointment]:
    """The patient's appointments: all to come, and the newest of those from an atom on."""
    rows = await database.fetch(_OF_PATIENT, person, since, now)
    return [_appointment(row) for row in rows]


async def lock_overbooked(
    tx: Transaction, clinician: int, room: int | None, span: Range
) -> list[Appointment]:
    """The visits that were booked knowingly over this time, the first one made first."""
    rows = await tx.fetch(_OVERBOOKED, list(HOLDING), clinician, room, *span)
    return [_appointment(row) for row in rows]


async def of_span(database: Database, span: Range, site: str | None) -> list[Appointment]:
    """Every appointment that touches a span of time, cancelled ones too."""
    return [_appointment(row) for row in await database.fetch(_OF_SPAN, *span, site)]


async def change_status(tx: Transaction, changed: Appointment) -> None:
    query = (
        "UPDATE appointments.appointment SET status = $2, version = version + 1, changed = now(),"
        " arrived = $3, checked_in = $4, cancelled_by = $5, reason_code = $6, note = $7"
        " WHERE id = $1"
    )
    await tx.execute(
        query, changed.id, changed.status, changed.arrived, changed.checked_in,
        changed.cancelled_by, changed.reason_code, changed.note,
    )  # fmt: skip


async def move(tx: Transaction, moved: Appointment) -> None:
    query = (
        "UPDATE appointments.appointment SET practitioner = $2, clinician = $3, room = $4,"
        " visit_type = $5, site = $6, start_at = $7, end_at = $8, first_at = $9, last_at = $10,"
        " seats = int4range($11, $12), overbooked = $13, note = $14, version = version + 1,"
        " changed = now() WHERE id = $1"
    )
    place = moved.place
    await tx.execute(
        query, moved.id, place.practitioner, place.clinician, place.room, place.visit_type,
        place.site, place.start, place.end, *place.around, *place.seats, moved.overbooked,
        moved.note,
    )  # fmt: skip


async def add_relation(tx: Transaction, practitioner: int, patient: int, source: bytes) -> None:
    query = (
        "INSERT INTO appointments.relation (practitioner, patient, source) VALUES ($1, $2, $3)"
        " ON CONFLICT (practitioner, patient, source) DO UPDATE SET until = NULL"
    )
    await tx.execute(query, practitioner, patient, source)


async def end_relation(tx: Transaction, practitioner: int, patient: int, source: bytes) -> None:
    """The clinician has no visit of this source with the patient any more."""
    query = (
        "UPDATE appointments.relation SET until = now()"
        " WHERE practitioner = $1 AND patient = $2 AND source = $3"
    )
    await tx.execute(query, practitioner, patient, source)


async def add_overbooking(tx: Transaction, name: UUID, actor: str, reason: bytes) -> None:
    query = "INSERT INTO appointments.overbooking (appointment, actor, reason) VALUES ($1, $2, $3)"
    await tx.execute(query, name, actor, reason)


_TAKEN: LiteralString = """
SELECT number, array_agg(first_at) AS firsts, array_agg(last_at) AS lasts FROM (
    SELECT {of} AS number, first_at, last_at FROM appointments.appointment
    WHERE {of} = ANY ($1::int[]) AND first_at >= $2 - 256 AND first_at < $3 AND last_at > $2
      AND status = ANY ($4::text[])
    UNION ALL
    SELECT {of}, first_at, last_at FROM appointments.hold
    WHERE {of} = ANY ($1::int[]) AND first_at >= $2 - 256 AND first_at < $3 AND last_at > $2
      AND expires > now()) AS t
GROUP BY number"""
_TAKEN_CLINICIAN: LiteralString = _TAKEN.replace("{of}", "clinician")
_TAKEN_ROOM: LiteralString = _TAKEN.replace("{of}", "room")
_SHARED: LiteralString = """
SELECT clinician, visit_type, start_at, count(*) AS seats FROM (
    SELECT clinician, visit_type, start_at FROM appointments.appointment
    WHERE clinician = ANY ($1::int[]) AND first_at >= $2 - 256 AND first_at < $3
      AND status = ANY ($4::text[]) AND upper(seats) - lower(seats) = 1
    UNION ALL
    SELECT clinician, visit_type, start_at FROM appointments.hold
    WHERE clinician = ANY ($1::int[]) AND first_at >= $2 - 256 AND first_at < $3
      AND seat IS NOT NULL AND expires > now()) AS t
GROUP BY clinician, visit_type, start_at"""


async def taken(database: Database, kind: str, numbers: Sequence[int], span: Range) -> list[Row]:
    """For each clinician or room the firsts and lasts of what takes its time, holds included."""
    query = _TAKEN_ROOM if kind == "room" else _TAKEN_CLINICIAN
    return await database.fetch(query, list(numbers), *span, list(HOLDING))


async def shared(database: Database, numbers: Sequence[int], span: Range) -> list[Row]:
    """The shared visits of clinicians: their type, beginning and how many seats are taken."""
    return await database.fetch(_SHARED, list(numbers), *span, list(HOLDING))


# A patient is at two places only in another system's history (actions/elsewhere).
_AUDIT: LiteralString = """
SELECT what, count(*) AS found FROM (
    SELECT 'patient' AS what FROM appointments.appointment a JOIN appointments.appointment b
        ON b.person = a.person AND b.id > a.id AND b.start_at < a.end_at AND b.end_at > a.start_at
    WHERE a.status = ANY ($1::text[]) AND b.status = ANY ($1) AND a.end_at > $2
      AND NOT EXISTS (SELECT FROM appointments.elsewhere e
                      JOIN appointments.appointment o ON o.id = e.appointment AND o.overbooked
                      WHERE e.appointment IN (a.id, b.id))
    UNION ALL
    SELECT 'room' FROM appointments.appointment a JOIN appointments.appointment b
        ON b.room = a.room AND b.id > a.id AND b.first_at < a.last_at AND b.last_at > a.first_at
    WHERE a.status = ANY ($1) AND b.status = ANY ($1) AND NOT a.overbooked AND NOT b.overbooked
      AND a.end_at > $2
    UNION ALL
    SELECT 'clinician' FROM appointments.appointment a JOIN appointments.appointment b
        ON b.clinician = a.clinician AND b.id > a.id AND b.first_at < a.last_at
           AND b.last_at > a.first_at
           AND (b.seats && a.seats OR b.start_at <> a.start_at OR b.visit_type <> a.visit_type)
    WHERE a.status = ANY ($1) AND b.status = ANY ($1) AND NOT a.overbooked AND NOT b.overbooked
      AND a.end_at > $2
    UNION ALL
    SELECT 'atom' FROM appointments.atom t
    WHERE t.expires IS NULL AND t.at > $2 AND t.resource < 1099511627776
      AND NOT EXISTS (SELECT FROM appointments.appointment a WHERE a.id = t.booking)
      AND NOT EXISTS (SELECT FROM appointments.appointment a
                      WHERE a.clinician = t.resource AND a.first_at <= t.at AND a.last_at > t.at
                        AND upper(a.seats) - lower(a.seats) = 1)) AS t
GROUP BY what"""


async def audit(database: Database, since: int) -> dict[str, int]:
    """What must never be found: overlaps, and atoms of nobody."""
    rows = await database.fetch(_AUDIT, list(HOLDING), since)
    return {row["what"]: row["found"] for row in rows}


def _appointment(row: Any) -> Appointment:
    place = Place(
        row["practitioner"], row["clinician"], row["site"], row["visit_type"], row["start_at"],
        row["end_at"], Range(row["first_at"], row["last_at"]), row["room"],
        Range(row["seat_first"], row["seat_last"]),
    )  # fmt: skip
    return Appointment(
        row["id"], row["patient"], row["person"], place, row["status"], row["overbooked"],
        row["version"], row["made"], row["arrived"], row["checked_in"], row["cancelled_by"],
        row["reason_code"], row["note"],
    )  # fmt: skip
