"""Why billing refuses; each docstring is the sentence people read."""

from polyclinic.foundation.errors import Conflict, Forbidden, NotFound, NotProcessable


class StaffOnly(Forbidden):
    """Only the clinic's billing staff may do this."""


class NotYours(NotFound):
    """There is no such thing here, or it is not yours."""


class WrongState(Conflict):
    """It is no longer in the state that this needs."""


class AlreadyReversed(Conflict):
    """This entry has been reversed before."""


class MoreThanPaid(NotProcessable):
    """A refund cannot be more than what was paid and not yet given back."""


class NoFee(NotProcessable):
    """No fee schedule has this code on that day."""


class DayStillOpen(NotProcessable):
    """Only days that are over can be closed, one after the other."""
