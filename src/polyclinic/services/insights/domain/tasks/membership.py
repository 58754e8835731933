"""Whether a model tells who was among those it learned from, by a simple attack.

Half of the people teach a model of the same making, then the other half, so that it evens out if
one of them is harder to foretell. The attacker sees what it says of somebody and
what came of them, and guesses "one of those" where the model errs little (Yeom et al. 2018,
doi:10.1109/CSF.2018.00027), or where it is sure of itself.
"""

import math
import random
from collections.abc import Callable, Sequence

from polyclinic.services.insights.domain.life.measures import Seen

_EDGE = 1e-9


def halves(persons: Sequence[int], seed: int) -> tuple[list[int], list[int]]:
    """Places of the cases of one half of the people, and of the other half."""
    people = sorted(set(persons))
    random.Random(seed).shuffle(people)  # noqa: S311 - a fair split, no secret
    chosen = set(people[: len(people) // 2])
    places = range(len(persons))
    return (
        [place for place in places if persons[place] in chosen],
        [place for place in places if persons[place] not in chosen],
    )


def attacked(members: Sequence[Seen], strangers: Sequence[Seen]) -> float | None:
    """The AUROC of the better attack, where 0.5 is a guess; None where one of the two is nobody."""
    if not members or not strangers:
        return None
    return max(_auroc(attack, members, strangers) for attack in (_fits, _is_sure))


def _fits(seen: Seen) -> float:
    """The logarithm of the chance that the model gave to what came."""
    return math.log(max(seen.chance if seen.outcome else 1 - seen.chance, _EDGE))


def _is_sure(seen: Seen) -> float:
    return abs(seen.chance - 0.5)


def _auroc(
    attack: Callable[[Seen], float], members: Sequence[Seen], strangers: Sequence[Seen]
) -> float:
    """How often a member scores higher than a stranger; a tie counts half (Mann and Whitney)."""
    scored = sorted(
        [(attack(each), 1) for each in members] + [(attack(each), 0) for each in strangers]
    )
    ranks, start = 0.0, 0
    while start < len(scored):
        end = start
        while end < len(scored) and scored[end][0] == scored[start][0]:
            end += 1
        tied = sum(is_member for _, is_member in scored[start:end])
        ranks += tied * (start + 1 + end) / 2
        start = end
    n = len(members)
    return (ranks - n * (n + 1) / 2) / (n * len(strangers))
