"""Who is learned from and who is asked: whole persons, or what came before and what after."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from polyclinic.services.insights.domain.learning.cases import Cases, Numbers

Mask = NDArray[np.bool_]


class Leak(ValueError):
    """Something of those who are asked is known to those who are learned from."""


def by_person(cases: Cases, shares: Sequence[float], seed: int) -> list[Mask]:
    """Masks that share out the persons by chance; all cases of a person are in one of them.

    `shares` sum to 1. Splitting cases instead would ask about people who were learned by heart.
    """
    if abs(sum(shares) - 1) > 1e-9 or min(shares) <= 0:
        raise ValueError("Shares are above 0 and sum to 1.")
    persons = np.unique(cases.person)
    np.random.default_rng(seed).shuffle(persons)
    cuts = np.round(np.cumsum(shares)[:-1] * len(persons)).astype(int)
    return [np.isin(cases.person, part) for part in np.split(persons, cuts)]


def by_time(cases: Cases, shares: Sequence[float]) -> list[Mask]:
    """Masks of consecutive times by shares of the cases; those of one moment stay together."""
    if abs(sum(shares) - 1) > 1e-9 or min(shares) <= 0:
        raise ValueError("Shares are above 0 and sum to 1.")
    cuts = np.quantile(cases.time, np.cumsum(shares)[:-1])
    place = np.searchsorted(cuts, cases.time, side="left")
    return [place == number for number in range(len(shares))]


def by_chance(cases: Cases, shares: Sequence[float], seed: int) -> list[Mask]:
    """Masks of cases, whoever they are of: only to show how much that flatters."""
    order = np.random.default_rng(seed).permutation(len(cases))
    cuts = np.round(np.cumsum(shares)[:-1] * len(cases)).astype(int)
    return [np.isin(np.arange(len(cases)), part) for part in np.split(order, cuts)]


def folds(cases: Cases, number: int, seed: int) -> Iterator[tuple[Mask, Mask]]:
    """(learn, ask) for each of `number` parts of the persons, with about as many outcomes each."""
    persons, index = np.unique(cases.person, return_inverse=True)
    has = np.zeros(len(persons), dtype=np.int64)
    np.maximum.at(has, index, cases.label)
    chance = np.random.default_rng(seed).random(len(persons))
    order = np.lexsort((chance, has))
    fold: Numbers = np.empty(len(persons), dtype=np.int64)
    fold[order] = np.arange(len(persons)) % number
    for each in range(number):
        ask = fold[index] == each
        yield ~ask, ask


def rolling(cases: Cases, windows: int, first: float) -> Iterator[tuple[Mask, Mask]]:
    """(learn, ask) with an origin that moves on: all before a window, and the window.

    The first `first` of the cases are only learned from.
    """
    cuts = np.quantile(cases.time, np.linspace(first, 1, windows + 1))
    for number in range(windows):
        is_last = number == windows - 1
        before = cases.time <= cuts[number]
        until = cases.time <= cuts[number + 1] if not is_last else np.ones(len(cases), dtype=bool)
        yield before, until & ~before


def unseen(cases: Cases, learn: Mask, ask: Mask) -> Mask:
    """Those who are asked, less everybody who was learned from."""
    return ask & ~np.isin(cases.person, cases.person[learn])


def refuse_shared_persons(cases: Cases, learn: Mask, ask: Mask) -> None:
    """Raises Leak where a person is on both sides."""
    shared = np.intersect1d(cases.person[learn], cases.person[ask])
    if len(shared):
        raise Leak(f"{len(shared)} persons are learned from and asked about.")


def refuse_later_times(cases: Cases, learn: Mask, ask: Mask) -> None:
    """Raises Leak where something learned from is not earlier than all that is asked."""
    if learn.any() and ask.any() and cases.time[learn].max() >= cases.time[ask].min():
        raise Leak("Something is learned from that came after what is asked.")
