"""Events as values: facts in the past tense, with ids only. How they travel: foundation/outbox."""

from datetime import datetime
from typing import TypeVar

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened. The class name is its kind; no field may say what a chart says."""


Kind = TypeVar("Kind", bound=Event)


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An event as its consumers get it: in the order of `seq`, without gaps, within one epoch."""

    id: str
    source: str
    seq: int
    kind: str
    subject: str
    at: datetime
    data: msgspec.Raw = msgspec.Raw(b"null")
    # W3C traceparent of the cause, where that was traced.
    trace: str = ""

    def read(self, kind: type[Kind]) -> Kind:
        """The event itself; raises msgspec.ValidationError when it is of another shape."""
        return msgspec.json.decode(self.data, type=kind)
