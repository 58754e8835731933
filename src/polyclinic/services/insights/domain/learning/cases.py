"""What one learns from: columns of features with a label, a weight, a person and a time each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from polyclinic.services.insights.domain.models import Feature

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
# Of a number: floats, NaN where it is not known. Of a code: texts, None where it is not known.
Column = NDArray[np.float64] | NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Cases:
    """n cases: every column, `label` (0 or 1), `weight` (of censoring, else 1), `person` (whose
    case it is) and `time` (any number that grows with it) has the shape (n,)."""

    features: tuple[Feature, ...]
    columns: Mapping[str, Column]
    label: Numbers
    weight: Floats
    person: Numbers
    time: Floats

    def __post_init__(self) -> None:
        n = len(self.label)
        arrays = (*self.columns.values(), self.weight, self.person, self.time)
        if any(each.shape != (n,) for each in arrays):
            raise ValueError("Every column of cases has the length of the label.")
        if set(self.columns) != {each.name for each in self.features}:
            raise ValueError("Every feature has a column, and every column a feature.")

    def __len__(self) -> int:
        return len(self.label)

    @property
    def events(self) -> int:
        """How many outcomes count."""
        return int(np.sum((self.label == 1) & (self.weight > 0)))

    def take(self, chosen: NDArray[np.bool_] | Numbers) -> "Cases":
        """The cases of a mask, or of indices (as often as they are named)."""
        return replace(
            self,
            columns={name: column[chosen] for name, column in self.columns.items()},
            label=self.label[chosen],
            weight=self.weight[chosen],
            person=self.person[chosen],
            time=self.time[chosen],
        )

    def only(self, *names: str) -> "Cases":
        """With these features alone."""
        return replace(
            self,
            features=tuple(each for each in self.features if each.name in names),
            columns={name: self.columns[name] for name in names},
        )

    def rows(self) -> Iterator[dict[str, float | str | None]]:
        """One by one, as a model is asked."""
        for n in range(len(self)):
            yield {name: _plain(column[n]) for name, column in self.columns.items()}


def _plain(value: float | str | None) -> float | str | None:
    if value is None or isinstance(value, str):
        return value
    return None if np.isnan(value) else float(value)


def ranged(features: tuple[Feature, ...], cases: Cases) -> tuple[Feature, ...]:
    """The features with the range that their numbers have in these cases."""
    found: list[Feature] = []
    for each in features:
        known = _known(cases, each)
        span = (float(known.min()), float(known.max())) if len(known) else (None, None)
        found.append(
            Feature(each.name, each.kind, each.words, each.unit, each.source, span[0], span[1])
        )
    return tuple(found)


def _known(cases: Cases, feature: Feature) -> Floats:
    if feature.kind == "code":
        return np.empty(0)
    column = np.asarray(cases.columns[feature.name], dtype=np.float64)
    return column[~np.isnan(column)]
