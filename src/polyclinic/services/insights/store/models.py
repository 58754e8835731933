"""Models and every step of their lives: states, proposals, signatures, the trail."""

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction

_LIST: LiteralString = """
SELECT model, version, task, state, digest, signature, record, features, fallback, team, threshold,
       author, since, proven_from, expires, scored, baseline, membership
FROM insights.model WHERE $1::text IS NULL OR (model = $1 AND version = $2)
ORDER BY since DESC, model, version"""


async def list_models(where: Database | Transaction) -> list[Row]:
    """All of them without their content, the newest first."""
    return await where.fetch(_LIST, None, None)


async def find_model(where: Database | Transaction, model: str, version: str) -> Row | None:
    return await where.fetchrow(_LIST, model, version)


async def lock_task(tx: Transaction, task: str) -> None:
    """One step at a time for what one task is foretold by: held until the transaction ends."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('insights|' || $1, 0))", task)


async def content(where: Database | Transaction, model: str, version: str) -> bytes:
    """The plain data of a model that there is."""
    return await where.fetchval(
        "SELECT content FROM insights.model WHERE model = $1 AND version = $2", model, version
    )


async def add_model(tx: Transaction, row: Sequence[object]) -> bool:
    """model, version, task, content, digest, signature, record, features, fallback,
    threshold, author, expires, membership: as a draft. False where this version is known."""
    added = await tx.fetchval(
        "INSERT INTO insights.model (model, version, task, state, content, digest, signature,"
        " record, features, fallback, threshold, author, expires, membership)"
        " VALUES ($1, $2, $3, 'draft', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
        " ON CONFLICT DO NOTHING RETURNING true",
        *row,
    )
    return bool(added)


async def save_state(tx: Transaction, model: str, version: str, state: str) -> None:
    """Outcomes count as evidence from the moment on at which it begins in silence."""
    await tx.execute(
        "UPDATE insights.model SET state = $3, since = now(),"
        " proven_from = CASE WHEN $3 = 'shadow' THEN now() ELSE proven_from END,"
        " baseline = CASE WHEN $3 = 'shadow' THEN NULL ELSE baseline END"
        " WHERE model = $1 AND version = $2",
        model,
        version,
        state,
    )


async def save_baseline(tx: Transaction, model: str, version: str, team: Sequence[str]) -> None:
    """What it scored so far is what is usual; and who sees it first."""
    await tx.execute(
        "UPDATE insights.model SET baseline = coalesce(baseline, scored), team = $3"
        " WHERE model = $1 AND version = $2",
        model,
        version,
        list(team),
    )


async def add_scored(tx: Transaction, model: str, version: str) -> int:
    """Counts one more person and says the how-manieth it is."""
    return await tx.fetchval(
        "UPDATE insights.model SET scored = scored + 1 WHERE model = $1 AND version = $2"
        " RETURNING scored",
        model,
        version,
    )


async def add_step(tx: Transaction, row: Sequence[object]) -> None:
    """model, version, step, before, after, author, reason, facts (JSON)."""
    await tx.execute(
        "INSERT INTO insights.model_step"
        " (model, version, step, before, after, author, reason, facts)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        *row,
    )


async def list_steps(database: Database, model: str, version: str) -> list[Row]:
    return await database.fetch(
        "SELECT at, step, before, after, author, reason, facts FROM insights.model_step"
        " WHERE model = $1 AND version = $2 ORDER BY id",
        model,
        version,
    )


async def open_proposal(where: Database | Transaction, model: str, version: str) -> Row | None:
    """id, goal, team, author, at, and the signers so far in their order."""
    return await where.fetchrow(
        "SELECT p.id, p.goal, p.team, p.author, p.at,"
        " array(SELECT s.signer FROM insights.signature s WHERE s.proposal = p.id"
        " ORDER BY s.at, s.signer) AS signers"
        " FROM insights.proposal p WHERE p.model = $1 AND p.version = $2 AND p.closed IS NULL",
        model,
        version,
    )


async def close_proposals(tx: Transaction, model: str, version: str) -> None:
    await tx.execute(
        "UPDATE insights.proposal SET closed = now()"
        " WHERE model = $1 AND version = $2 AND closed IS NULL",
        model,
        version,
    )


async def add_proposal(tx: Transaction, row: Sequence[object]) -> UUID:
    """model, version, goal, team, author; an older open one is to be closed before."""
    return await tx.fetchval(
        "INSERT INTO insights.proposal (model, version, goal, team, author)"
        " VALUES ($1, $2, $3, $4, $5) RETURNING id",
        *row,
    )


async def add_signature(tx: Transaction, proposal: UUID, signer: str, role: str) -> None:
    await tx.execute(
        "INSERT INTO insights.signature (proposal, signer, role) VALUES ($1, $2, $3)",
        proposal,
        signer,
        role,
    )


async def expired(tx: Transaction, now: datetime) -> list[Row]:
    """Models that are shown and whose time is over: model, version."""
    return await tx.fetch(
        "SELECT model, version FROM insights.model"
        " WHERE state IN ('canary', 'champion', 'former') AND expires <= $1",
        now,
    )
