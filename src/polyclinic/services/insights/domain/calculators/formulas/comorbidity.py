"""Comorbidity (Charlson) and return to hospital after a discharge (LACE).

https://doi.org/10.1016/0021-9681(87)90171-8 and https://doi.org/10.1503/cmaj.091117
"""

from collections.abc import Mapping

from polyclinic.services.insights.domain.calculators.formulas.pointed import stepped, summed
from polyclinic.services.insights.domain.calculators.values import Inputs, Outcome, Reason

CHARLSON = {
    "myocardial_infarction": 1, "heart_failure": 1, "peripheral_vascular": 1,
    "cerebrovascular": 1, "dementia": 1, "chronic_pulmonary": 1, "connective_tissue": 1,
    "peptic_ulcer": 1, "mild_liver": 1, "diabetes_uncomplicated": 1, "hemiplegia": 2,
    "renal_disease": 2, "diabetes_complicated": 2, "solid_tumour": 2, "leukaemia": 2,
    "lymphoma": 2, "severe_liver": 3, "metastatic_tumour": 6, "aids": 6,
}  # fmt: skip
# LACE weighs otherwise (its table 2, after Schneeweiss); tumours of the blood count as tumours.
_LACE = {
    "myocardial_infarction": 1, "cerebrovascular": 1, "peripheral_vascular": 1,
    "diabetes_uncomplicated": 1, "heart_failure": 2, "diabetes_complicated": 2,
    "chronic_pulmonary": 2, "mild_liver": 2, "tumour": 2, "dementia": 3, "connective_tissue": 3,
    "aids": 4, "severe_liver_or_renal": 4, "metastatic_tumour": 6,
}  # fmt: skip
# Of two stages of one disease the worse one counts alone.
_WORSE = {
    "diabetes_uncomplicated": "diabetes_complicated",
    "mild_liver": "severe_liver",
    "solid_tumour": "metastatic_tumour",
}


def charlson(inputs: Inputs) -> Outcome:
    """The index of 1987, and with a point for each ten years from 50 on."""
    has = _staged({name: bool(inputs[name]) for name in CHARLSON}, _WORSE)
    points = {name: float(weight * has[name]) for name, weight in CHARLSON.items()}
    index = sum(points.values())
    by_age = min(max((int(float(inputs["age"])) - 40) // 10, 0), 4)
    reasons = tuple(Reason(name, point, "points") for name, point in points.items() if point)
    return Outcome({"index": index, "index_with_age": index + by_age}, reasons)


def _staged(has: Mapping[str, bool], worse: Mapping[str, str]) -> dict[str, bool]:
    return {name: here and not has.get(worse.get(name, ""), False) for name, here in has.items()}


def lace(inputs: Inputs) -> Outcome:
    """0 to 19 points: days of the stay, acute admission, comorbidity, visits in six months."""
    has = {name: bool(inputs[name]) for name in CHARLSON if name in inputs}
    has["tumour"] = has["solid_tumour"] or has["leukaemia"] or has["lymphoma"]
    has["severe_liver_or_renal"] = has["severe_liver"] or has["renal_disease"]
    worse = {**_WORSE, "tumour": "metastatic_tumour", "mild_liver": "severe_liver_or_renal"}
    staged = _staged(has, worse)
    illness = sum(weight for name, weight in _LACE.items() if staged[name])
    days = stepped(float(inputs["days"]), ((0, 0), (1, 1), (2, 2), (3, 3), (6, 4), (13, 5)), 7)
    return summed(
        {
            "days": days,
            "acute": 3.0 * bool(inputs["acute"]),
            "comorbidity": float(illness if illness < 4 else 5),
            "emergency_visits": min(float(inputs["emergency_visits"]), 4.0),
        }
    )
