"""Records' settings, each with a sentence in `NOTES`."""

from polyclinic.foundation.settings import Settings


class RecordsSettings(Settings, frozen=True, kw_only=True):
    """How long answers are kept for those who ask again."""

    idempotency_hours: int = 72


NOTES = {
    "idempotency_hours": "How long a repeated request gets the answer of the first.",
}
