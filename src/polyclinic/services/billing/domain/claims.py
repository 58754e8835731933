"""A claim's life: which state follows which, and by whose word.

draft → checked → submitted → accepted → paid
  ↑        │          ├→ rejected ─┐  └→ denied → appealed → paid, denied
  └────────┴──────────┴── correct ←┴────────┘
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from polyclinic.services.billing.domain.problems import WrongState

DRAFT, CHECKED, SUBMITTED, ACCEPTED = "draft", "checked", "submitted", "accepted"
REJECTED, PAID, DENIED, APPEALED = "rejected", "paid", "denied", "appealed"
DECIDED = frozenset({PAID, DENIED, APPEALED})
WITH_PAYER = frozenset({SUBMITTED, ACCEPTED})  # sent, and nothing decided yet

# verb → (states it is possible in, the state after)
_MOVES: dict[str, tuple[frozenset[str], str]] = {
    "check": (frozenset({DRAFT, CHECKED}), CHECKED),
    "hold": (frozenset({DRAFT, CHECKED}), DRAFT),
    "submit": (frozenset({CHECKED}), SUBMITTED),
    "accept": (frozenset({SUBMITTED}), ACCEPTED),
    "reject": (frozenset({SUBMITTED, ACCEPTED}), REJECTED),
    # A payer may decide before its acknowledgment was read, and decide anew.
    "pay": (frozenset({SUBMITTED, ACCEPTED, APPEALED, DENIED, PAID}), PAID),
    "deny": (frozenset({SUBMITTED, ACCEPTED, APPEALED, PAID, DENIED}), DENIED),
    # What a corrected claim replaces is taken back while the corrected one is on its way.
    "reverse": (frozenset({SUBMITTED, ACCEPTED, PAID, DENIED, APPEALED}), ACCEPTED),
    # A payer that paid one line and denied another is appealed, too.
    "appeal": (frozenset({DENIED, PAID}), APPEALED),
    "correct": (frozenset({CHECKED, REJECTED, DENIED, PAID}), DRAFT),
}
_TOLD: dict[str, str] = {
    "submit": "Only a checked claim can be sent; check it first.",
    "appeal": "Only what a payer has denied is appealed.",
    "correct": "This claim is on its way; wait for the payer's answer.",
}


def may(verb: str, status: str) -> bool:
    return status in _MOVES[verb][0]


def after(verb: str, status: str) -> str:
    """The state that a verb leads to; raises WrongState where it leads nowhere."""
    states, then = _MOVES[verb]
    if status not in states:
        raise WrongState(_TOLD.get(verb), place="status")
    return then


@dataclass(frozen=True, slots=True)
class ClaimLine:
    """A charge on a claim; the payer names it by its control number."""

    line: int
    charge: UUID
    amount: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim as it is kept; who and what for stands in its visit, person and coverage."""

    id: UUID
    number: str
    visit: UUID
    patient: str
    payer: str
    coverage: UUID
    status: str
    frequency: int
    total: int
    paid: int
    currency: str
    payer_number: str | None
    version: int
    made: datetime
    changed: datetime


class Finding(msgspec.Struct, frozen=True):
    """What one rule of the check says; `outcome` is passed, failed or not-applicable."""

    rule: str
    outcome: str
    text: str = ""
    place: str = ""


def batch_reference(file: UUID) -> str:
    """BHT03 of a file of ours; a 277CA names the file that it answers by it."""
    return file.hex[:30]


def is_late(reference: str, files: Sequence[UUID]) -> bool:
    """Whether an answer is to an earlier file than the last in which a claim went out.

    `files` are the claim's, the last one first; a reference of the payer's own tells nothing.
    """
    return reference in map(batch_reference, files[1:])


def control_number(number: str, line: int) -> str:
    """REF*6R: names one line of one claim, to the payer and back."""
    return f"{number}-{line}"


def line_of(control: str, number: str) -> int | None:
    """The line that a control number names, if it is one of this claim's."""
    head, _, tail = control.rpartition("-")
    return int(tail) if head == number and tail.isdigit() and len(tail) <= 3 else None
