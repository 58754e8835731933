"""Kidney function, race-free (CKD-EPI 2021), and the risk of kidney failure (KFRE).

https://doi.org/10.1056/NEJMoa2102953 and https://doi.org/10.1001/jama.2015.18202
"""

import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from polyclinic.services.insights.domain.calculators.values import Inputs, Outcome, Reason

_FILE = Path(__file__).parents[1] / "coefficients" / "kfre.yaml"


def ckd_epi_2021_creatinine(inputs: Inputs) -> Outcome:
    """`creatinine` in mg/dL, `age` in years, `sex`; eGFR in mL/min/1.73 m2.

    It is a product: reasons are natural logarithms of its factors, and `base` of its constant.
    """
    female = inputs["sex"] == "female"
    kappa, alpha = (0.7, -0.241) if female else (0.9, -0.302)
    ratio = float(inputs["creatinine"]) / kappa
    factors = {
        "creatinine": min(ratio, 1) ** alpha * max(ratio, 1) ** -1.200,
        "age": 0.9938 ** float(inputs["age"]),
        "sex": 1.012 if female else 1.0,
    }
    return _product(142, factors)


def ckd_epi_2021_creatinine_cystatin(inputs: Inputs) -> Outcome:
    """As above, with `cystatin_c` in mg/L."""
    female = inputs["sex"] == "female"
    kappa, alpha = (0.7, -0.219) if female else (0.9, -0.144)
    ratio, cystatin = float(inputs["creatinine"]) / kappa, float(inputs["cystatin_c"]) / 0.8
    factors = {
        "creatinine": min(ratio, 1) ** alpha * max(ratio, 1) ** -0.544,
        "cystatin_c": min(cystatin, 1) ** -0.323 * max(cystatin, 1) ** -0.778,
        "age": 0.9961 ** float(inputs["age"]),
        "sex": 0.963 if female else 1.0,
    }
    return _product(135, factors)


def _product(constant: float, factors: Mapping[str, float]) -> Outcome:
    logs = {name: math.log(factor) for name, factor in factors.items()}
    reasons = tuple(Reason(name, part, "log") for name, part in logs.items() if part)
    egfr = math.prod(factors.values(), start=constant)
    return Outcome({"egfr": egfr}, reasons, base=math.log(constant))


@cache
def _kfre() -> Mapping[str, Any]:
    return yaml.safe_load(_FILE.read_text(encoding="utf-8"))


def kidney_failure_4(inputs: Inputs) -> Outcome:
    """`egfr` in mL/min/1.73 m2, `uacr` in mg/g; kidney failure in percent, 2 and 5 years."""
    return _kidney_failure(inputs, "four")


def kidney_failure_6(inputs: Inputs) -> Outcome:
    """As above, with diabetes and hypertension."""
    return _kidney_failure(inputs, "six")


def kidney_failure_8(inputs: Inputs) -> Outcome:
    """As above, with albumin (g/dL), phosphate and calcium (mg/dL) and bicarbonate (mmol/L)."""
    return _kidney_failure(inputs, "eight")


def _kidney_failure(inputs: Inputs, form: str) -> Outcome:
    """https://doi.org/10.1001/jama.2015.18202; reasons are parts of the logarithm of the hazard."""
    scaled = {
        **inputs,
        "age": float(inputs["age"]) / 10,
        "male": inputs["sex"] == "male",
        "egfr": float(inputs["egfr"]) / 5,
        "ln_uacr": math.log(float(inputs["uacr"])),
    }
    parts: dict[str, float] = {
        name: coefficient * (float(scaled[name]) - mean)
        for name, (coefficient, mean) in _kfre()["terms"][form].items()
    }
    hazard = math.exp(math.fsum(parts.values()))
    survival = _kfre()["survival"][form][inputs["region"]]
    values = {f"risk_{years}y": 100 * (1 - at**hazard) for years, at in survival.items()}
    renamed = {"male": "sex", "ln_uacr": "uacr"}
    reasons = (Reason(renamed.get(name, name), part, "log hazard") for name, part in parts.items())
    return Outcome(values, tuple(reasons))
