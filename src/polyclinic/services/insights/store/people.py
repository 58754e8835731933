"""What is kept of one person over all tables: what they object to; forgotten, and joined."""

from collections.abc import Sequence
from typing import LiteralString

from polyclinic.foundation.database import Database, Transaction

_OBJECT: LiteralString = """
INSERT INTO insights.objection AS o (subject, learning, scoring) VALUES ($1, $2, $3)
ON CONFLICT (subject) DO UPDATE SET learning = $2, scoring = $3, since = now()
WHERE (o.learning, o.scoring) IS DISTINCT FROM ($2, $3)"""
# In the order in which they hang on each other.
_FORGET: tuple[LiteralString, ...] = (
    "DELETE FROM insights.item_event WHERE assessment IN"
    " (SELECT id FROM insights.assessment WHERE subject = $1)",
    "DELETE FROM insights.item WHERE assessment IN"
    " (SELECT id FROM insights.assessment WHERE subject = $1)",
    "DELETE FROM insights.assessment WHERE subject = $1",
    "DELETE FROM insights.feedback WHERE card IN"
    " (SELECT id FROM insights.exposure WHERE subject = $1)",
    "DELETE FROM insights.exposure WHERE subject = $1",
    "DELETE FROM insights.objection WHERE subject = $1",
)


async def objections(where: Database | Transaction, subject: bytes) -> frozenset[str]:
    """`learning`, `scoring`, both or none."""
    row = await where.fetchrow(
        "SELECT learning, scoring FROM insights.objection WHERE subject = $1", subject
    )
    if row is None:
        return frozenset()
    return frozenset(name for name in ("learning", "scoring") if row[name])


async def set_objections(tx: Transaction, subject: bytes, *, learning: bool, scoring: bool) -> None:
    """The same again changes nothing, not even since when."""
    if learning or scoring:
        await tx.execute(_OBJECT, subject, learning, scoring)
    else:
        await tx.execute("DELETE FROM insights.objection WHERE subject = $1", subject)


async def forget(tx: Transaction, subject: bytes) -> None:
    """Places in lists, what was decided about them, what was shown: as if they had never been."""
    for statement in _FORGET:
        await tx.execute(statement, subject)


async def forget_scores(tx: Transaction, subjects: Sequence[bytes]) -> None:
    """What was foretold of somebody, with what became of it."""
    await tx.execute("DELETE FROM insights.score WHERE subject = ANY ($1::bytea[])", list(subjects))


async def join_scores(tx: Transaction, old: bytes, new: bytes) -> None:
    """What was foretold of two who turn out to be one."""
    await tx.execute("UPDATE insights.score SET subject = $2 WHERE subject = $1", old, new)


async def join_exposures(tx: Transaction, old: bytes, new: bytes) -> None:
    """What was shown of two who turn out to be one: it is not shown anew for that."""
    await tx.execute("UPDATE insights.exposure SET subject = $2 WHERE subject = $1", old, new)
