"""Migration's settings, each with a sentence in `NOTES`."""

from polyclinic.foundation.settings import Settings


class MigrationSettings(Settings, frozen=True, kw_only=True):
    """How long answers of repeated requests are kept, and how the gateway stands between."""

    idempotency_hours: int = 72
    gateway_port: int = 0
    gateway_host: str = "127.0.0.1"
    legacy_url: str = "http://127.0.0.1:8090"
    candidate_url: str = "http://127.0.0.1:8080"
    gateway_seconds: float = 60.0
    candidate_seconds: float = 5.0
    visit_idle_minutes: int = 240
    shadow_workers: int = 4
    settle_seconds: float = 2.0
    sync_seconds: float = 60.0


NOTES = {
    "idempotency_hours": "How long a repeated request gets the answer of the first.",
    "gateway_port": "The port of the gateway in front of the old system; 0 opens none.",
    "gateway_host": "The address that the gateway listens on.",
    "legacy_url": "Where the gateway finds the old system.",
    "candidate_url": "Where the gateway finds the new one: this platform's front door.",
    "gateway_seconds": "How long the gateway waits for an answer that nothing can stand in for.",
    "candidate_seconds": "How long a read waits for the new side before the old one is asked.",
    "visit_idle_minutes": "How long after its last request a visit stays on its side.",
    "shadow_workers": "How many answers each process compares at once.",
    "settle_seconds": "How long a difference is left to settle before both sides are asked again.",
    "sync_seconds": "How long after a change the other side may not have heard of it.",
}
