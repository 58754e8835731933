"""Atrial fibrillation: the risk of stroke and of bleeding.

https://doi.org/10.1378/chest.09-1584, https://doi.org/10.1093/eurheartj/ehae176 and
https://doi.org/10.1378/chest.10-0134
"""

from polyclinic.services.insights.domain.calculators.formulas.pointed import summed
from polyclinic.services.insights.domain.calculators.values import Inputs, Outcome


def _without_sex(inputs: Inputs) -> dict[str, float]:
    age = float(inputs["age"])
    return {
        "heart_failure": float(bool(inputs["heart_failure"])),
        "hypertension": float(bool(inputs["hypertension"])),
        "age": 2.0 if age >= 75 else float(age >= 65),
        "diabetes": float(bool(inputs["diabetes"])),
        "stroke": 2.0 * bool(inputs["stroke"]),
        "vascular_disease": float(bool(inputs["vascular_disease"])),
    }


def cha2ds2_va(inputs: Inputs) -> Outcome:
    """0 to 8 points, without sex (ESC 2024)."""
    return summed(_without_sex(inputs))


def cha2ds2_vasc(inputs: Inputs) -> Outcome:
    """0 to 9 points; the point of female sex alone moves nobody out of the lowest band."""
    points = _without_sex(inputs)
    rest = sum(points.values())
    band = "high" if rest >= 2 else ("intermediate" if rest == 1 else "low")
    return summed({**points, "sex": float(inputs["sex"] == "female")}, band=band)


def has_bled(inputs: Inputs) -> Outcome:
    """0 to 9 points; `sbp` in mm[Hg] above 160, `creatinine` above 2.26 mg/dL (200 umol/L)."""
    kidney = float(inputs["creatinine"]) > 2.26 or bool(inputs["renal_replacement"])
    return summed(
        {
            "sbp": float(float(inputs["sbp"]) > 160),
            "creatinine": float(kidney),
            "liver_disease": float(bool(inputs["liver_disease"])),
            "stroke": float(bool(inputs["stroke"])),
            "bleeding": float(bool(inputs["bleeding"])),
            "labile_inr": float(bool(inputs["labile_inr"])),
            "age": float(float(inputs["age"]) > 65),
            "antiplatelet_or_nsaid": float(bool(inputs["antiplatelet_or_nsaid"])),
            "alcohol": float(bool(inputs["alcohol"])),
        }
    )
