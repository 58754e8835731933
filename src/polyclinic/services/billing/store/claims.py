"""Claims' rows: what is claimed, its lines, and all that happened to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.services.billing.domain.claims import Claim, ClaimLine

_CLAIM: LiteralString = """
    SELECT id, number, visit, patient, payer, coverage, status, frequency, total, paid, currency,
           payer_number, version, made, changed FROM billing.claim"""
_ADD: LiteralString = """
    INSERT INTO billing.claim (id, number, visit, patient, payer, coverage, total, currency)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (visit, payer) DO NOTHING RETURNING true"""
_ADD_LINES: LiteralString = """
    INSERT INTO billing.claim_line (claim, line, charge, amount)
    SELECT $1, * FROM unnest($2::smallint[], $3::uuid[], $4::bigint[])"""
_MOVE: LiteralString = """
    UPDATE billing.claim c SET status = t.status, paid = c.paid + t.paid, version = c.version + 1,
           payer_number = coalesce(nullif(t.payer_number, ''), c.payer_number), changed = now()
    FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[])
         AS t(id, status, paid, payer_number)
    WHERE c.id = t.id"""
_TELL: LiteralString = """
    INSERT INTO billing.claim_event (claim, seq, status, kind, author, file, sealed)
    SELECT t.claim, coalesce((SELECT max(e.seq) FROM billing.claim_event e
                              WHERE e.claim = t.claim), 0)
                    + row_number() OVER (PARTITION BY t.claim ORDER BY t.n),
           t.status, t.kind, t.author, t.file, t.sealed
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::bytea[])
         WITH ORDINALITY AS t(claim, status, kind, author, file, sealed, n)"""
_LIST: LiteralString = """
    WHERE ($1 = '' OR status = $1) AND ($2 = '' OR payer = $2) AND ($3 = '' OR patient = $3)
      AND ($4::uuid IS NULL OR id < $4) ORDER BY id DESC LIMIT $5"""


@dataclass(frozen=True, slots=True)
class Move:
    """A claim comes into another state; `paid` is added to what was paid before."""

    claim: UUID
    status: str
    paid: int = 0
    payer_number: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that happened to a claim; a note is sealed."""

    claim: UUID
    status: str
    kind: str
    author: str
    file: UUID | None = None
    sealed: bytes | None = None


async def add(tx: Transaction, claim: Claim, lines: Sequence[ClaimLine]) -> bool:
    """False when this visit has a claim to this payer already."""
    values = (claim.id, claim.number, claim.visit, claim.patient, claim.payer, claim.coverage)
    if not await tx.fetchval(_ADD, *values, claim.total, claim.currency):
        return False
    await set_lines(tx, claim.id, lines)
    return True


async def set_lines(tx: Transaction, claim: UUID, lines: Sequence[ClaimLine]) -> None:
    await tx.execute("DELETE FROM billing.claim_line WHERE claim = $1", claim)
    numbers = ([each.line for each in lines], [each.charge for each in lines])
    await tx.execute(_ADD_LINES, claim, *numbers, [each.amount for each in lines])


async def find(where: Database | Transaction, claim: UUID) -> Claim | None:
    row = await where.fetchrow(_CLAIM + " WHERE id = $1", claim)
    return Claim(*row) if row is not None else None


async def locked(tx: Transaction, claims: Sequence[UUID]) -> dict[UUID, Claim]:
    """These claims, in one lock order, until the transaction ends."""
    rows = await tx.fetch(_CLAIM + " WHERE id = ANY ($1) ORDER BY id FOR UPDATE", list(claims))
    return {row["id"]: Claim(*row) for row in rows}


async def of_visit(where: Database | Transaction, visit: UUID) -> list[Claim]:
    rows = await where.fetch(_CLAIM + " WHERE visit = $1 ORDER BY made", visit)
    return [Claim(*row) for row in rows]


async def locked_by_number(tx: Transaction, numbers: Sequence[str]) -> dict[str, Claim]:
    query = _CLAIM + " WHERE number = ANY ($1) ORDER BY id FOR UPDATE"
    rows = await tx.fetch(query, list(numbers))
    return {row["number"]: Claim(*row) for row in rows}


