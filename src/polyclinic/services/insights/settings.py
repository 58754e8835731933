"""Insights' settings, each with a sentence in `NOTES`."""

from polyclinic.foundation.settings import Settings


class InsightsSettings(Settings, frozen=True, kw_only=True):
    """How charts are scored, and how much a clinic and its clinicians can take."""

    idempotency_hours: int = 72
    workers: int = 1
    lease_seconds: int = 60
    tries: int = 6
    retry_first_seconds: float = 2.0
    retry_longest_seconds: float = 300.0
    capacity: int = 25
    alerts_a_day: int = 20
    cards_a_call: int = 2
    repeat_days: int = 30
    keep_days: int = 400
    cds_issuers: str = ""
    cds_origins: str = ""
    time_zone: str = "UTC"
    label_delay_days: int = 7


NOTES = {
    "idempotency_hours": "How long a repeated request gets the answer of the first.",
    "workers": "Whether this process works the queue off; 0 leaves it to others.",
    "lease_seconds": "After how long what a silent worker had is taken up by another.",
    "tries": "How often a change that cannot be scored is tried before it is parked.",
    "retry_first_seconds": "How long it waits after its first failure; each wait doubles.",
    "retry_longest_seconds": "The longest wait between two tries.",
    "capacity": "How many people the clinic can take on from the worklist at once.",
    "alerts_a_day": "How many cards a clinician is shown a day; critical ones do not count.",
    "cards_a_call": "How many cards one call of CDS Hooks answers at most.",
    "repeat_days": "For how long a card that was shown to somebody is not shown to them again.",
    "keep_days": "How long it is known what was shown to whom and what became of it.",
    "cds_issuers": "The file (JSON) of EHRs that may call CDS Hooks: each `iss` with its `jwks`, "
    "or the `jku` that it may name; empty: nobody but this platform's own callers.",
    "cds_origins": "Web origins that may call CDS Hooks from a browser, with commas between them.",
    "label_delay_days": "How many days after its time an outcome may still be reported; only then "
    "a model's foretelling counts as not come true.",
    "time_zone": "The clinic's time zone: when a clinician's day begins.",
}
