"""What was foretold and what came; and how values are spread, in bins without people."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import LiteralString

from polyclinic.foundation.database import Database, Row, Transaction

_SKETCH: LiteralString = """
INSERT INTO insights.sketch AS s (model, version, chunk, feature, bin, count)
SELECT $1, $2, $3, feature, bin, 1 FROM unnest($4::text[], $5::text[]) AS t(feature, bin)
ORDER BY feature
ON CONFLICT (model, version, chunk, feature, bin) DO UPDATE SET count = s.count + 1"""


async def add_score(tx: Transaction, row: Sequence[object]) -> bool:
    """model, version, occasion, subject, task, at, matures, chance, shown, groups.

    False where this occasion was scored before: what was said first is what counts.
    """
    added = await tx.fetchval(
        "INSERT INTO insights.score (model, version, occasion, subject, task, at, matures, chance,"
        " shown, groups) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        " ON CONFLICT DO NOTHING RETURNING true",
        *row,
    )
    return bool(added)


async def set_shown(tx: Transaction, model: str, version: str, occasion: bytes) -> None:
    """Notes that this score went to people."""
    await tx.execute(
        "UPDATE insights.score SET shown = true"
        " WHERE model = $1 AND version = $2 AND occasion = $3 AND NOT shown",
        model,
        version,
        occasion,
    )


async def add_sketch(
    tx: Transaction, model: str, version: str, chunk: int, bins: Mapping[str, str]
) -> None:
    """One person's bins, by feature."""
    await tx.execute(_SKETCH, model, version, chunk, list(bins), list(bins.values()))


async def sketches(
    where: Database | Transaction, model: str, version: str, first: int, last: int
) -> list[Row]:
    """feature, bin, count of the chunks from `first` to before `last`."""
    return await where.fetch(
        "SELECT feature, bin, sum(count)::int AS count FROM insights.sketch"
        " WHERE model = $1 AND version = $2 AND chunk >= $3 AND chunk < $4"
        " GROUP BY feature, bin",
        model,
        version,
        first,
        last,
    )


async def open_scores(tx: Transaction, subject: bytes) -> list[Row]:
    """What was foretold of somebody and is not known to have come: task, at; each once."""
    return await tx.fetch(
        "SELECT DISTINCT task, at FROM insights.score"
        " WHERE subject = $1 AND coalesce(outcome, 0) = 0",
        subject,
    )


async def save_outcome(tx: Transaction, subject: bytes, task: str, at: datetime) -> None:
    """It came. Heard late, it still corrects what was taken for granted."""
    await tx.execute(
        "UPDATE insights.score SET outcome = 1 WHERE subject = $1 AND task = $2 AND at = $3",
        subject,
        task,
        at,
    )


async def mature(tx: Transaction, now: datetime) -> int:
    """What did not come by its time did not come; how many that were."""
    done = await tx.execute(
        "UPDATE insights.score SET outcome = 0 WHERE outcome IS NULL AND matures <= $1", now
    )
    return int(done.rpartition(" ")[2])


async def known(
    where: Database | Transaction, model: str, version: str, since: datetime, now: datetime
) -> list[Row]:
    """occasion, at, chance, outcome, groups of what is settled, in the order of time.

    Only what had its whole time: outcomes are known sooner than that there was none.
    """
    return await where.fetch(
        "SELECT occasion, at, chance, outcome, groups FROM insights.score"
        " WHERE model = $1 AND version = $2 AND at >= $3 AND matures <= $4"
        " AND outcome IS NOT NULL AND chance IS NOT NULL ORDER BY at, occasion LIMIT 20000",
        model,
        version,
        since,
        now,
    )


async def chances(
    where: Database | Transaction, model: str, version: str, occasions: Sequence[bytes]
) -> dict[bytes, float]:
    """What another model said of the same occasions."""
    rows = await where.fetch(
        "SELECT occasion, chance FROM insights.score WHERE model = $1 AND version = $2"
        " AND occasion = ANY ($3::bytea[]) AND chance IS NOT NULL",
        model,
        version,
        list(occasions),
    )
    return {row["occasion"]: row["chance"] for row in rows}


async def alerts(
    where: Database | Transaction, model: str, version: str, since: datetime, threshold: float
) -> Row:
    """How many scores reached the threshold, of how many, and over how many days."""
    row = await where.fetchrow(
        "SELECT count(*) AS scored, count(*) FILTER (WHERE chance >= $4) AS alerts,"
        " count(*) FILTER (WHERE chance IS NULL) AS strange,"
        " greatest(date_part('epoch', max(at) - min(at)) / 86400, 1)::float8 AS days"
        " FROM insights.score WHERE model = $1 AND version = $2 AND at >= $3",
        model,
        version,
        since,
        threshold,
    )
    assert row is not None
    return row


async def decisions(where: Database | Transaction, model: str, version: str) -> list[Row]:
    """state, count: of how many people's lines by this model something was decided."""
    return await where.fetch(
        "SELECT state, count(DISTINCT assessment)::int AS count FROM insights.item_event"
        " WHERE method = $1 AND version = $2 GROUP BY state ORDER BY state",
        model,
        version,
    )