async def ids_of(tx: Transaction, numbers: Sequence[str]) -> list[UUID]:
    rows = await tx.fetch("SELECT id FROM billing.claim WHERE number = ANY ($1)", list(numbers))
    return [row["id"] for row in rows]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which claims are listed; empty words mean any."""

    status: str = ""
    payer: str = ""
    patient: str = ""
    before: UUID | None = None
    limit: int = 50


async def listed(database: Database, asked: Asked) -> list[Claim]:
    """The newest first."""
    values = (asked.status, asked.payer, asked.patient, asked.before, asked.limit)
    return [Claim(*row) for row in await database.fetch(_CLAIM + _LIST, *values)]


async def patients_of(database: Database, several: Sequence[UUID]) -> dict[str, int]:
    """How many of these claims each patient has."""
    rows = await database.fetch(
        "SELECT patient, count(*) AS n FROM billing.claim WHERE id = ANY ($1) GROUP BY 1",
        list(several),
    )
    return {row["patient"]: row["n"] for row in rows}


async def lines(
    where: Database | Transaction, claims: Sequence[UUID]
) -> Mapping[UUID, list[ClaimLine]]:
    query = (
        "SELECT claim, line, charge, amount FROM billing.claim_line"
        " WHERE claim = ANY ($1) ORDER BY claim, line"
    )
    found: dict[UUID, list[ClaimLine]] = {claim: [] for claim in claims}
    for row in await where.fetch(query, list(claims)):
        found[row["claim"]].append(ClaimLine(row["line"], row["charge"], row["amount"]))
    return found


async def move(tx: Transaction, moves: Sequence[Move]) -> None:
    await tx.execute(
        _MOVE,
        [each.claim for each in moves],
        [each.status for each in moves],
        [each.paid for each in moves],
        [each.payer_number for each in moves],
    )


async def set_frequency(tx: Transaction, claim: UUID, frequency: int, total: int) -> None:
    query = "UPDATE billing.claim SET frequency = $2, total = $3 WHERE id = $1"
    await tx.execute(query, claim, frequency, total)


async def tell(tx: Transaction, told: Sequence[Told]) -> None:
    """The claims must be locked: their events are numbered without gaps."""
    await tx.execute(
        _TELL,
        [each.claim for each in told],
        [each.status for each in told],
        [each.kind for each in told],
        [each.author for each in told],
        [each.file for each in told],
        [each.sealed for each in told],
    )


async def events(database: Database, claim: UUID) -> list[Row]:
    """seq, at, status, kind, author, file, sealed; the first one first."""
    return await database.fetch(
        "SELECT seq, at, status, kind, author, file, sealed FROM billing.claim_event"
        " WHERE claim = $1 ORDER BY seq",
        claim,
    )


async def note_problems(tx: Transaction, claim: UUID, sealed: bytes | None) -> None:
    await tx.execute("UPDATE billing.claim SET problems = $2 WHERE id = $1", claim, sealed)


async def authorize(tx: Transaction, claim: UUID, sealed: bytes | None) -> None:
    query = "UPDATE billing.claim SET prior_authorization = $2 WHERE id = $1"
    await tx.execute(query, claim, sealed)


async def sealed(where: Database | Transaction, claim: UUID) -> tuple[bytes | None, bytes | None]:
    """(what the last check found, the prior authorization), as they are kept."""
    row = await where.fetchrow(
        "SELECT problems, prior_authorization FROM billing.claim WHERE id = $1", claim
    )
    return (row["problems"], row["prior_authorization"]) if row is not None else (None, None)


async def set_provider(tx: Transaction, values: tuple[str, str, str, str, str]) -> None:
    """(practitioner, last name, first name, NPI, taxonomy)"""
    await tx.execute(
        "INSERT INTO billing.provider (practitioner, last_name, first_name, npi, taxonomy)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (practitioner) DO UPDATE SET"
        " last_name = excluded.last_name, first_name = excluded.first_name,"
        " npi = excluded.npi, taxonomy = excluded.taxonomy, changed = now()",
        *values,
    )


async def provider(where: Database | Transaction, practitioner: str) -> Row | None:
    """last_name, first_name, npi, taxonomy"""
    return await where.fetchrow(
        "SELECT last_name, first_name, npi, taxonomy FROM billing.provider WHERE practitioner = $1",
        practitioner,
    )
