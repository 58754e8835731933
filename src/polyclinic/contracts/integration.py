"""What integration says: ids of its own and reasons of its own vocabulary."""

from polyclinic.foundation.events import Event


class DestinationDisabled(Event, frozen=True, kw_only=True):
    """A receiver of events gets nothing more until a person enables it; `reason` says why."""

    destination: str
    reason: str
