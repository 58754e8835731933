"""What can be decided about a line of the worklist, and how long it then stays away."""

from datetime import date, datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

from polyclinic.foundation.errors import Invalid

State = Literal["accepted", "snoozed", "dismissed", "done", "reopened"]
# Also the override reasons of cards: codes can be counted and say nothing of a person.
REASONS = {
    "not-appropriate": "Not appropriate for this patient",
    "already-done": "Already done, or under way elsewhere",
    "patient-declines": "The patient does not want it",
    "wrong-data": "The data behind it are wrong or out of date",
    "no-capacity": "Nobody can do it at the moment",
    "disagree": "Clinical judgement differs",
}
OUTCOMES = {
    "ordered": "Something was ordered",
    "treated": "Treatment was begun or changed",
    "referred": "Referred",
    "contacted": "Spoke with the patient",
    "no-change": "Looked at, nothing to change",
    "not-reached": "The patient could not be reached",
}
SNOOZE_DAYS_MAX = 180
# A decision counts until the score asks for more, or until this has passed.
DISMISSED_DAYS, DONE_DAYS = 180, 90


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`reason` is needed to dismiss, `until` to snooze, `outcome` when it is done."""

    assessment: UUID
    decision: State
    reason: str = ""
    outcome: str = ""
    due: date | None = None
    until: date | None = None


def check(decision: Decision, today: date) -> None:
    """Raises Invalid, naming what is missing or wrong."""
    _one_of(decision.reason, REASONS, "reason", needed=decision.decision == "dismissed")
    _one_of(decision.outcome, OUTCOMES, "outcome", needed=decision.decision == "done")
    if decision.decision == "snoozed":
        last = today + timedelta(days=SNOOZE_DAYS_MAX)
        if decision.until is None or not today < decision.until <= last:
            raise Invalid(f"A day from tomorrow until {last}.", place="until")
    elif decision.until is not None:
        raise Invalid("Only what is snoozed comes back on a day.", place="until")
    if decision.due is not None and (decision.decision != "accepted" or decision.due < today):
        raise Invalid("What is accepted may be due today or later.", place="due")


def _one_of(value: str, known: dict[str, str], place: str, *, needed: bool) -> None:
    if value not in known and (needed or value):
        raise Invalid(f"One of {', '.join(known)}.", place=place)


def at_rest_until(decision: Decision, now: datetime) -> datetime | None:
    """When the line comes back by itself; none while somebody works on it."""
    match decision.decision:
        case "snoozed":
            assert decision.until is not None
            return now.replace(hour=0, minute=0, second=0, microsecond=0) + (
                decision.until - now.date()
            )
        case "dismissed":
            return now + timedelta(days=DISMISSED_DAYS)
        case "done":
            return now + timedelta(days=DONE_DAYS)
        case _:
            return None
