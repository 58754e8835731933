"""Whom to help first: risk times what can be done about it, for as many as the clinic can take.

A percentage is a risk as it is. For a score without one no probability is invented: the urgency of
what its guideline asks for says how much is at stake. Nothing without an action is listed,
however high: a list that nobody can act on is noise.
"""

from collections.abc import Mapping

from polyclinic.services.insights.domain.assessments import PERCENT, proposed, urgency
from polyclinic.services.insights.domain.calculators import Action, Calculator, Scored

# By urgency of the action: info, warning, critical. Judgement of ours, not of a publication.
AT_STAKE = (0.15, 0.4, 0.9)
ACTIONABLE = (0.5, 0.8, 1.0)


def benefit(calculator: Calculator, scored: Scored) -> float:
    """0 to 1; 0 where nothing is proposed."""
    action = proposed(scored)
    if action is None or calculator.comparison_only:
        return 0.0
    level = urgency(action)
    return round(_risk(calculator, scored, level) * ACTIONABLE[level], 6)


def gives_way(proposals: Mapping[str, tuple[Calculator, Action]]) -> frozenset[str]:
    """The calculators whose step one that replaces them proposes as well, in the same words."""
    return frozenset(
        other
        for calculator, action in proposals.values()
        for other in calculator.replaces
        if other in proposals and proposals[other][1].text == action.text
    )


def _risk(calculator: Calculator, scored: Scored, level: int) -> float:
    if scored.safety:
        return 1.0
    for each in scored.values:
        if each.name == calculator.decides and each.unit == PERCENT:
            return min(max(each.number / 100, 0.0), 1.0)
    return AT_STAKE[level]
