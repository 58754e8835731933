"""What is counted of models for Prometheus: names of models and features, never people."""

from collections.abc import Sequence

from prometheus_client import Counter, Gauge

from polyclinic.foundation.telemetry import Metrics
from polyclinic.services.insights.domain.life.drift import SCORE, Cusum, Drift
from polyclinic.services.insights.domain.life.states import STATES, Registered


class ModelMeters:
    """The numbers of one process."""

    def __init__(self, metrics: Metrics) -> None:
        def gauge(name: str, words: str, *labels: str) -> Gauge:
            full = f"polyclinic_insights_model_{name}"
            return Gauge(full, words, ("service", "model", *labels), registry=metrics.registry)

        self._state = gauge("state", "1 for the state that a model is in.", "version", "state")
        self._scored = gauge("scored", "People that it has scored, shown or not.", "version")
        self._psi = gauge("score_psi", "How far its scores moved, where that is a warning.")
        self._drifts = gauge("drifts", "Features that moved, by how grave it is.", "level")
        self._ratio = gauge("observed_over_expected", "Outcomes over those that it foretold.")
        self._answers = Counter(
            "polyclinic_insights_model_answers_total",
            "What came of scoring: shown, silent, or strange (and so nothing).",
            ("service", "model", "answer"),
            registry=metrics.registry,
        )

    def answered(self, model: str, answer: str) -> None:
        self._answers.labels("insights", model, answer).inc()

    def stands(self, model: Registered, scored: int) -> None:
        for state in STATES:
            is_it = float(model.state == state)
            self._state.labels("insights", model.model, model.version, state).set(is_it)
        self._scored.labels("insights", model.model, model.version).set(scored)

    def drifted(self, model: str, found: Sequence[Drift]) -> None:
        of_score = (each.value for each in found if each.feature == SCORE and each.kind == "psi")
        self._psi.labels("insights", model).set(max(of_score, default=0.0))
        for level in ("warn", "act"):
            count = sum(each.level == level for each in found)
            self._drifts.labels("insights", model, level).set(count)

    def came(self, model: str, chart: Cusum) -> None:
        if chart.ratio is not None:
            self._ratio.labels("insights", model).set(chart.ratio)
