"""The candidates, from the simplest to the least simple: each learns cases and gives logits.

Those that are additive become plain models, trees of two questions among them; larger trees are a
yardstick only (decisions/0029).
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from interpret.glassbox import ExplainableBoostingClassifier
from lightgbm import LGBMClassifier
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import SplineTransformer

from polyclinic.services.insights.domain.learning.cases import Cases, Floats, ranged
from polyclinic.services.insights.domain.learning.measures import logit
from polyclinic.services.insights.domain.learning.scoring import raw_logits
from polyclinic.services.insights.domain.learning.twofold import tables as twofold_tables
from polyclinic.services.insights.domain.models import (
    Axis,
    Curve,
    Feature,
    Line,
    Model,
    Table,
    Term,
)

# A code of fewer people is not learned: it counts as another code.
CODE_MIN = 50
_KNOTS = 5
# Steps that a person can look at; finer ones gained nothing on the public sets.
_BINS, _PAIR_BINS = 64, 16


@dataclass(frozen=True, slots=True)
class Fitted:
    """What was learned: logits of cases, before calibration; `plain` where it is additive."""

    name: str
    logits: Callable[[Cases], Floats]
    plain: Model | None = None


Fitting = Callable[[Cases], Fitted]


def base_rate(cases: Cases) -> Fitted:
    """The same chance for everybody."""
    share = np.average(cases.label, weights=cases.weight)
    return _additive("base rate", cases, float(logit(np.asarray([share]))[0]), ())


def linear(cases: Cases) -> Fitted:
    """Logistic regression on numbers as they are and on codes, with an L2 penalty of 1."""
    return _regression("linear", cases, knots=2)


def splines(cases: Cases) -> Fitted:
    """Logistic regression on cubic B-splines of numbers and on codes, with an L2 penalty of 1."""
    return _regression("splines", cases, _KNOTS)


def _regression(name: str, cases: Cases, knots: int) -> Fitted:
    parts = [_part(cases, each, knots) for each in cases.features]
    design = np.hstack([part.columns for part in parts])
    fitted = LogisticRegression(C=1.0, solver="newton-cholesky", max_iter=100, tol=1e-6)
    fitted.fit(design, cases.label, sample_weight=cases.weight)
    weights: Floats = np.asarray(fitted.coef_, dtype=np.float64)[0]
    terms: list[Term] = []
    for part in parts:
        own, weights = weights[: part.columns.shape[1]], weights[part.columns.shape[1] :]
        terms.append(part.term(own))
    return _additive(name, cases, float(np.asarray(fitted.intercept_)[0]), tuple(terms))


@dataclass(frozen=True, slots=True)
class _Part:
    """The columns of one feature, and the term that their weights make."""

    columns: Floats
    term: Callable[[Floats], Term]


def _part(cases: Cases, feature: Feature, knots: int) -> _Part:
    if feature.kind == "code":
        return _code_part(cases, feature)
    column = np.asarray(cases.columns[feature.name], dtype=np.float64)
    missing = np.isnan(column)
    middle = float(np.median(column[~missing])) if not missing.all() else 0.0
    filled = np.where(missing, middle, column)
    spline = _spline(filled[~missing] if not missing.all() else filled, knots)
    columns = spline.transform(filled[:, None])
    at_middle = spline.transform([[middle]])[0]

    def term(weights: Floats) -> Term:
        own = weights[: columns.shape[1]]
        unknown = float(np.dot(at_middle, own)) + float(weights[-1]) * bool(missing.any())
        at = tuple(float(each) for each in spline.bsplines_[0].t)
        return Curve(
            feature.name, int(spline.degree), at, tuple(float(each) for each in own), unknown
        )

    flags = missing[:, None].astype(np.float64) if missing.any() else np.empty((len(cases), 0))
    return _Part(np.hstack([columns, flags]), term)


def _spline(known: Floats, number: int) -> SplineTransformer:
    """Knots at quantiles of what there is; a straight line where there are too few values."""
    knots = np.unique(np.quantile(known, np.linspace(0, 1, number)))
    if len(knots) < 3:
        low, high = float(known.min()), float(known.max())
        knots = np.asarray([low, high if high > low else low + 1])
    degree = 3 if len(knots) > 3 else 1
    places: Any = knots[:, None]
    spline = SplineTransformer(degree=degree, knots=places, extrapolation="constant")
    return spline.fit(knots[:, None])


def codes_of(cases: Cases, feature: str) -> tuple[str, ...]:
    """The codes that enough cases have, in the order of their letters."""
    known = [value for value in cases.columns[feature] if value is not None]
    codes, counts = np.unique(np.asarray(known, dtype=str), return_counts=True)
    return tuple(str(code) for code, n in zip(codes, counts, strict=True) if n >= CODE_MIN)


def _code_part(cases: Cases, feature: Feature) -> _Part:
    codes = codes_of(cases, feature.name)
    column = cases.columns[feature.name]
    columns = np.asarray([column == code for code in codes], dtype=np.float64).reshape(
        len(codes), len(cases)
    )
    axis = Axis(feature.name, codes=codes)
    return _Part(columns.T, lambda own: Table((axis,), (0.0, *(float(each) for each in own), 0.0)))


def boosted(pairs: int) -> Fitting:
    """An explainable boosting machine: a step function of each feature, and of some pairs.

    Lou et al. 2013, doi:10.1145/2487575.2487579.
    """

    def fit(cases: Cases) -> Fitted:
        known = {each.name: codes_of(cases, each.name) for each in _coded(cases)}
        kinds = ["nominal" if each.kind == "code" else "continuous" for each in cases.features]
        machine = ExplainableBoostingClassifier(
            feature_types=kinds, interactions=pairs, outer_bags=2, learning_rate=0.02,
            max_rounds=3000, max_bins=_BINS, max_interaction_bins=_PAIR_BINS, n_jobs=1,
            random_state=0,
        )  # fmt: skip
        with warnings.catch_warnings():
            # Its own pictures cannot show what is missing; the plain form has a place for it.
            warnings.filterwarnings("ignore", "Missing values detected", UserWarning)
            machine.fit(machine_input(cases, known), cases.label, sample_weight=cases.weight)
        terms = tuple(
            _term(machine, cases.features, number) for number in range(len(machine.term_features_))
        )
        name = f"boosted + {pairs} pairs" if pairs else "boosted"
        return _additive(name, cases, float(machine.intercept_[0]), terms)

    return fit


def machine_input(cases: Cases, known: Mapping[str, tuple[str, ...]]) -> NDArray[np.object_]:
    """Rows as the boosting machine takes them; rare codes as one."""
    columns: list[Any] = []
    for each in cases.features:
        column = cases.columns[each.name]
        if each.kind == "code":
            kept = set(known[each.name]) | {None}
            column = np.asarray([v if v in kept else "?" for v in column], dtype=object)
        columns.append(column.astype(object))
    return np.stack(columns, axis=1)


def _term(machine: Any, features: tuple[Feature, ...], number: int) -> Term:
    at = machine.term_features_[number]
    scores = np.asarray(machine.term_scores_[number], dtype=np.float64)
    axes: list[Axis] = []
    for place, index in enumerate(at):
        levels = machine.bins_[index]
        bins = levels[min(len(at), len(levels)) - 1]
        name = features[index].name
        if isinstance(bins, dict):
            axes.append(Axis(name, codes=tuple(sorted(bins, key=lambda code: bins[code]))))
        else:
            axes.append(Axis(name, edges=tuple(float(each) for each in bins)))
            # The machine's last place is for what is no number: a row with that is refused.
            scores = np.take(scores, range(scores.shape[place] - 1), axis=place)
    return Table(tuple(axes), tuple(float(each) for each in scores.ravel()))


def twofold(cases: Cases) -> Fitted:
    """Gradient boosted trees of LightGBM that ask two questions each: an additive model."""
    known = {each.name: codes_of(cases, each.name) for each in _coded(cases)}
    forest = _grown(cases, known, n_estimators=1000, learning_rate=0.1, num_leaves=4, max_depth=2)
    base, terms = twofold_tables(forest.booster_.dump_model(), cases, known)
    return _additive("trees of two questions", cases, base, terms)


def trees(cases: Cases) -> Fitted:
    """Gradient boosted trees of LightGBM: how good one could be without being understood."""
    known = {each.name: codes_of(cases, each.name) for each in _coded(cases)}
    forest = _grown(cases, known, n_estimators=300, learning_rate=0.03, num_leaves=15)

    def logits(asked: Cases) -> Floats:
        said = forest.booster_.predict(_numbered(asked, known), raw_score=True)
        return np.asarray(said, dtype=np.float64)

    return Fitted("trees", logits)


def _grown(cases: Cases, known: Mapping[str, tuple[str, ...]], **size: Any) -> LGBMClassifier:
    coded = [n for n, each in enumerate(cases.features) if each.kind == "code"]
    small = max(10, min(100, len(cases) // 100))
    forest = LGBMClassifier(
        min_child_samples=small, reg_lambda=10.0, cat_smooth=50.0, cat_l2=50.0,
        colsample_bytree=0.5, subsample=0.7, subsample_freq=1, n_jobs=1, verbose=-1,
        random_state=0, deterministic=True, force_row_wise=True, **size,
    )  # fmt: skip
    return forest.fit(
        _numbered(cases, known), cases.label, sample_weight=cases.weight, categorical_feature=coded
    )


def _numbered(cases: Cases, known: Mapping[str, tuple[str, ...]]) -> Floats:
    columns: list[Floats] = []
    for each in cases.features:
        column = cases.columns[each.name]
        if each.kind == "code":
            number = {code: float(n) for n, code in enumerate(known[each.name])}
            other = float(len(number))
            column = np.asarray([np.nan if v is None else number.get(v, other) for v in column])
        columns.append(np.asarray(column, dtype=np.float64))
    return np.stack(columns, axis=1)


def _coded(cases: Cases) -> list[Feature]:
    return [each for each in cases.features if each.kind == "code"]


def _additive(name: str, cases: Cases, base: float, terms: tuple[Term, ...]) -> Fitted:
    plain = Model(
        format="polyclinic-model/1", id="unnamed", version="0", task="unnamed", title=name,
        horizon_days=1.0, features=ranged(cases.features, cases), base=base, terms=terms,
        calibration=Line(),
    )  # fmt: skip
    return Fitted(name, lambda asked: raw_logits(plain, asked), plain)
