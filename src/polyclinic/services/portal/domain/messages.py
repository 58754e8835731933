"""Messages of other systems as integration tells of them: where they stand, what they say."""

from datetime import datetime
from typing import Any

import msgspec

Body = dict[str, Any]


class Message(msgspec.Struct, frozen=True):
    """Where a message stands; nothing of what it says."""

    id: str
    number: int
    channel: str
    channel_version: int
    kind: str
    received: datetime
    state: str
    reason: str = ""
    problem: str = ""
    tries: int = 0
    patients: list[str] = []
    parent: str | None = None
    next_try: datetime | None = None
    content: bool = True


class Messages(msgspec.Struct, frozen=True):
    """A page of them, the newest first, and the number before which the next one begins."""

    messages: list[Message]
    next: int | None = None


class Event(msgspec.Struct, frozen=True):
    """What somebody did with a message."""

    at: datetime
    kind: str
    author: str
    reason: str = ""


class Effect(msgspec.Struct, frozen=True):
    """What an owner did for a message."""

    name: str
    did: str
    at: datetime
    version: str | None = None

    @property
    def kind(self) -> str:
        return self.name.partition("/")[0]


class OneMessage(Message, frozen=True):
    """One message with its way through the house."""

    stands_behind: str | None = None
    copies: list[str] = []
    events: list[Event] = []
    effects: list[Effect] = []


class Field(msgspec.Struct, frozen=True):
    """A field of a segment, by its number."""

    field: int
    text: str


class Segment(msgspec.Struct, frozen=True):
    """A line of a message."""

    name: str
    fields: list[Field] = []


class Mapped(msgspec.Struct, frozen=True):
    """What was made of a message at one try."""

    at: datetime
    channel_version: int
    translation: dict[str, Any]
    number: int = msgspec.field(name="try", default=1)


class Content(msgspec.Struct, frozen=True):
    """What a message says."""

    raw: str
    parsed: list[Segment] = []
    mapped: list[Mapped] = []


class Stopped(Message, frozen=True):
    """A message that is nobody's yet, with the lines that the front desk may read and mend."""

    parsed: list[Segment] = []


class Waiting(msgspec.Struct, frozen=True):
    """A message that waits for a person's word."""

    message: str
    channel: str
    kind: str
    reason: str
    at: datetime
    hours: float
    late: bool
    state: str = "waiting"
    text: str = ""
    question: str | None = None
    candidates: int = 0


class Candidate(msgspec.Struct, frozen=True):
    """A chart that may be the one; `likes` says how each detail compares."""

    patient: str
    score: float
    likes: dict[str, str] = {}
    chart: dict[str, Any] | None = None


class Question(msgspec.Struct, frozen=True):
    """Who is meant: the person in the message beside the charts."""

    message: str
    reason: str
    since: datetime
    person: dict[str, Any] | None = None
    candidates: list[Candidate] = []


class Alert(msgspec.Struct, frozen=True):
    """Something that somebody should look at."""

    id: str
    kind: str


class Queue(msgspec.Struct, frozen=True):
    """How many messages of a channel are in a state, and since when the oldest is."""

    count: int
    oldest: datetime


class Channel(msgspec.Struct, frozen=True):
    """A way in, and how it is."""

    name: str
    source: str
    version: int
    status: str
    about: str = ""
    accepts: list[str] = []
    last: datetime | None = None
    last_hour: int = 0
    queue: dict[str, Queue] = {}
    alerts: list[Alert] = []
