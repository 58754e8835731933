"""Learned models as plain data: read, written and asked without the library that fitted them.

    model = load(file.read_bytes())
    said = predict(model, {"age": 71.0, "sex": "female", "stays.count": None, …})
    said.probability, said.contributions       # base + the contributions = said.logit

Only additive forms are read; decisions/0029 says how boosted trees become one.
"""

from polyclinic.services.insights.domain.models.curves import BadRow, Row
from polyclinic.services.insights.domain.models.reading import BadModel, dump, load
from polyclinic.services.insights.domain.models.scoring import Predicted, predict
from polyclinic.services.insights.domain.models.values import (
    Axis,
    Calibration,
    Curve,
    Feature,
    Joined,
    Line,
    Model,
    Table,
    Term,
)

__all__ = [
    "Axis", "BadModel", "BadRow", "Calibration", "Curve", "Feature", "Joined", "Line", "Model",
    "Predicted", "Row", "Table", "Term", "dump", "load", "predict",
]  # fmt: skip
