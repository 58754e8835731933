"""What waits for a person, in queues."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

QUEUES = ("to code", "to submit", "held", "rejected", "denied", "unapplied", "estimate", "gateway")


@dataclass(frozen=True, slots=True)
class Item:
    """Something that waits; its subject is `Visit/<id>`, `Claim/<id>`, `Patient/<id>` …"""

    queue: str
    subject: str
    patient: str | None = None
    payer: str | None = None
    amount: int = 0
    code: str = ""
    due: date | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """An item as it stands in its queue."""

    id: UUID
    item: Item
    owner: str | None
    made: datetime
