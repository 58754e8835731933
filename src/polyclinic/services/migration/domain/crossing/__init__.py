"""How rows of an old system become resources, and how resources go back into rows. Pure."""

from polyclinic.services.migration.domain.crossing.pairs import Field, Log, Pair, Source, read
from polyclinic.services.migration.domain.crossing.rows import (
    BOOKING,
    BUSY,
    NOT_BEGUN,
    NOWHERE,
    TAKEN,
    Columns,
    Refused,
    back,
    columns,
    digest,
    ended,
    laid,
    leaves,
    name_of,
    resource_id,
    told,
)

__all__ = [
    "BOOKING", "BUSY", "NOT_BEGUN", "NOWHERE", "TAKEN", "Columns", "Field", "Log", "Pair",
    "Refused", "Source", "back", "columns", "digest", "ended", "laid", "leaves", "name_of", "read",
    "resource_id", "told",
]  # fmt: skip
