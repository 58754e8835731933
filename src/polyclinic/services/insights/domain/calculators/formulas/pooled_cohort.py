"""Pooled cohort equations, for comparison only: they ask for race, and PREVENT replaces them.

https://doi.org/10.1161/01.cir.0000437741.48606.98 and https://doi.org/10.7326/M17-3011
"""

import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml

from polyclinic.services.insights.domain.calculators.values import Inputs, Outcome

_FILE = Path(__file__).parents[1] / "coefficients" / "pce.yaml"


@cache
def _tables() -> Mapping[str, Mapping[str, Mapping[str, float]]]:
    return yaml.safe_load(_FILE.read_text(encoding="utf-8"))


def pooled_cohort(inputs: Inputs) -> Outcome:
    """Ten-year ASCVD in percent, original (2013) and revised (2018)."""
    original, revised = original_risk(inputs), revised_risk(inputs)
    return Outcome({"ascvd_10y": 100 * original, "ascvd_10y_revised": 100 * revised})


def original_risk(inputs: Inputs) -> float:
    """Of 2013; other races count as white, as the guideline says."""
    group = "black" if inputs["race"] == "black" else "white"
    table = _tables()["original"][f"{inputs['sex']}_{group}"]
    age, total = math.log(float(inputs["age"])), math.log(float(inputs["total_cholesterol"]))
    hdl, sbp = math.log(float(inputs["hdl"])), math.log(float(inputs["sbp"]))
    treated, smoking = float(inputs["bp_treatment"]), float(inputs["smoking"])
    terms = {
        "ln_age": age, "ln_age_squared": age**2, "ln_total": total, "ln_age_ln_total": age * total,
        "ln_hdl": hdl, "ln_age_ln_hdl": age * hdl, "ln_treated": sbp * treated,
        "ln_age_ln_treated": age * sbp * treated, "ln_untreated": sbp * (1 - treated),
        "ln_age_ln_untreated": age * sbp * (1 - treated), "smoking": smoking,
        "ln_age_smoking": age * smoking, "diabetes": float(inputs["diabetes"]),
    }  # fmt: skip
    sum_of = math.fsum(table.get(name, 0.0) * term for name, term in terms.items())
    return 1 - table["survival"] ** math.exp(sum_of - table["mean"])


def revised_risk(inputs: Inputs) -> float:
    """Of 2018."""
    table = _tables()["revised"][str(inputs["sex"])]
    black, age = float(inputs["race"] == "black"), float(inputs["age"])
    sbp, treatment = float(inputs["sbp"]), float(inputs["bp_treatment"])
    diabetes, smoking = float(inputs["diabetes"]), float(inputs["smoking"])
    ratio = float(inputs["total_cholesterol"]) / float(inputs["hdl"])
    terms = {
        "constant": 1.0, "age": age, "black": black, "sbp_squared": sbp**2, "sbp": sbp,
        "treatment": treatment, "diabetes": diabetes, "smoking": smoking, "ratio": ratio,
        "age_black": age * black, "sbp_treatment": sbp * treatment, "sbp_black": sbp * black,
        "black_treatment": black * treatment, "age_sbp": age * sbp,
        "black_diabetes": black * diabetes, "black_smoking": black * smoking,
        "black_ratio": black * ratio, "black_sbp_treatment": black * sbp * treatment,
        "age_sbp_black": age * sbp * black,
    }  # fmt: skip
    logit = math.fsum(table.get(name, 0.0) * term for name, term in terms.items())
    return 1 / (1 + math.exp(-logit))
