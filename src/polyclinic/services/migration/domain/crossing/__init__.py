"""How rows of an old system become resources, and how resources go back into rows. Pure."""

from polyclinic.services.migration.domain.crossing.pairs import Field, Log, Pair, Source, read
from polyclinic.services.migration.domain.crossing.rows import (
    Columns,
    Refused,
    back,
    columns,
    digest,
    ended,
    laid,
    resource_id,
    told,
)

__all__ = [
    "Columns", "Field", "Log", "Pair", "Refused", "Source", "back", "columns", "digest", "ended",
    "laid", "read", "resource_id", "told",
]  # fmt: skip
