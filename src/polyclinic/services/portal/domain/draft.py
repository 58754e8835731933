"""A booking that is not finished: everything answered so far, whatever happens to the place."""

import re
from datetime import datetime

import msgspec

from polyclinic.foundation.errors import NotFound
from polyclinic.services.portal.domain.booking import Hold, Opening

REASON_MAX = 500
_ID = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class NoDraft(NotFound):
    """This booking was finished, or it is more than a day old."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody has answered; kept sealed."""

    id: str
    patient: str
    visit_type: str = ""
    moves: str | None = None
    waiting: str | None = None
    clinician: str = ""
    reason: str = ""
    opening: Opening | None = None
    hold: Hold | None = None
    # After a place was lost: which one, and what was nearest.
    lost: Opening | None = None
    nearest: tuple[Opening, ...] = ()
    problem: str = ""
    # Staff may book over a taken time; why is written down.
    override: str = ""
    # Counts the tries to get a place: each has an idempotency key of its own.
    turn: int = 0
    booked: str | None = None

    def key(self, what: str) -> str:
        """Names one try: the same press of a button, sent twice, has one effect."""
        return f"{self.id}-{what}-{self.turn}"

    def is_held(self, now: datetime) -> bool:
        return self.hold is not None and self.hold.ends > now

    def choosing(self, opening: Opening, hold: Hold | None) -> "Draft":
        return msgspec.structs.replace(
            self,
            opening=opening,
            hold=hold,
            lost=None,
            nearest=(),
            problem="",
            turn=self.turn + 1,
        )

    def losing(self, nearest: tuple[Opening, ...], problem: str) -> "Draft":
        """Without a place; every answer stays."""
        return msgspec.structs.replace(
            self,
            lost=self.opening,
            opening=None,
            hold=None,
            nearest=nearest,
            problem=problem,
            turn=self.turn + 1,
        )


def check_id(draft: str) -> None:
    if not _ID.fullmatch(draft):
        raise NoDraft


def read_reason(typed: str) -> tuple[str, str]:
    """What was written, and what is wrong with it."""
    reason = "\n".join(line.rstrip() for line in typed.strip().splitlines())
    if len(reason) > REASON_MAX:
        return reason, (
            f"Write at most {REASON_MAX} characters; there are {len(reason)}. "
            "You can tell the rest at the visit."
        )
    return reason, ""
