"""The gateway's numbers for Prometheus: by capability and side, never by patient."""

from weakref import WeakKeyDictionary

from prometheus_client import Counter, Histogram

from polyclinic.foundation.telemetry import BUCKETS, Metrics

_known: "WeakKeyDictionary[Metrics, Meters]" = WeakKeyDictionary()


class Meters:
    """One set for a service, however many gateways it opens."""

    def __init__(self, metrics: Metrics) -> None:
        self.answers = Histogram(
            "polyclinic_gateway_seconds",
            "Time until the head of an answer of either side.",
            ("capability", "side", "status"),
            registry=metrics.registry,
            buckets=BUCKETS,
        )
        self.shadows = Counter(
            "polyclinic_gateway_shadows_total",
            "Comparisons of both sides, by how they ended.",
            ("capability", "outcome"),
            registry=metrics.registry,
        )


def meters_of(metrics: Metrics) -> Meters:
    if metrics not in _known:
        _known[metrics] = Meters(metrics)
    return _known[metrics]
