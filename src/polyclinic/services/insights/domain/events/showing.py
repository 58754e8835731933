"""Counts of people are shown from 11 on: fewer could be somebody whom a reader knows."""

from collections.abc import Mapping

# The smallest cell that CMS lets anybody publish.
# https://www.hhs.gov/guidance/document/cms-cell-suppression-policy
SHOWN_MIN = 11


def shown(count: int) -> int | None:
    """The count of people, or nothing where there are fewer than 11 (none at all is no secret)."""
    return count if count == 0 or count >= SHOWN_MIN else None


def shown_counts(counts: Mapping[str, int]) -> dict[str, int | None]:
    """Parts of a whole: where just one would be held back, the next smallest is, too.

    Otherwise whoever knows the sum finds it by subtraction.
    """
    answer = {name: shown(count) for name, count in counts.items()}
    hidden = [name for name, count in answer.items() if count is None]
    open_ones = [name for name, count in answer.items() if count]
    if len(hidden) == 1 and open_ones:
        answer[min(open_ones, key=lambda name: (counts[name], name))] = None
    return answer
