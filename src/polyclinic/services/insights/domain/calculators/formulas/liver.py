"""Liver: MELD 3.0, Child-Pugh, FIB-4.

https://doi.org/10.1053/j.gastro.2021.08.050, https://doi.org/10.1002/bjs.1800600817 and
https://doi.org/10.1002/hep.21178
"""

import math

from polyclinic.services.insights.domain.calculators.formulas.pointed import stepped, summed
from polyclinic.services.insights.domain.calculators.values import Inputs, Outcome, Reason


def meld_3(inputs: Inputs) -> Outcome:
    """6 to 40 points. The publication itself bounds the inputs; dialysis counts as creatinine 3.

    Candidates of 12 to 17 have the 1.33 points of female adults (OPTN policy 9.1.D).
    """
    bilirubin, inr = max(float(inputs["bilirubin"]), 1), max(float(inputs["inr"]), 1)
    creatinine = 3.0 if inputs["dialysis"] else min(max(float(inputs["creatinine"]), 1), 3)
    sodium = 137 - min(max(float(inputs["sodium"]), 125), 137)
    albumin = 3.5 - min(max(float(inputs["albumin"]), 1.5), 3.5)
    lifted = inputs["sex"] == "female" or float(inputs["age"]) < 18
    parts = {
        "sex": 1.33 * lifted,
        "bilirubin": 4.56 * math.log(bilirubin),
        "sodium": 0.82 * sodium - 0.24 * sodium * math.log(bilirubin),
        "inr": 9.09 * math.log(inr),
        "creatinine": 11.14 * math.log(creatinine),
        "albumin": 1.85 * albumin - 1.83 * albumin * math.log(creatinine),
    }
    score = min(max(6 + math.fsum(parts.values()), 6), 40)
    reasons = tuple(Reason(name, part, "points") for name, part in parts.items() if part)
    return Outcome({"score": score}, reasons)


_GRADES = {"none": 1.0, "mild": 2.0, "severe": 3.0}


def child_pugh(inputs: Inputs) -> Outcome:
    """5 to 15 points; bilirubin in mg/dL, albumin in g/dL."""
    albumin, inr = float(inputs["albumin"]), float(inputs["inr"])
    return summed(
        {
            "bilirubin": 1.0
            if float(inputs["bilirubin"]) < 2
            else stepped(float(inputs["bilirubin"]), ((3, 2),), 3),
            "albumin": 1.0 if albumin > 3.5 else (2.0 if albumin >= 2.8 else 3.0),
            "inr": 1.0 if inr < 1.7 else stepped(inr, ((2.3, 2),), 3),
            "ascites": _GRADES[str(inputs["ascites"])],
            "encephalopathy": _GRADES[str(inputs["encephalopathy"])],
        }
    )


def fib_4(inputs: Inputs) -> Outcome:
    """AST and ALT in U/L, platelets in 10*9/L; from 65 years on the lower cut-off is 2.0."""
    age, alt = float(inputs["age"]), float(inputs["alt"])
    index = age * float(inputs["ast"]) / (float(inputs["platelets"]) * math.sqrt(alt))
    shown = math.floor(index * 100 + 0.5) / 100
    low = shown < (2.0 if age >= 65 else 1.3)
    band = "low" if low else ("high" if shown > 2.67 else "indeterminate")
    return Outcome({"index": index}, band=band)
