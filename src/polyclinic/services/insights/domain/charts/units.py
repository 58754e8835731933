"""The units in use, as exact factors, and when one may stand for another. https://ucum.org/ucum

Mass and amount of substance meet only through an analyte's molar mass (IUPAC standard atomic
weights, 2021). A unit that is not in the table, or of another dimension, is refused: never guessed.
"""

import re
from fractions import Fraction
from typing import NamedTuple

from polyclinic.foundation.errors import Invalid

SYSTEM = "http://unitsofmeasure.org"


class UnitRefused(Invalid):
    """The unit is missing, unknown, or of another kind than what is measured."""


class _Unit(NamedTuple):
    """A unit as a factor of its dimension's first unit, and where its zero lies."""

    dimension: str
    factor: Fraction
    zero: Fraction = Fraction(0)


def _table(dimension: str, **factors: str | Fraction) -> dict[str, _Unit]:
    return {name: _Unit(dimension, Fraction(factor)) for name, factor in factors.items()}


_UNITS: dict[str, _Unit] = {
    **_table("share", **{"%": "1", "1": "100"}),
    **_table("count", **{"{score}": "1", "{INR}": "1", "{count}": "1"}),
    **_table("time", **{"a": "1", "mo": Fraction(1, 12)}),
    **_table("days", **{"d": "1", "wk": "7", "h": Fraction(1, 24)}),
    **_table("rate", **{"/min": "1"}),
    **_table("flow", **{"L/min": "1"}),
    **_table("length", cm="1", m="100", mm="0.1", **{"[in_i]": "2.54", "[ft_i]": "30.48"}),
    **_table("weight", kg="1", g="0.001", **{"[lb_av]": "0.45359237"}),
    **_table("body mass index", **{"kg/m2": "1"}),
    **_table("pressure", **{"mm[Hg]": "1", "kPa": Fraction("1000") / Fraction("133.322387415")}),
    "Cel": _Unit("temperature", Fraction(1)),
    "[degF]": _Unit("temperature", Fraction(5, 9), Fraction(32)),
    **_table("cells", **{"10*9/L": "1", "10*3/uL": "1", "/uL": "0.001", "10*6/L": "0.001"}),
    **_table("activity", **{"U/L": "1", "[IU]/L": "1", "ukat/L": "60", "nkat/L": "0.06"}),
    **_table("filtration", **{"mL/min/{1.73_m2}": "1", "mL/s/{1.73_m2}": "60"}),
    **_table("mass", **{"g/L": "1", "g/dL": "10", "mg/dL": "0.01", "mg/L": "0.001"}),
    **_table("mass", **{"ug/mL": "0.001", "ug/dL": "0.00001", "ug/L": "0.000001"}),
    **_table("amount", **{"mol/L": "1", "mmol/L": "0.001", "umol/L": "0.000001"}),
    **_table("charge", **{"eq/L": "1", "meq/L": "0.001"}),
    **_table("mass ratio", **{"mg/g": "1", "ug/mg": "1", "g/g": "1000", "mg/mg": "1000"}),
    **_table("mass of amount", **{"mg/mmol": "1", "g/mol": "1"}),
    **_table("amount ratio", **{"mmol/mol": "1"}),
}
# Spellings that carry the same meaning in UCUM: braces only annotate (but see filtration, where the
# body surface decides and `mL/min` alone says something else).
_SAME = {
    "mL/min/1.73.m2": "mL/min/{1.73_m2}", "mL/min/{1.73m2}": "mL/min/{1.73_m2}",
    "mL/min/1.73_m2": "mL/min/{1.73_m2}", "mL/min/1.73m2": "mL/min/{1.73_m2}",
    "[iU]/L": "[IU]/L", "10*3/mm3": "10*3/uL", "{#}": "{count}", "1/min": "/min",
}  # fmt: skip
_COUNTS = re.compile(r"\{(?:score|INR|count|#|ratio|points?)\}|1", re.IGNORECASE).fullmatch
_ANNOTATION = re.compile(r"\{[^{}]*\}")


