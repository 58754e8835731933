"""Units in use at a clinic, and when two quantities are the same one.

Factors are exact (UCUM 2.1); molar masses are those of the analytes for which laboratories report
both mass and amount of substance (IUPAC atomic weights, 2021).
"""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import NamedTuple

D = Decimal


class _Unit(NamedTuple):
    """A unit as a factor of its dimension's first unit, and where its zero lies."""

    dimension: str
    factor: Fraction
    zero: Fraction = Fraction(0)


def _f(text: str) -> Fraction:
    return Fraction(text)


_UNITS: dict[str, _Unit] = {
    "g": _Unit("mass", _f("1")),
    "kg": _Unit("mass", _f("1000")),
    "mg": _Unit("mass", _f("0.001")),
    "ug": _Unit("mass", _f("0.000001")),
    "ng": _Unit("mass", _f("0.000000001")),
    "[lb_av]": _Unit("mass", _f("453.59237")),
    "[oz_av]": _Unit("mass", _f("28.349523125")),
    "m": _Unit("length", _f("1")),
    "cm": _Unit("length", _f("0.01")),
    "mm": _Unit("length", _f("0.001")),
    "[in_i]": _Unit("length", _f("0.0254")),
    "[ft_i]": _Unit("length", _f("0.3048")),
    "L": _Unit("volume", _f("1")),
    "dL": _Unit("volume", _f("0.1")),
    "mL": _Unit("volume", _f("0.001")),
    "Cel": _Unit("temperature", _f("1")),
    "[degF]": _Unit("temperature", Fraction(5, 9), _f("32")),
    "s": _Unit("duration", _f("1")),
    "min": _Unit("duration", _f("60")),
    "h": _Unit("duration", _f("3600")),
    "d": _Unit("duration", _f("86400")),
    "wk": _Unit("duration", _f("604800")),
    "g/L": _Unit("mass concentration", _f("1")),
    "g/dL": _Unit("mass concentration", _f("10")),
    "mg/dL": _Unit("mass concentration", _f("0.01")),
    "mg/L": _Unit("mass concentration", _f("0.001")),
    "ug/dL": _Unit("mass concentration", _f("0.00001")),
    "ug/L": _Unit("mass concentration", _f("0.000001")),
    "ng/mL": _Unit("mass concentration", _f("0.000001")),
    "mol/L": _Unit("substance concentration", _f("1")),
    "mmol/L": _Unit("substance concentration", _f("0.001")),
    "umol/L": _Unit("substance concentration", _f("0.000001")),
    "nmol/L": _Unit("substance concentration", _f("0.000000001")),
    "meq/L": _Unit("equivalents", _f("1")),
    "mm[Hg]": _Unit("pressure", _f("133.322387415")),
    "kPa": _Unit("pressure", _f("1000")),
    "/min": _Unit("rate", _f("1")),
    "%": _Unit("share", _f("1")),
    "[IU]": _Unit("international units", _f("1")),
    "[IU]/L": _Unit("activity", _f("1")),
    "U/L": _Unit("activity", _f("1")),
    "10*9/L": _Unit("cells", _f("1")),
    "10*3/uL": _Unit("cells", _f("1")),
    "10*12/L": _Unit("cells", _f("1000")),
    "10*6/uL": _Unit("cells", _f("1000")),
    "kg/m2": _Unit("body mass index", _f("1")),
}
# As people write them; what is not here counts as a unit of its own.
_SPELLINGS = {
    "mcg": "ug", "µg": "ug", "μg": "ug", "gm": "g", "lb": "[lb_av]", "lbs": "[lb_av]",
    "oz": "[oz_av]", "in": "[in_i]", "inch": "[in_i]", "inches": "[in_i]", "ft": "[ft_i]",
    "l": "L", "ml": "mL", "dl": "dL", "cc": "mL", "c": "Cel", "°c": "Cel", "degc": "Cel",
    "f": "[degF]", "°f": "[degF]", "degf": "[degF]", "mg/dl": "mg/dL", "g/dl": "g/dL",
    "g/l": "g/L", "mg/l": "mg/L", "µg/dl": "ug/dL", "ug/dl": "ug/dL", "ng/ml": "ng/mL",
    "µg/l": "ug/L", "ug/l": "ug/L", "mmol/l": "mmol/L", "µmol/l": "umol/L", "μmol/l": "umol/L",
    "umol/l": "umol/L", "nmol/l": "nmol/L", "mol/l": "mol/L", "meq/l": "meq/L", "mmhg": "mm[Hg]",
    "kpa": "kPa", "bpm": "/min", "/min": "/min", "beats/min": "/min", "percent": "%", "iu": "[IU]",
    "iu/l": "[IU]/L", "u/l": "U/L", "k/ul": "10*3/uL", "10^3/ul": "10*3/uL", "10^9/l": "10*9/L",
    "10^6/ul": "10*6/uL", "10^12/l": "10*12/L", "kg/m²": "kg/m2", "kg/m^2": "kg/m2",
    "hours": "h", "hour": "h", "days": "d", "day": "d", "weeks": "wk", "minutes": "min",
}  # fmt: skip
# Grams per mole.
_MOLAR_MASS = {
    "glucose": _f("180.156"),
    "cholesterol": _f("386.65"),
    "triglycerides": _f("885.4"),
    "creatinine": _f("113.12"),
    "urea nitrogen": _f("28.014"),
    "uric acid": _f("168.11"),
    "bilirubin": _f("584.66"),
    "calcium": _f("40.078"),
    "magnesium": _f("24.305"),
    "phosphate": _f("30.974"),
    "iron": _f("55.845"),
}
# Ions of one charge: an equivalent is a mole.
_MONOVALENT = frozenset(("sodium", "potassium", "chloride", "bicarbonate"))


