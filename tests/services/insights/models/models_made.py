"""Small models and rows, written by hand."""

from polyclinic.services.insights.domain.models import (
    Axis,
    Curve,
    Feature,
    Joined,
    Line,
    Model,
    Table,
)

FEATURES = (
    Feature("age", "number", "Age", "a", low=18.0, high=95.0),
    Feature("visits", "number", "Visits of a year", "1", low=0.0, high=30.0),
    Feature("sex", "code", "Sex"),
)
AGE = Curve(
    "age", 3, (18, 18, 18, 18, 40, 60, 95, 95, 95, 95), (-1.0, -0.5, 0.1, 0.4, 0.9, 1.3), 0.05
)
SEX = Table((Axis("sex", codes=("female", "male")),), (0.0, -0.1, 0.1, 0.02))
BOTH = Table(
    (Axis("visits", edges=(1.0, 3.0)), Axis("sex", codes=("female", "male"))),
    tuple(number / 10 for number in range(16)),
)
STEPS = Joined((-4.0, -1.0, 0.5, 2.0), (-3.0, -1.5, -1.5, 1.0))


def made(calibration=None, **changed) -> Model:
    said = {
        "format": "polyclinic-model/1", "id": "made", "version": "1", "task": "made",
        "title": "Made", "horizon_days": 30.0, "features": FEATURES, "base": -1.2,
        "terms": (AGE, SEX, BOTH), "calibration": calibration or Line(),
    }  # fmt: skip
    return Model(**(said | changed))
