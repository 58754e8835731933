"""What a message asks for, as values: made by the mapping, carried out by the effects.

References in resources are placeholders: `#Patient` is the message's person, `#Kind/key` the
document of that kind and key, in this message or kept before. Keys are the sender's own numbers
with their system, so that the same thing has the same key in every message of a channel.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from polyclinic.foundation.errors import NotProcessable

Resource = dict[str, Any]
Rank = tuple[str, ...]

PERSON = "#Patient"


class ChannelRules(Protocol):
    """What the mapping reads of a channel."""

    @property
    def systems(self) -> Mapping[str, str]:
        """The URI of each assigning authority as the sender writes it; `MR` and the like, too."""
        ...

    @property
    def mode(self) -> str:
        """`snapshot`: what is listed is all there is. `action`: only what is named changes."""
        ...

    @property
    def create_person(self) -> bool: ...

    @property
    def zone(self) -> str:
        """Of times that do not say theirs."""
        ...

    @property
    def mapping(self) -> Mapping[str, Any]: ...


class Unsupported(NotProcessable):
    """No table says what this trigger means."""


class Refused(NotProcessable):
    """The message lacks what its effect cannot do without."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """A number and who gives it; neither is ever empty. `kind` is a code of table 0203."""

    system: str
    value: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Party:
    """A practitioner or a place as a message names it: for reading, and for finding our own."""

    display: str
    identifiers: tuple[Identifier, ...] = ()
    role: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Of whom a message speaks. `resource` is a Patient without id: what it lacks stays as it is,
    what `clears` names (`period.end`, `extension(url)`) is taken away. A `rank` lower than the
    kept one changes nothing.
    """

    identifiers: tuple[Identifier, ...]
    resource: Resource
    clears: tuple[str, ...] = ()
    rank: Rank = ()
    unites: tuple[str, ...] = ("identifier", "extension", "telecom")


@dataclass(frozen=True, slots=True)
class Document:
    """A resource without id. Where one of that kind and key is kept, elements are replaced one by
    one (`unites`: lists whose entries are laid beside the kept ones), those in `clears` are taken
    away, and a `rank` lower than the kept one changes nothing: see `overlaying.laid_over`. Ranks
    are compared as tuples of texts: status before moment where a status must not go back.
    `defaults` are for a document that is not kept yet.
    """

    kind: str
    key: str
    resource: Resource
    clears: tuple[str, ...] = ()
    rank: Rank = ()
    unites: tuple[str, ...] = ()
    defaults: Resource = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Awaited:
    """What must be known before the intent can be carried out; else the message waits."""

    kind: str
    key: str
    identifiers: tuple[Identifier, ...] = ()


@dataclass(frozen=True, slots=True)
class Keep:
    """The person and these documents are kept. `complete` names kinds of which the message lists
    all: what the channel listed before and does not list now is over (see `RETIRED`). Without
    `create_person` an unknown person is a case for people.
    """

    person: Person
    documents: tuple[Document, ...] = ()
    snapshot: bool = False
    create_person: bool = False
    complete: tuple[str, ...] = ()
    awaits: tuple[Awaited, ...] = ()


# How a document that is no longer listed is over, without being deleted.
RETIRED: Mapping[str, Resource] = {
    "RelatedPerson": {"active": False},
    "Coverage": {"status": "cancelled"},
    "AllergyIntolerance": {
        "clinicalStatus": {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical",
                    "code": "inactive",
                }
            ]
        }
    },
}


@dataclass(frozen=True, slots=True)
class Merge:
    """Two charts are one person's: `loser` goes on as `winner`. A34 and A40 merge persons."""

    winner: Person
    loser: Person
    kind: str = "A40"


@dataclass(frozen=True, slots=True)
class Unmerge:
    """Two charts were not one person's (A37); what stood merged stands apart again."""

    winner: Person
    loser: Person
    kind: str = "A37"


@dataclass(frozen=True, slots=True)
class Visit:
    """A booking as a scheduler tells of it. Times are instants; `end` is always after `start`.

    `key` is that of the Appointment, `identifiers` the filler's number and then the placer's.
    `resource` is the Appointment in FHIR, for where nobody keeps a calendar.
    """

    key: str
    identifiers: tuple[Identifier, ...]
    status: str
    start: str = ""
    end: str = ""
    minutes: int = 0
    service: str = ""
    reason: str = ""
    comment: str = ""
    practitioners: tuple[Party, ...] = ()
    places: tuple[Party, ...] = ()
    rank: Rank = ()


@dataclass(frozen=True, slots=True)
class Book:
    """S12: a new appointment. Also one that was only modified (S14) and is not known here."""

    visit: Visit
    person: Person | None
    resource: Resource
    create_person: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """S13, S14: the same appointment at another time, or with other details."""

    visit: Visit
    person: Person | None
    resource: Resource
    create_person: bool = False


@dataclass(frozen=True, slots=True)
class Cancel:
    """S15, S16 and, `in_error`, S17: the appointment does not take place."""

    visit: Visit
    person: Person | None
    resource: Resource
    in_error: bool = False


@dataclass(frozen=True, slots=True)
class Miss:
    """S26: the patient did not come."""

    visit: Visit
    person: Person | None
    resource: Resource


@dataclass(frozen=True, slots=True)
class Block:
    """S23: a schedule has no time there; with `free` (S24) it has again."""

    visit: Visit
    free: bool = False


@dataclass(frozen=True, slots=True)
class Coded:
    """A code with its system, which may be unknown (empty)."""

    code: str
    system: str = ""
    display: str = ""


@dataclass(frozen=True, slots=True)
class Charge:
    """A line of FT1. `kind` is CG (charge), CD (credit), PY (payment) or AJ (adjustment).

    `key` is FT1-2: the same key is the same line, however often it comes. A reversal has negative
    `units` and `amount`, and its own key. `amount` is decimal text, empty where none was said.
    """

    key: str
    kind: str
    person: Person
    code: Coded
    units: str = "1"
    amount: str = ""
    currency: str = ""
    day: str = ""
    visit: str = ""
    diagnoses: tuple[Coded, ...] = ()
    modifiers: tuple[str, ...] = ()
    practitioner: Party | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Void:
    """A document was wrong or is taken back: `status` as its kind says it. It is never deleted."""

    kind: str
    key: str
    status: str = "entered-in-error"
    person: Person | None = None
    rank: Rank = ()


Intent = Keep | Merge | Unmerge | Book | Move | Cancel | Miss | Block | Charge | Void


@dataclass(frozen=True, slots=True)
class Note:
    """A remark: `severity` is error, warning or information; the text has no patient's data."""

    place: str
    severity: str
    text: str


@dataclass(frozen=True, slots=True)
class Step:
    """A rule that applied: its name, where it read and what it wrote."""

    rule: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Translation:
    """What a message means. `unused` are the valued fields that no rule read."""

    trigger: str
    occurred_at: str
    person: Person | None
    intents: tuple[Intent, ...]
    notes: tuple[Note, ...] = ()
    trace: tuple[Step, ...] = ()
    unused: tuple[str, ...] = ()
    order_key_parts: tuple[str, ...] = ()
