"""Questionnaires that are sums of their items: PHQ-9, GAD-7, AUDIT-C.

https://doi.org/10.1046/j.1525-1497.2001.016009606.x, https://doi.org/10.1001/archinte.166.10.1092
and https://doi.org/10.1001/archinte.158.16.1789
"""

from polyclinic.services.insights.domain.calculators.formulas.pointed import by_items, summed
from polyclinic.services.insights.domain.calculators.values import Inputs, Outcome

PHQ_9 = tuple(f"item{number}" for number in range(1, 10))
GAD_7 = tuple(f"item{number}" for number in range(1, 8))

phq_9 = by_items(PHQ_9)
gad_7 = by_items(GAD_7)


def audit_c(inputs: Inputs) -> Outcome:
    """0 to 12 points; positive from 3 on for women, from 4 on for men."""
    points = {name: float(inputs[name]) for name in ("often", "drinks", "six_or_more")}
    positive = sum(points.values()) >= (3 if inputs["sex"] == "female" else 4)
    return summed(points, band="positive" if positive else "negative")
