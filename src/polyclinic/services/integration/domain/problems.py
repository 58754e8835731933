"""Why integration refuses; each docstring is the sentence people read."""

from polyclinic.foundation.errors import Conflict, Forbidden, NotFound


class NoChannel(NotFound):
    """There is no such channel."""


class NoMessage(NotFound):
    """There is no such message, or it is not yours to see."""


class OperatorsOnly(Forbidden):
    """Only administrators and operators may do this."""


class RegistrarsOnly(Forbidden):
    """Whose a message is, the front desk says."""


class NotAsked(NotFound):
    """Nobody asks about this message, or it was answered meanwhile."""


class WrongState(Conflict):
    """The message is no longer in a state in which this can be done."""


class ContentGone(Conflict):
    """The time for which this message was kept is over; what it did still stands here."""


class NoContent(Forbidden):
    """What a message says is part of a chart; it is read with clinical rights."""
