"""Thrombosis and embolism at the bedside: Wells scores and the PERC rule.

https://doi.org/10.1056/NEJMoa023153, https://doi.org/10.1055/s-0037-1613830 and
https://doi.org/10.1111/j.1538-7836.2004.00790.x
"""

from polyclinic.services.insights.domain.calculators.formulas.pointed import by_flags, summed
from polyclinic.services.insights.domain.calculators.values import Inputs, Outcome

wells_dvt = by_flags(
    {
        "active_cancer": 1, "paralysis_or_cast": 1, "bedridden_or_surgery": 1, "tenderness": 1,
        "leg_swollen": 1, "calf_swelling": 1, "pitting_oedema": 1, "collateral_veins": 1,
        "previous_dvt": 1, "alternative_likely": -2,
    }
)  # fmt: skip


def wells_pe(inputs: Inputs) -> Outcome:
    """0 to 12.5 points; `heart_rate` above 100/min."""
    flags = {
        "signs_of_dvt": 3.0, "pe_most_likely": 3.0, "immobilised_or_surgery": 1.5,
        "previous_vte": 1.5, "haemoptysis": 1.0, "active_cancer": 1.0,
    }  # fmt: skip
    points = {name: weight * bool(inputs[name]) for name, weight in flags.items()}
    return summed({**points, "heart_rate": 1.5 * (float(inputs["heart_rate"]) > 100)})


def perc(inputs: Inputs) -> Outcome:
    """How many of the eight criteria are there; none rules an unlikely embolism out."""
    flags = ("leg_swelling", "haemoptysis", "surgery_or_trauma", "previous_vte", "oestrogen")
    points = {name: float(bool(inputs[name])) for name in flags}
    return summed(
        {
            **points,
            "age": float(float(inputs["age"]) >= 50),
            "heart_rate": float(float(inputs["heart_rate"]) >= 100),
            "spo2": float(float(inputs["spo2"]) < 95),
        }
    )