def unit_of(text: str) -> str:
    """The UCUM code of a unit as somebody wrote it."""
    plain = text.strip()
    return plain if plain in _UNITS else _SPELLINGS.get(plain.lower(), plain)


def same(
    one: tuple[Decimal, str], other: tuple[Decimal, str], analyte: str = ""
) -> bool:  # fmt: skip
    """Whether two quantities are one, allowing for the rounding that a conversion cannot avoid.

    In one unit, or in units a power of ten apart (mg and g), only the exact value is the same: a
    dose is never rounded. Else either side, converted to the other's unit and rounded to its
    digits, must give the other.
    """
    first, second = unit_of(one[1]), unit_of(other[1])
    there = _convert(one[0], first, second, analyte)
    if there is None:
        return False
    if there == Fraction(other[0]):
        return True
    if _is_decimal(first, second):
        return False
    back = _convert(other[0], second, first, analyte)
    return _rounded(there, other[0]) or (back is not None and _rounded(back, one[0]))


def _rounded(exact: Fraction, shown: Decimal) -> bool:
    digits = Decimal(1).scaleb(int(shown.as_tuple().exponent))
    value = Decimal(exact.numerator) / Decimal(exact.denominator)
    return value.quantize(digits, ROUND_HALF_UP) == shown


def _convert(value: Decimal, old: str, new: str, analyte: str) -> Fraction | None:
    if old == new:
        return Fraction(value)
    first, second = _UNITS.get(old), _UNITS.get(new)
    if first is None or second is None:
        return None
    ratio = _ratio(first.dimension, second.dimension, analyte.lower())
    if ratio is None:
        return None
    base = (Fraction(value) - first.zero) * first.factor * ratio
    return base / second.factor + second.zero


def _ratio(old: str, new: str, analyte: str) -> Fraction | None:
    """What one of the old dimension's first unit is in the new dimension's, if it is anything."""
    if old == new:
        return Fraction(1)
    mass = _MOLAR_MASS.get(analyte)
    match (old, new):
        case ("mass concentration", "substance concentration") if mass:
            return 1 / mass
        case ("substance concentration", "mass concentration") if mass:
            return mass
        case ("substance concentration", "equivalents") if analyte in _MONOVALENT:
            return Fraction(1000)
        case ("equivalents", "substance concentration") if analyte in _MONOVALENT:
            return Fraction(1, 1000)
        case _:
            return None


def _is_decimal(old: str, new: str) -> bool:
    first, second = _UNITS.get(old), _UNITS.get(new)
    if first is None or second is None or first.dimension != second.dimension:
        return False
    ratio = max(first.factor / second.factor, second.factor / first.factor)
    return first.zero == second.zero and set(str(ratio)) <= {"1", "0"}
