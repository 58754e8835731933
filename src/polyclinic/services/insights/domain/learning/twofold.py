"""Boosted trees of two questions each: they add up to tables of pairs, so nothing is hidden.

A tree that asks twice knows two features at a time, whatever it answers. Many of them summed are a
table for each pair, exactly; `purified` then gives to each feature alone what is its own.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyclinic.services.insights.domain.learning.cases import Cases, Floats
from polyclinic.services.insights.domain.learning.scoring import places
from polyclinic.services.insights.domain.models import Axis, Feature, Table

_PURE = 1e-9
_ROUNDS_MAX = 200
Mask = NDArray[np.bool_]
Answer = tuple[int, Mask]  # a feature, and the places of its axis that lead to a leaf
Leaf = tuple[tuple[Answer, ...], float]


@dataclass(frozen=True, slots=True)
class Parts:
    """What is summed: a base, a value for each place of a feature, and of a pair of features."""

    base: float
    alone: dict[int, Floats]
    pairs: dict[tuple[int, int], Floats]


def tables(
    dumped: Mapping[str, Any], cases: Cases, known: Mapping[str, tuple[str, ...]]
) -> tuple[float, tuple[Table, ...]]:
    """Base and tables of LightGBM's `dump_model()`; `known` are the codes of each coded feature in
    the order of their numbers. Raises ValueError for a tree that asks more than twice."""
    trees = [each["tree_structure"] for each in dumped["tree_info"]]
    axes = _axes(trees, cases.features, known)
    parts = Parts(0.0, {}, {})
    for tree in trees:
        for answers, value in _leaves(tree, axes, ()):
            parts = _added(parts, axes, answers, value)
    pure = purified(parts, [places(axis, cases) for axis in axes], cases.weight, axes)
    made = [Table((axes[at],), _numbers(values)) for at, values in sorted(pure.alone.items())]
    made += [
        Table((axes[one], axes[two]), _numbers(values))
        for (one, two), values in sorted(pure.pairs.items())
    ]
    return pure.base, tuple(made)


def _numbers(values: Floats) -> tuple[float, ...]:
    return tuple(float(each) for each in values.ravel())


def _axes(
    trees: list[Any], features: tuple[Feature, ...], known: Mapping[str, tuple[str, ...]]
) -> list[Axis]:
    """A number is cut wherever any tree cuts it."""
    cuts: dict[int, set[float]] = defaultdict(set)
    for node in (node for tree in trees for node in _nodes(tree)):
        if node["decision_type"] == "<=":
            cuts[node["split_feature"]].add(_edge(node))
    return [
        Axis(each.name, codes=known[each.name])
        if each.kind == "code"
        else Axis(each.name, edges=tuple(sorted(cuts[at])))
        for at, each in enumerate(features)
    ]


def _edge(node: Mapping[str, Any]) -> float:
    """A tree's cut belongs to the side below it, an axis's edge to the side above."""
    return float(np.nextafter(float(node["threshold"]), np.inf))


def _nodes(tree: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "split_feature" in tree:
        yield tree
        yield from _nodes(tree["left_child"])
        yield from _nodes(tree["right_child"])


def _leaves(tree: Mapping[str, Any], axes: list[Axis], asked: tuple[Answer, ...]) -> Iterator[Leaf]:
    if "split_feature" not in tree:
        yield asked, float(tree["leaf_value"])
        return
    if len(asked) == 2:
        raise ValueError("A tree that asks more than twice has no table.")
    at = int(tree["split_feature"])
    left = _left(tree, axes[at])
    yield from _leaves(tree["left_child"], axes, (*asked, (at, left)))
    yield from _leaves(tree["right_child"], axes, (*asked, (at, ~left)))


def _left(node: Mapping[str, Any], axis: Axis) -> Mask:
    """Which places of the axis go left; place 0 is what is not known."""
    left = np.zeros(axis.places, dtype=bool)
    if axis.codes is not None:
        left[[int(each) + 1 for each in str(node["threshold"]).split("||")]] = True
        return left
    edge = _edge(node)
    left[1 : (axis.edges or ()).index(edge) + 2] = True
    # LightGBM reads what is not known as 0 where it never met it in learning.
    left[0] = bool(node["default_left"]) if node["missing_type"] == "NaN" else edge > 0
    return left


def _added(parts: Parts, axes: list[Axis], answers: tuple[Answer, ...], value: float) -> Parts:
    """With one more leaf; two questions about one feature are one."""
    masks: dict[int, Mask] = {}
    for at, mask in answers:
        masks[at] = masks[at] & mask if at in masks else mask
    if not masks:
        return Parts(parts.base + value, parts.alone, parts.pairs)
    if len(masks) == 1:
        ((at, mask),) = masks.items()
        parts.alone.setdefault(at, np.zeros(axes[at].places))[mask] += value
        return parts
    one, two = sorted(masks)
    size = (axes[one].places, axes[two].places)
    both = parts.pairs.setdefault((one, two), np.zeros(size))
    both[np.ix_(masks[one], masks[two])] += value
    return parts


def purified(parts: Parts, at: list[NDArray[np.int64]], weight: Floats, axes: list[Axis]) -> Parts:
    """The same sums, with a mean of 0 along each side of a pair and of each feature, by the people
    learned from: what one feature does alone stands with it alone (Lengerich et al. 2020,
    arXiv:1911.04974). `at` are the places of the cases on each axis."""
    base = parts.base
    alone = {key: values.copy() for key, values in parts.alone.items()}
    pairs: dict[tuple[int, int], Floats] = {}
    for (one, two), values in parts.pairs.items():
        size = (axes[one].places, axes[two].places)
        counted = (
            np.bincount(at[one] * size[1] + at[two], weights=weight, minlength=size[0] * size[1])
            .astype(np.float64)
            .reshape(size)
        )
        pairs[one, two], first, second = _purified(values, counted)
        alone[one] = alone.get(one, np.zeros(size[0])) + first
        alone[two] = alone.get(two, np.zeros(size[1])) + second
    for key, values in alone.items():
        mean = float(np.average(values[at[key]], weights=weight))
        alone[key], base = values - mean, base + mean
    return Parts(base, alone, pairs)


def _purified(values: Floats, counted: Floats) -> tuple[Floats, Floats, Floats]:
    """(pure, of the rows, of the columns): pure + rows + columns = values."""
    pure = values.copy()
    rows, columns = np.zeros((len(values), 1)), np.zeros((1, values.shape[1]))
    for _ in range(_ROUNDS_MAX):
        of_rows = _means(pure, counted, axis=1)
        pure, rows = pure - of_rows, rows + of_rows
        of_columns = _means(pure, counted, axis=0)
        pure, columns = pure - of_columns, columns + of_columns
        if max(np.abs(of_rows).max(), np.abs(of_columns).max()) < _PURE:
            break
    return pure, rows.ravel(), columns.ravel()


def _means(values: Floats, counted: Floats, axis: int) -> Floats:
    """By how many there are; 0 where there is nobody."""
    total = counted.sum(axis=axis, keepdims=True)
    summed = (values * counted).sum(axis=axis, keepdims=True)
    return np.divide(summed, total, out=np.zeros_like(total), where=total > 0)
