"""Kidney function, race-free: CKD-EPI 2021. https://doi.org/10.1056/NEJMoa2102953"""

from polyclinic.services.insights.domain.calculators.values import Inputs, Outcome


def ckd_epi_2021_creatinine(inputs: Inputs) -> Outcome:
    """`creatinine` in mg/dL, `age` in years, `sex`; eGFR in mL/min/1.73 m2."""
    female = inputs["sex"] == "female"
    kappa, alpha = (0.7, -0.241) if female else (0.9, -0.302)
    ratio = float(inputs["creatinine"]) / kappa
    egfr = 142 * min(ratio, 1) ** alpha * max(ratio, 1) ** -1.200 * 0.9938 ** float(inputs["age"])
    return Outcome({"egfr": egfr * (1.012 if female else 1)})


def ckd_epi_2021_creatinine_cystatin(inputs: Inputs) -> Outcome:
    """As above, with `cystatin_c` in mg/L."""
    female = inputs["sex"] == "female"
    kappa, alpha = (0.7, -0.219) if female else (0.9, -0.144)
    ratio, cystatin = float(inputs["creatinine"]) / kappa, float(inputs["cystatin_c"]) / 0.8
    egfr = 135 * min(ratio, 1) ** alpha * max(ratio, 1) ** -0.544
    egfr *= min(cystatin, 1) ** -0.323 * max(cystatin, 1) ** -0.778
    return Outcome({"egfr": egfr * 0.9961 ** float(inputs["age"]) * (0.963 if female else 1)})
