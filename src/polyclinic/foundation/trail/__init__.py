"""How a service hands on what it logs of who did what: in order, each row once, after the fact.

A row of a trail has a position and the number of its transaction, given by the statement that
writes it. A page holds only rows of transactions before which none is open, in the order of both:
nothing can appear in front of a place that was read, so nothing is missed and nothing is numbered
or moved for it (decisions/0024). Mount `SCHEMA` to have trails.
"""

from pathlib import Path
from typing import LiteralString

SCHEMA = Path(__file__).parent / "schema"
# Whoever may read them: the audit service, and an operator who proves them.
SCOPE = "system/audit.trails"

# The end of a trail's statement; it selects position, tx and whatever a row says.
# $1, $2: the place after which to read; $3, $4: the generation's positions; $5: how many.
WINDOW: LiteralString = """
    (tx, position) > ($1::xid8, $2::bigint) AND position >= $3::bigint
    AND position < coalesce($4::bigint, 9223372036854775807)
    AND tx < CASE WHEN $4::bigint IS NULL THEN pg_snapshot_xmin(pg_current_snapshot())
             ELSE '18446744073709551615'::xid8 END
    ORDER BY tx, position LIMIT $5"""
