"""Every decision is kept in a chain: who, when, about what, and the hash of the one before."""

import msgspec

from polyclinic.foundation import clock
from polyclinic.foundation.database import Transaction
from polyclinic.services.migration.actions.state import Passage
from polyclinic.services.migration.domain.decisions import Decision, sealed
from polyclinic.services.migration.store import decisions


async def decide(
    tx: Transaction, author: str, kind: str, subject: str, value: object, text: str = ""
) -> Decision:
    """Keeps a decision beside its effect, or neither; those of one moment stand in a row."""
    before = await decisions.lock_newest(tx)
    made = sealed(
        before,
        Decision(
            number=before.number + 1 if before else 1,
            at=clock.now(),
            author=author,
            kind=kind,
            subject=subject,
            text=text,
            document=msgspec.json.encode(value, order="deterministic"),
        ),
    )
    await decisions.add(tx, made)
    return made


async def newest(passage: Passage, subject: str | None, before: int, limit: int) -> list[Decision]:
    return await decisions.find_newest(passage.database, subject, before, limit)


async def made(passage: Passage, subject: str | None, after: int, limit: int) -> list[Decision]:
    return await decisions.find(passage.database, subject, after, limit)
