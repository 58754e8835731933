"""Why an appointment cannot be had as asked; each docstring is the sentence people read."""

from datetime import datetime

from polyclinic.foundation.errors import Conflict, Forbidden, NotFound, NotProcessable
from polyclinic.services.appointments.domain.openings import Opening


class PlaceTaken(Conflict):
    """That time was just taken."""

    def __init__(
        self,
        message: str | None = None,
        *,
        place: str | None = "start",
        nearest: tuple[Opening, ...] = (),
        visit_type: str = "",
    ) -> None:
        super().__init__(message, place=place)
        self.nearest, self.visit_type = nearest, visit_type


class AlreadyThere(Conflict):
    """The patient already has an appointment at this time."""


class HoldEnded(Conflict):
    """The time was kept for you for a while, and that while is over."""


class WrongState(Conflict):
    """The appointment is no longer in the state that this needs."""


class NotOffered(NotProcessable):
    """The clinic does not offer this visit at that time."""


class TooLate(NotProcessable):
    """It is too late to do this here; please telephone the clinic."""


class NotYet(NotProcessable):
    """It is too early for that: the visit has not begun."""


class StaffOnly(Forbidden):
    """Only the clinic's staff may do this."""


class NotYours(NotFound):
    """There is no such appointment, or it is not yours."""


def no_room() -> PlaceTaken:
    """A refusal that says what is lacking: the clinician is not."""
    return PlaceTaken("At that time no room for this visit is free.", place="room")


def closed_at(cut_off: datetime) -> TooLate:
    """A refusal that says until when it was possible."""
    return TooLate(
        f"This was possible online until {cut_off:%Y-%m-%d %H:%M} UTC; please telephone the clinic."
    )
