"""Appointments' settings, each with a sentence in `NOTES`."""

from polyclinic.foundation.settings import Settings


class AppointmentsSettings(Settings, frozen=True, kw_only=True):
    """How long things are held, and how fresh an opening is."""

    hold_seconds: int = 300
    opening_cache_ms: int = 1500
    cancel_hours: int = 24
    idempotency_hours: int = 72
    offer_minutes: int = 120


NOTES = {
    "hold_seconds": "How long a place is kept for somebody who fills in the form.",
    "opening_cache_ms": "How old the picture of free places may be; the database decides.",
    "cancel_hours": "Until how long before the visit patients change or cancel it themselves.",
    "idempotency_hours": "How long a repeated request gets the answer of the first.",
    "offer_minutes": "How long a place that was offered from the waiting list is kept.",
}
