"""AHA PREVENT 2023: risk of cardiovascular disease. https://doi.org/10.1161/CIRCULATIONAHA.123.067626

Five endpoints over 10 and 30 years, each a logistic regression on centred terms; five tables by
what is known beside the base: HbA1c, UACR, social deprivation index (SDI), or more than one (full).
"""

import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from polyclinic.services.insights.domain.calculators.values import Inputs, Outcome, Reason

ENDPOINTS = ("total_cvd", "ascvd", "heart_failure", "chd", "stroke")
# The 30-year equations were made for people up to this age.
THIRTY_YEARS_AGE_MAX = 59
_OPTIONAL = ("hba1c", "uacr", "sdi")
_FILE = Path(__file__).parents[1] / "coefficients" / "prevent.json"
# The input that each term speaks of; an interaction with age or with a treatment is the other's.
_INPUT_OF = {
    "age": "age", "age_squared": "age", "non_hdl": "total_cholesterol",
    "age_non_hdl": "total_cholesterol", "hdl": "hdl", "age_hdl": "hdl", "sbp_low": "sbp",
    "sbp_high": "sbp", "age_sbp": "sbp", "diabetes": "diabetes", "age_diabetes": "diabetes",
    "smoking": "smoking", "age_smoking": "smoking", "bmi_low": "bmi", "bmi_high": "bmi",
    "age_bmi": "bmi", "egfr_low": "egfr", "egfr_high": "egfr", "age_egfr": "egfr",
    "bp_treatment": "bp_treatment", "treated_sbp": "bp_treatment", "statin": "statin",
    "treated_non_hdl": "statin", "sdi_middle": "sdi", "sdi_high": "sdi", "sdi_missing": "sdi",
    "ln_uacr": "uacr", "uacr_missing": "uacr", "hba1c_diabetes": "hba1c",
    "hba1c_no_diabetes": "hba1c", "hba1c_missing": "hba1c",
}  # fmt: skip


@cache
def _tables() -> Mapping[str, Mapping[str, Mapping[str, float]]]:
    """table -> column -> term -> coefficient."""
    said = json.loads(_FILE.read_text(encoding="utf-8"))
    return {
        table: {
            column: {term: row[place] for term, row in terms.items()}
            for place, column in enumerate(said["columns"])
        }
        for table, terms in said["tables"].items()
    }


def prevent(inputs: Inputs) -> Outcome:
    """All endpoints in percent; reasons are parts of the logit of total CVD over ten years."""
    model = model_for(inputs)
    values = {f"{name}_10y": 100 * risk for name, risk in risks(inputs, model, 10).items()}
    if float(inputs["age"]) <= THIRTY_YEARS_AGE_MAX:
        long = risks(inputs, model, 30)
        values |= {f"{name}_30y": 100 * risk for name, risk in long.items()}
    parts = _parts(inputs, model, 10, "total_cvd")
    sums: dict[str, float] = {}
    for term, part in parts.items():
        if term != "constant":
            sums[_INPUT_OF[term]] = sums.get(_INPUT_OF[term], 0.0) + part
    reasons = tuple(Reason(name, part, "logit") for name, part in sums.items())
    return Outcome(values, reasons, base=parts["constant"])


def model_for(inputs: Inputs) -> str:
    """The table that uses all that is known: one optional input has its own, more have `full`."""
    known = [name for name in _OPTIONAL if name in inputs]
    return "full" if len(known) > 1 else (known[0] if known else "base")


def risks(inputs: Inputs, model: str, years: int) -> dict[str, float]:
    """Each endpoint's probability (0 to 1) by one table; `years` is 10 or 30."""
    found = {}
    for endpoint in ENDPOINTS:
        logit = math.fsum(_parts(inputs, model, years, endpoint).values())
        found[endpoint] = 1 / (1 + math.exp(-logit))
    return found


def _parts(inputs: Inputs, model: str, years: int, endpoint: str) -> dict[str, float]:
    coefficients = _tables()[f"{model}_{years}"][f"{inputs['sex']}_{endpoint}"]
    terms = {**_terms(inputs), **_optional_terms(inputs)}
    return {term: coefficient * terms[term] for term, coefficient in coefficients.items()}


def _terms(inputs: Inputs) -> dict[str, float]:
    """The centred terms: pressure in mm[Hg], cholesterol in mg/dL, eGFR in mL/min/1.73 m2."""
    age = (float(inputs["age"]) - 55) / 10
    high_density = float(inputs["hdl"])
    non_hdl = (float(inputs["total_cholesterol"]) - high_density) * 0.02586 - 3.5
    hdl = (high_density * 0.02586 - 1.3) / 0.3
    sbp, bmi, egfr = float(inputs["sbp"]), float(inputs["bmi"]), float(inputs["egfr"])
    sbp_high = (max(sbp, 110) - 130) / 20
    bmi_high = (max(bmi, 30) - 30) / 5
    egfr_low = (min(egfr, 60) - 60) / -15
    diabetes, smoking = float(inputs["diabetes"]), float(inputs["smoking"])
    treated, statin = float(inputs["bp_treatment"]), float(inputs["statin"])
    return {
        "constant": 1.0, "age": age, "age_squared": age**2, "non_hdl": non_hdl, "hdl": hdl,
        "sbp_low": (min(sbp, 110) - 110) / 20, "sbp_high": sbp_high, "diabetes": diabetes,
        "smoking": smoking, "bmi_low": (min(bmi, 30) - 25) / 5, "bmi_high": bmi_high,
        "egfr_low": egfr_low, "egfr_high": (max(egfr, 60) - 90) / -15, "bp_treatment": treated,
        "statin": statin, "treated_sbp": treated * sbp_high, "treated_non_hdl": statin * non_hdl,
        "age_non_hdl": age * non_hdl, "age_hdl": age * hdl, "age_sbp": age * sbp_high,
        "age_diabetes": age * diabetes, "age_smoking": age * smoking, "age_bmi": age * bmi_high,
        "age_egfr": age * egfr_low,
    }  # fmt: skip


def _optional_terms(inputs: Inputs) -> dict[str, float]:
    """The publication models a missing optional predictor by a term of its own."""
    hba1c, uacr, sdi = (inputs.get(name) for name in _OPTIONAL)
    diabetes = float(inputs["diabetes"])
    over = 0.0 if hba1c is None else float(hba1c) - 5.3
    decile = 0.0 if sdi is None else float(sdi)
    return {
        "hba1c_diabetes": over * diabetes,
        "hba1c_no_diabetes": over * (1 - diabetes),
        "hba1c_missing": float(hba1c is None),
        "ln_uacr": 0.0 if uacr is None else math.log(float(uacr)),
        "uacr_missing": float(uacr is None),
        "sdi_middle": float(4 <= decile <= 6),
        "sdi_high": float(decile >= 7),
        "sdi_missing": float(sdi is None),
    }
