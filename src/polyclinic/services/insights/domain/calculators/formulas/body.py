"""Body mass index, and the risk of diabetes by a questionnaire (FINDRISC).

https://www.who.int/publications/i/item/9241208945 and https://doi.org/10.2337/diacare.26.3.725
"""

from polyclinic.services.insights.domain.calculators.formulas.pointed import summed
from polyclinic.services.insights.domain.calculators.values import Inputs, Outcome


def body_mass_index(inputs: Inputs) -> Outcome:
    """`weight` in kg, `height` in cm; kg/m2."""
    return Outcome({"bmi": float(inputs["weight"]) / (float(inputs["height"]) / 100) ** 2})


_FAMILY = {"none": 0.0, "second-degree": 3.0, "first-degree": 5.0}


def findrisc(inputs: Inputs) -> Outcome:
    """0 to 26 points; `waist` in cm."""
    first, second = (80, 88) if inputs["sex"] == "female" else (94, 102)
    waist, age, bmi = float(inputs["waist"]), float(inputs["age"]), float(inputs["bmi"])
    return summed(
        {
            "age": 2.0 * (age >= 45) + (age >= 55) + (age >= 65),
            "bmi": 1.0 * (bmi >= 25) + 2 * (bmi > 30),
            "waist": 3.0 * (waist >= first) + (waist > second),
            "active": 0.0 if inputs["active"] else 2.0,
            "vegetables_daily": 0.0 if inputs["vegetables_daily"] else 1.0,
            "bp_treatment": 2.0 * bool(inputs["bp_treatment"]),
            "high_glucose": 5.0 * bool(inputs["high_glucose"]),
            "family_diabetes": _FAMILY[str(inputs["family_diabetes"])],
        }
    )
