"""What insights counts for Prometheus: methods and states, never people."""

from prometheus_client import Counter, Gauge, Histogram

from polyclinic.foundation.telemetry import Metrics

_SECONDS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600)


class Meters:
    """The numbers of one process."""

    def __init__(self, metrics: Metrics) -> None:
        registry = metrics.registry
        self._scored = Counter(
            "polyclinic_insights_answers_total",
            "What calculators answered of charts, by calculator.",
            ("service", "method", "answer"),
            registry=registry,
        )
        self._cards = Counter(
            "polyclinic_insights_cards_total",
            "Cards shown, and those held back with the reason.",
            ("service", "method", "held"),
            registry=registry,
        )
        self._decisions = Counter(
            "polyclinic_insights_decisions_total",
            "What was decided on the worklist.",
            ("service", "method", "state"),
            registry=registry,
        )
        self._lag = Histogram(
            "polyclinic_insights_lag_seconds",
            "From a change in records to its score.",
            ("service",),
            registry=registry,
            buckets=_SECONDS,
        )
        self._waiting = Gauge(
            "polyclinic_insights_waiting",
            "Changes that are not scored yet, and those that are parked.",
            ("service", "state"),
            registry=registry,
        )
        self._oldest = Gauge(
            "polyclinic_insights_oldest_seconds",
            "Age of the oldest change that is not scored yet.",
            ("service",),
            registry=registry,
        )

    def scored(self, method: str, answer: str) -> None:
        self._scored.labels("insights", method, answer).inc()

    def card(self, method: str, held: str) -> None:
        self._cards.labels("insights", method, held).inc()

    def decided(self, method: str, state: str) -> None:
        self._decisions.labels("insights", method, state).inc()

    def lag(self, seconds: float) -> None:
        self._lag.labels("insights").observe(max(seconds, 0.0))

    def waiting(self, count: int, parked: int, oldest_seconds: float) -> None:
        self._waiting.labels("insights", "waiting").set(count)
        self._waiting.labels("insights", "parked").set(parked)
        self._oldest.labels("insights").set(oldest_seconds)
