"""Rows of an old system and how it names them."""

from typing import Any

from polyclinic.services.migration.domain.crossing import Pair

Row = dict[str, Any]
# How we name ourselves in the old system's log; what follows says for which resource.
OURS = "polyclinic|"


def typed(pair: Pair, key: Any) -> Any:
    """A key as the source compares it."""
    return int(key) if pair.number == "integer" and str(key).lstrip("-").isdecimal() else str(key)
