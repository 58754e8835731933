"""How rows of an old system become resources, and how resources go back into rows. Pure."""

from polyclinic.services.migration.domain.crossing.pairs import Field, Log, Pair, Source, read
from polyclinic.services.migration.domain.crossing.rows import (
    BOOKING,
    BUSY,
    TAKEN,
    Columns,
    Refused,
    back,
    columns,
    digest,
    ended,
    laid,
    name_of,
    resource_id,
    told,
)

__all__ = [
    "BOOKING", "BUSY", "TAKEN", "Columns", "Field", "Log", "Pair", "Refused", "Source", "back",
    "columns", "digest", "ended", "laid", "name_of", "read", "resource_id", "told",
]  # fmt: skip
