"""The acutely ill: NEWS2, qSOFA, CURB-65.

https://www.rcp.ac.uk/improving-care/resources/national-early-warning-score-news-2,
https://doi.org/10.1001/jama.2016.0287 and https://doi.org/10.1136/thorax.58.5.377
"""

import math

from polyclinic.services.insights.domain.calculators.formulas.pointed import stepped, summed
from polyclinic.services.insights.domain.calculators.values import Inputs, Outcome


def _whole(number: float) -> int:
    """The chart that NEWS2 is read from has whole numbers: half up."""
    return math.floor(number + 0.5)


def news2(inputs: Inputs) -> Outcome:
    """0 to 20 points; 3 in a single parameter lifts a low score to `low-medium`."""
    on_oxygen = float(inputs["oxygen_flow"]) > 0
    points = {
        "respiratory_rate": stepped(
            _whole(float(inputs["respiratory_rate"])), ((8, 3), (11, 1), (20, 0), (24, 2)), 3
        ),
        "spo2": _saturation(
            _whole(float(inputs["spo2"])), bool(inputs.get("scale_2")), on_oxygen=on_oxygen
        ),
        "oxygen_flow": 2.0 * on_oxygen,
        "sbp": stepped(_whole(float(inputs["sbp"])), ((90, 3), (100, 2), (110, 1), (219, 0)), 3),
        "heart_rate": stepped(
            _whole(float(inputs["heart_rate"])),
            ((40, 3), (50, 1), (90, 0), (110, 1), (130, 2)),
            3,
        ),
        "consciousness": 0.0 if inputs["consciousness"] == "alert" else 3.0,
        "temperature": stepped(
            _whole(float(inputs["temperature"]) * 10) / 10,
            ((35.0, 3), (36.0, 1), (38.0, 0), (39.0, 1)),
            2,
        ),
    }
    single = 3 in (point for name, point in points.items() if name != "oxygen_flow")
    lifted = "low-medium" if single and sum(points.values()) < 5 else None
    return summed(points, band=lifted)


def _saturation(spo2: int, scale_2: bool, *, on_oxygen: bool) -> float:  # noqa: FBT001 - read once
    if not scale_2:
        return stepped(spo2, ((91, 3), (93, 2), (95, 1)), 0)
    if spo2 <= 92 or not on_oxygen:
        return stepped(spo2, ((83, 3), (85, 2), (87, 1)), 0)
    return stepped(spo2, ((94, 1), (96, 2)), 3)


def qsofa(inputs: Inputs) -> Outcome:
    """0 to 3 points."""
    return summed(
        {
            "respiratory_rate": float(float(inputs["respiratory_rate"]) >= 22),
            "sbp": float(float(inputs["sbp"]) <= 100),
            "consciousness": float(inputs["consciousness"] != "alert"),
        }
    )


def curb_65(inputs: Inputs) -> Outcome:
    """0 to 5 points; `urea` in mmol/L."""
    low = float(inputs["sbp"]) < 90 or float(inputs["dbp"]) <= 60
    return summed(
        {
            "confusion": float(bool(inputs["confusion"])),
            "urea": float(float(inputs["urea"]) > 7),
            "respiratory_rate": float(float(inputs["respiratory_rate"]) >= 30),
            "sbp": float(low),
            "age": float(float(inputs["age"]) >= 65),
        }
    )
