"""Who saw a record, in looks: what one person did in one go counts as one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from polyclinic.services.audit.domain.events import Said

TOGETHER = timedelta(minutes=30)  # between two deeds of one look
DENIED = 8
_DID = {"c": "created", "u": "changed", "d": "deleted"}


@dataclass(slots=True)
class Look:
    """What somebody did to a record, from the first deed to the last; kinds with how many."""

    actor: str
    client: str
    did: str
    first: datetime
    last: datetime
    kinds: dict[str, int] = field(default_factory=dict[str, int])


def looks_of(rows: Sequence[Said]) -> list[Look]:
    """The newest first, as the rows are; what found nothing shows nothing and is no look."""
    found: list[Look] = []
    open_looks: dict[tuple[str, str, str], Look] = {}
    for row in rows:
        did = "denied" if row.outcome == DENIED else _DID.get(row.action, "saw")
        if row.outcome not in (0, DENIED) or (row.count == 0 and did == "saw"):
            continue
        key = row.who, row.client, did
        look = open_looks.get(key)
        if look is None or look.first - row.at > TOGETHER:
            look = Look(row.who, row.client, did, row.at, row.at)
            open_looks[key] = look
            found.append(look)
        look.first = row.at
        look.kinds[row.type_name] = look.kinds.get(row.type_name, 0) + max(row.count, 1)
    return found
