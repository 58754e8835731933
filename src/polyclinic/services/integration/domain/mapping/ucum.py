"""Units: which of them are UCUM, and what laboratories mean by those that are not."""

import re
from functools import lru_cache

SYSTEM = "http://unitsofmeasure.org"

_PREFIXES = ("da", "Ki", "Mi", "Gi", *"YZEPTGMkhdcmunpfazy")
_METRIC_UNITS = """g m s L l mol Pa J W V A K Cel cd Hz N C F Ohm S Wb T H lm lx Bq Gy Sv kat eq
    osm cal [IU] U bar t u eV [arb'U] B"""
_METRIC = frozenset(_METRIC_UNITS.split())
_PLAIN_UNITS = """% [ppth] [ppm] [ppb] min h d wk mo a deg ' '' 10* 10^ m[Hg] [in_i] [in_us] [ft_i]
    [lb_av] [oz_av] [gal_us] [qt_us] [pt_us] [foz_us] [tsp_us] [tbs_us] [degF] [beth'U] [CFU]
    [pH] [drp] [HPF] [LPF] [iU] [GPL'U] [MPL'U] [APL'U] [AU] [BAU] [PFU] [FFU] [USP'U] [todd'U]
    [ka'U] [dye'U] [knk'U] [tb'U] [Amb'a'1'U] [anti'Xa'U] [mi_i] [yd_i] [stone_av] [gr] [diop]
    [MET]"""
_PLAIN = frozenset(_PLAIN_UNITS.split())
_METRIC_TOO = frozenset({"m[Hg]", "m[H2O]"})
_SPELLED = {
    "mg/dl": "mg/dL", "g/dl": "g/dL", "ug/dl": "ug/dL", "mcg/dl": "ug/dL", "mcg/dL": "ug/dL",
    "ng/ml": "ng/mL", "pg/ml": "pg/mL", "mcg/mL": "ug/mL", "mcg": "ug", "mmol/l": "mmol/L",
    "umol/l": "umol/L", "meq/l": "meq/L", "mEq/L": "meq/L", "IU/L": "[IU]/L", "IU/l": "[IU]/L",
    "IU/mL": "[IU]/mL", "IU": "[IU]", "mIU/L": "m[IU]/L", "mIU/mL": "m[IU]/mL",
    "uIU/mL": "u[IU]/mL",
    "U/l": "U/L", "mmHg": "mm[Hg]", "mm Hg": "mm[Hg]", "MMHG": "mm[Hg]", "bpm": "/min",
    "BPM": "/min", "beats/min": "/min", "breaths/min": "/min", "K/uL": "10*3/uL", "k/uL": "10*3/uL",
    "K/mm3": "10*3/uL", "M/uL": "10*6/uL", "x10E3/uL": "10*3/uL", "x10^3/uL": "10*3/uL",
    "10^3/uL": "10*3/uL", "x10E6/uL": "10*6/uL", "x10^6/uL": "10*6/uL", "10^6/uL": "10*6/uL",
    "x10^9/L": "10*9/L", "10^9/L": "10*9/L", "10E9/L": "10*9/L", "x10^12/L": "10*12/L",
    "10^12/L": "10*12/L", "degC": "Cel", "deg C": "Cel", "degF": "[degF]", "deg F": "[degF]",
    "lbs": "[lb_av]", "lb": "[lb_av]", "in": "[in_us]", "percent": "%", "sec": "s", "secs": "s",
    "mm/hr": "mm/h", "ml/min": "mL/min", "ml": "mL", "cc": "mL", "hr": "h", "hrs": "h", "yrs": "a",
    "years": "a", "days": "d", "kg/m2": "kg/m2", "fl": "fL", "mOsm/kg": "mosm/kg",
}  # fmt: skip
_TERM = re.compile(r"(?P<unit>[^0-9./{}+\-]*(?:\[[^\]]+\][^0-9./{}+\-]*)*|10[*^])?"
                   r"(?P<power>[+-]?\d{1,2})?(?P<note>\{[\x21-\x7a]*\})?").fullmatch  # fmt: skip
_ANNOTATION = re.compile(r"\{[^{}]*\}")
_FACTOR = re.compile(r"\d{1,7}", re.ASCII).fullmatch


@lru_cache(2048)
def code_of(unit: str) -> str | None:
    """The UCUM code of a unit as somebody wrote it; none where it is only a text."""
    text = unit.strip()
    if text in _SPELLED:
        return _SPELLED[text]
    return text if is_ucum(text) else None


def is_ucum(text: str) -> bool:
    """Terms joined by `.` and `/`, each a known unit with prefix and power, or an annotation."""
    if not text or len(text) > 60 or not text.isascii():
        return False
    terms = re.split(r"[./]", _ANNOTATION.sub("{}", text).removeprefix("/"))
    return all(_is_term(term) for term in terms)


def _is_term(term: str) -> bool:
    if not term:
        return False
    if _FACTOR(term):
        return True
    found = _TERM(term)
    if not found or not (found["unit"] or found["note"]):
        return False
    return not found["unit"] or _is_unit(found["unit"])


def _is_unit(unit: str) -> bool:
    if unit in _METRIC or unit in _PLAIN or unit in _METRIC_TOO:
        return True
    return any(
        unit.startswith(prefix) and unit[len(prefix) :] in (_METRIC | _METRIC_TOO)
        for prefix in _PREFIXES
    )
