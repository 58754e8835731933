"""X12 files both ways, the claims in them, and the numbers of envelopes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction

_FILE: LiteralString = """
    SELECT id, direction, kind, payer, control, status, problem, made, changed
    FROM billing.x12_file"""
_OF_CLAIM: LiteralString = """
    SELECT f.id, f.direction, f.kind, f.payer, f.control, f.status, f.problem, f.made, f.changed
    FROM billing.x12_file f JOIN billing.x12_file_claim c ON c.file = f.id
    WHERE c.claim = $1 ORDER BY f.made"""
_OUTGOING: LiteralString = """
    SELECT c.claim, array_agg(f.id ORDER BY f.made DESC, f.id DESC) AS files
    FROM billing.x12_file_claim c JOIN billing.x12_file f ON f.id = c.file
    WHERE c.claim = ANY ($1) AND f.direction = 'out' GROUP BY c.claim"""
_NEXT: LiteralString = """
    INSERT INTO billing.control_number (partner, kind, last) VALUES ($1, $2, $3)
    ON CONFLICT (partner, kind) DO UPDATE SET last = control_number.last + $3 RETURNING last"""
_ADD: LiteralString = """
    INSERT INTO billing.x12_file
        (id, direction, kind, payer, control, digest, status, problem, sealed)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (direction, digest) DO NOTHING RETURNING true"""


@dataclass(frozen=True, slots=True)
class File:
    """A file to be kept; `problem` says segment and position, never what the segment says."""

    id: UUID
    direction: str
    kind: str
    payer: str | None
    control: str | None
    digest: bytes
    status: str
    sealed: bytes
    problem: str | None = None


async def next_number(tx: Transaction, partner: str, kind: str, count: int = 1) -> int:
    """The first of `count` numbers that follow the last one; kept if the transaction is."""
    return await tx.fetchval(_NEXT, partner, kind, count) - count + 1


async def add(tx: Transaction, file: File) -> bool:
    """False when the same bytes came (or went) before."""
    values = (file.id, file.direction, file.kind, file.payer, file.control, file.digest)
    return bool(await tx.fetchval(_ADD, *values, file.status, file.problem, file.sealed))


async def add_claims(tx: Transaction, file: UUID, claims: Sequence[UUID]) -> None:
    await tx.execute(
        "INSERT INTO billing.x12_file_claim (file, claim)"
        " SELECT $1, * FROM unnest($2::uuid[]) ON CONFLICT DO NOTHING",
        file,
        list(claims),
    )


async def set_status(
    where: Database | Transaction, file: UUID, status: str, problem: str | None = None
) -> None:
    query = "UPDATE billing.x12_file SET status = $2, problem = $3, changed = now() WHERE id = $1"
    await where.execute(query, file, status, problem)


async def set_sent(database: Database, file: UUID) -> None:
    """What was answered meanwhile stays as it was answered."""
    await database.execute(
        "UPDATE billing.x12_file SET status = 'sent', changed = now()"
        " WHERE id = $1 AND status = 'ready'",
        file,
    )


async def find(where: Database | Transaction, file: UUID) -> Row | None:
    return await where.fetchrow(_FILE + " WHERE id = $1", file)


async def by_digest(where: Database | Transaction, direction: str, digest: bytes) -> Row | None:
    return await where.fetchrow(_FILE + " WHERE direction = $1 AND digest = $2", direction, digest)


async def by_control(where: Database | Transaction, payer: str, control: str) -> Row | None:
    """The file that we sent to this payer under this number, which acknowledgments name."""
    query = _FILE + " WHERE direction = 'out' AND payer = $1 AND control = $2"
    return await where.fetchrow(query, payer, control)


async def content(where: Database | Transaction, file: UUID) -> bytes | None:
    """The sealed bytes."""
    return await where.fetchval("SELECT sealed FROM billing.x12_file WHERE id = $1", file)


async def ready(database: Database, limit: int = 20) -> list[Row]:
    """What waits to be sent, the oldest first."""
    query = _FILE + " WHERE direction = 'out' AND status = 'ready' ORDER BY made LIMIT $1"
    return await database.fetch(query, limit)


async def listed(database: Database, status: str, limit: int = 100) -> list[Row]:
    query = _FILE + " WHERE $1 = '' OR status = $1 ORDER BY made DESC LIMIT $2"
    return await database.fetch(query, status, limit)


async def of_claim(database: Database, claim: UUID) -> list[Row]:
    """Every file that carried this claim or spoke of it, the first one first."""
    return await database.fetch(_OF_CLAIM, claim)


async def outgoing(tx: Transaction, claims: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """The files in which these claims went out, the last one first."""
    rows = await tx.fetch(_OUTGOING, list(claims))
    return {row["claim"]: row["files"] for row in rows}


async def claims_of(where: Database | Transaction, file: UUID) -> list[UUID]:
    query = "SELECT claim FROM billing.x12_file_claim WHERE file = $1 ORDER BY claim"
    return [row["claim"] for row in await where.fetch(query, file)]
