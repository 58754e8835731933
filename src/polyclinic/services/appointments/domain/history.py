"""Which documents of another time may stand beside our own appointments: what is over."""

from datetime import datetime
from typing import Any

from polyclinic.standards.fhir.dates import date_range

_OVER = frozenset({"fulfilled", "cancelled", "noshow", "entered-in-error"})
OPEN = "It is {status} and not over: book it in appointments, so that its time is kept."


def why_not(kind: str, resource: dict[str, Any] | None, now: datetime) -> str | None:
    """Why a document cannot be taken in, or None.

    A document keeps nobody's time free of others. An appointment that is still to come would look
    booked and be booked over, so it is refused; and what hours and openings say is set up anew.
    """
    if kind == "Slot":
        return "Slots are computed from the clinic's hours and never kept."
    if kind == "Schedule":
        return "Schedules are made from the clinic's set-up."
    if kind != "Appointment" or resource is None:
        return None
    status = resource.get("status")
    if status in _OVER or _is_past(resource, now):
        return None
    return OPEN.format(status=status)


def _is_past(resource: dict[str, Any], now: datetime) -> bool:
    """Without a time it is a wish that somebody still waits for."""
    told = resource.get("end") or resource.get("start")
    return isinstance(told, str) and date_range(told)[1] <= now
