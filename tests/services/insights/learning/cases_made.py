"""Synthetic people whose truth is known: they prove the pipeline, and nothing about medicine."""

import numpy as np

from polyclinic.services.insights.domain.learning.cases import Cases
from polyclinic.services.insights.domain.models import Feature

FEATURES = (
    Feature("age", "number", "Age", "a"),
    Feature("pressure", "number", "Pressure", "mm[Hg]"),
    Feature("kind", "code", "Kind"),
)


def people(n: int = 3000, seed: int = 1, each: int = 1, missing: float = 0.1) -> Cases:
    """n persons with `each` cases: age matters as a bend, kind b adds, pressure a little."""
    chance = np.random.default_rng(seed)
    person = np.repeat(np.arange(n), each)
    age = np.repeat(chance.uniform(20, 90, n), each)
    kind = np.repeat(chance.choice(np.asarray(["a", "b", "c"], dtype=object), n), each)
    pressure = chance.normal(130, 20, n * each)
    true = -2 + 0.03 * np.abs(age - 50) + 0.8 * (kind == "b") + 0.01 * (pressure - 130)
    label = (chance.random(n * each) < 1 / (1 + np.exp(-true))).astype(np.int64)
    pressure[chance.random(n * each) < missing] = np.nan
    kind[chance.random(n * each) < missing / 5] = None
    columns = {"age": age, "pressure": pressure, "kind": kind}
    time = np.arange(n * each, dtype=float)
    return Cases(FEATURES, columns, label, np.ones(n * each), person.astype(np.int64), time)


def numbers(columns: dict, label, person=None, time=None) -> Cases:
    """Cases of number columns only."""
    n = len(label)
    return Cases(
        tuple(Feature(name, "number", name) for name in columns),
        {name: np.asarray(column, dtype=float) for name, column in columns.items()},
        np.asarray(label, dtype=np.int64),
        np.ones(n),
        np.arange(n) if person is None else np.asarray(person, dtype=np.int64),
        np.arange(n, dtype=float) if time is None else np.asarray(time, dtype=float),
    )
