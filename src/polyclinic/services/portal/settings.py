"""The portal's settings, each with a sentence in `NOTES`."""

from polyclinic.foundation.settings import Settings


class PortalSettings(Settings, frozen=True, kw_only=True):
    """Whose portal this is, and how long somebody stays signed in."""

    clinic: str = "Northside"
    phone: str = "617 555 0100"
    time_zone: str = "America/New_York"
    emergency: str = "911"
    idle_minutes: int = 30
    warn_seconds: int = 120
    session_hours: int = 12


NOTES = {
    "clinic": "The clinic's name in the corner of every page.",
    "phone": "The number that patients are told to call.",
    "time_zone": "The clinic's own clock, where a site does not say its own.",
    "emergency": "The number that patients are told to call in an emergency.",
    "idle_minutes": "After how many minutes without a page somebody is signed out.",
    "warn_seconds": "How long before that the page asks whether to go on; at least 120.",
    "session_hours": "The longest time between two sign-ins.",
}