# Far beyond every measurement in any unit here, and far from where a float ends.
_NUMBER_MAX = 1e15


class Analyte(NamedTuple):
    """What is measured: grams a mole, and the charge of its ion."""

    molar: Fraction
    charge: int = 0


ANALYTES: dict[str, Analyte] = {
    "creatinine": Analyte(Fraction("113.118")),  # C4H7N3O
    "bilirubin": Analyte(Fraction("584.673")),  # C33H36N4O6
    "cholesterol": Analyte(Fraction("386.664")),  # C27H46O
    "glucose": Analyte(Fraction("180.156")),  # C6H12O6
    "urea": Analyte(Fraction("60.056")),  # CH4N2O
    "urea nitrogen": Analyte(Fraction("28.014")),  # two N to a urea: mg/dL N to mmol/L urea
    "phosphate": Analyte(Fraction("30.974")),  # reported as phosphorus
    "calcium": Analyte(Fraction("40.078"), 2),
    "sodium": Analyte(Fraction("22.990"), 1),
    "bicarbonate": Analyte(Fraction("61.016"), 1),  # HCO3-
    "hba1c": Analyte(Fraction(0)),  # two scales of one measurement, see `_across`
}


def known(unit: str) -> str | None:
    """The unit's own name in the table, or nothing."""
    text = _SAME.get(unit, unit)
    if text in _UNITS:
        return text
    bare = _ANNOTATION.sub("", text)
    return bare if bare in _UNITS else None


def convert(number: float, unit: str, to: str, analyte: str = "") -> float:
    """The number in the unit `to`; raises UnitRefused rather than guess."""
    if not abs(number) < _NUMBER_MAX:
        raise UnitRefused("No measurement is a number of that size.")
    if unit == to:
        return number
    given, wanted = known(unit), _UNITS[to]
    if not unit:
        raise UnitRefused("The unit is missing.")
    if wanted.dimension == "count" and _COUNTS(unit):
        return number
    if given is None:
        raise UnitRefused(f"The unit {unit[:40]!r} is not one that can be converted to {to}.")
    source = _UNITS[given]
    exact = (Fraction(str(number)) - source.zero) * source.factor
    if source.dimension != wanted.dimension:
        exact = _across(exact, source.dimension, wanted.dimension, analyte)
    return float(exact / wanted.factor + wanted.zero)


def _across(value: Fraction, given: str, wanted: str, analyte: str) -> Fraction:
    """From one dimension to another by what is known of the analyte; values in first units."""
    substance = ANALYTES.get(analyte)
    if substance is not None:
        ways = _ways(substance) if substance.molar else _HBA1C
        way = ways.get((given, wanted))
        if way is not None:
            return way[0] * value + way[1]
    raise UnitRefused(f"A unit of {given} cannot stand for one of {wanted} here.")


_Line = tuple[Fraction, Fraction]
# NGSP % = 0.09148 x IFCC mmol/mol + 2.152 (the master equation, doi:10.1373/clinchem.2003.024802)
_SLOPE, _START = Fraction("0.09148"), Fraction("2.152")
_HBA1C: dict[tuple[str, str], _Line] = {
    ("amount ratio", "share"): (_SLOPE, _START),
    ("share", "amount ratio"): (1 / _SLOPE, -_START / _SLOPE),
}


def _ways(substance: Analyte) -> dict[tuple[str, str], _Line]:
    """The straight lines between dimensions that this analyte allows."""
    molar, zero = substance.molar, Fraction(0)
    found: dict[tuple[str, str], _Line] = {
        ("amount", "mass"): (molar, zero),
        ("mass", "amount"): (1 / molar, zero),
        ("mass of amount", "mass ratio"): (1000 / molar, zero),
        ("mass ratio", "mass of amount"): (molar / 1000, zero),
    }
    if substance.charge:
        charge = Fraction(substance.charge)
        found[("charge", "amount")] = (1 / charge, zero)
        found[("amount", "charge")] = (charge, zero)
        found[("charge", "mass")] = (molar / charge, zero)
        found[("mass", "charge")] = (charge / molar, zero)
    return found
