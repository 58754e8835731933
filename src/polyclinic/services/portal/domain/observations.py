"""Observations become results: the number, its unit, its range and where it lies in it."""

import re
from collections.abc import Iterable

from polyclinic.services.portal.domain.known import (
    DIASTOLIC,
    KNOWN,
    OTHER,
    PRESSURE,
    QUESTIONS,
    SYSTOLIC,
    UNITS,
    VITALS,
    Known,
)
from polyclinic.services.portal.domain.reading import (
    LOINC,
    Moment,
    Resource,
    bare,
    categories,
    codes,
    first,
    inner,
    kept,
    moment,
    objects,
    text,
    words,
)
from polyclinic.services.portal.domain.results import Person, Range, Result, Status, number

# Out of range by at most a tenth of the range's width is "just": near-normal numbers are read as
# more urgent than they are (J Med Internet Res 2018;20(3):e98).
JUST = 0.1
CRITICAL = {"HH": "above", "LL": "below", "AA": "outside", "HU": "above", "LU": "below"}
TOLD = {"H": "above", "L": "below", "A": "outside", "N": "in", **CRITICAL}


def read_results(observations: Iterable[Resource], person: Person) -> list[Result]:
    """Every test result and vital sign of the observations, each once, newest first."""
    found = [result for o in kept(observations) if (result := _result(o, person))]
    whole = {r.by_day for r in found if r.code in PRESSURE}
    # Some senders also write the two halves of a blood pressure on their own, or things twice.
    alone = [r for r in found if not (r.code in {SYSTOLIC, DIASTOLIC} and r.by_day in whole)]
    once = {(r.code, r.when and r.when.sort, r.shown): r for r in alone}
    newest = sorted(once.values(), key=lambda r: r.short)
    return sorted(newest, key=lambda r: r.when.sort if r.when else "", reverse=True)


def _result(observation: Resource, person: Person) -> Result | None:
    concept = observation.get("code")
    code = first(list(codes(concept, LOINC))) or first(list(codes(concept))) or words(concept)
    if not code or not _is_result(observation, code):
        return None
    if code in PRESSURE:
        return _pressure(observation, code, person)
    known = KNOWN.get(code)
    name = words(concept) or code
    when = _when(observation)
    value, unit, comparator = _quantity(observation.get("valueQuantity"))
    decimals = known.decimals if known else _decimals(value)
    limits = _range(observation, unit, decimals, known, person)
    rounded = None if value is None else round(value, decimals)
    shown = comparator + number(value, decimals) if value is not None else _said(observation)
    return Result(
        id=text(observation.get("id")),
        code=code,
        plain=known.plain if known else name,
        short=known.short if known else name,
        panel=_panel(observation, known),
        when=when,
        value=rounded,
        shown=shown or "No value recorded",
        unit=_unit(unit),
        decimals=decimals,
        range=limits,
        status=_status(observation, None if comparator else rounded, limits),
        note=" ".join(text(n.get("text")) for n in objects(observation.get("note"))),
    )


def _is_result(observation: Resource, code: str) -> bool:
    kinds = categories(observation)
    if code in QUESTIONS or _quantity(observation.get("valueQuantity"))[1] == "{score}":
        return code in KNOWN
    if code in KNOWN or code in PRESSURE or "laboratory" in kinds:
        return True
    return "vital-signs" in kinds and "valueQuantity" in observation


def _panel(observation: Resource, known: Known | None) -> str:
    if known:
        return known.panel
    return VITALS if "vital-signs" in categories(observation) else OTHER


def _pressure(observation: Resource, code: str, person: Person) -> Result | None:
    parts: dict[str, tuple[float, str]] = {}
    for component in objects(observation.get("component")):
        value, unit, _ = _quantity(component.get("valueQuantity"))
        for part in codes(component.get("code"), LOINC):
            if value is not None:
                parts[part] = (round(value), unit)
    if SYSTOLIC not in parts or DIASTOLIC not in parts:
        return None
    (upper, unit), (lower, _) = parts[SYSTOLIC], parts[DIASTOLIC]
    when = _when(observation)
    is_known = unit == "mm[Hg]" and person.is_adult(when)
    status = _pressure_status(upper, lower) if is_known else Status("unknown")
    return Result(
        id=text(observation.get("id")),
        code=code,
        plain="Blood pressure",
        short="Blood pressure",
        panel=VITALS,
        when=when,
        value=float(upper),
        shown=f"{upper:.0f}/{lower:.0f}",
        unit=_unit(unit),
        decimals=0,
        range=Range(90, 120, "usual adult range", 0) if is_known else None,
        status=status,
        second=float(lower),
    )


def _pressure_status(upper: float, lower: float) -> Status:
    """Normal below 120/80 and not below 90/60 (AHA 2017; MedlinePlus)."""
    if upper > 120 or lower > 80:
        return Status("above", is_just=upper <= 129 and lower <= 80)
    return Status("below") if upper < 90 or lower < 60 else Status("in")


def _when(observation: Resource) -> Moment | None:
    given = (
        observation.get("effectiveDateTime"),
        inner(observation, "effectivePeriod", "start"),
        observation.get("effectiveInstant"),
        observation.get("issued"),
    )
    return next((m for m in map(moment, given) if m), None)


def _quantity(quantity: object) -> tuple[float | None, str, str]:
    """Value, UCUM code (or the unit as written) and comparator."""
    value = inner(quantity, "value")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    unit = text(inner(quantity, "code")) or text(inner(quantity, "unit"))
    comparator = text(inner(quantity, "comparator"))
    return (float(value) if is_number else None, unit, f"{comparator} " if comparator else "")


def _unit(code: str) -> str:
    """A UCUM code as people write it; what stands in braces is a remark and no unit."""
    return UNITS[code] if code in UNITS else re.sub(r"\{[^}]*\}", "", code)


def _said(observation: Resource) -> str:
    for name in ("valueCodeableConcept", "valueString"):
        value = observation.get(name)
        if said := (words(value) if isinstance(value, dict) else text(value)):
            return bare(said)
    if isinstance(answer := observation.get("valueBoolean"), bool):
        return "Yes" if answer else "No"
    integer = observation.get("valueInteger")
    return str(integer) if isinstance(integer, int) else words(observation.get("dataAbsentReason"))


def _range(
    observation: Resource, unit: str, decimals: int, known: Known | None, person: Person
) -> Range | None:
    given = first(observation.get("referenceRange"))
    low, high = _limit(given, "low", unit), _limit(given, "high", unit)
    # A lower end of nought under a measure that cannot be negative says nothing.
    low = None if low == 0 and high is not None else low
    if low is not None or high is not None:
        return Range(low, high, "laboratory", _most(decimals, low, high))
    if known is None or known.unit != unit or not person.is_adult(_when(observation)):
        return None
    bounds = known.bounds(person.sex)
    return bounds and Range(*bounds, "usual adult range", _most(decimals, *bounds))


def _limit(given: object, end: str, unit: str) -> float | None:
    value, named, _ = _quantity(inner(given, end))
    return value if named in {"", unit} else None


def _status(observation: Resource, value: float | None, limits: Range | None) -> Status:
    told = next(
        (c for i in objects(observation.get("interpretation")) for c in codes(i) if c in TOLD), None
    )
    if told in CRITICAL:
        return Status(CRITICAL[told], is_critical=True)
    if value is None or limits is None:
        return Status(TOLD[told]) if told else Status("unknown")
    low, high = limits.low, limits.high
    width = high - low if low is not None and high is not None else abs(high or low or 0) / 2
    if high is not None and value > high:
        return Status("above", is_just=value - high <= JUST * width)
    if low is not None and value < low:
        return Status("below", is_just=low - value <= JUST * width)
    return Status("in")


def _decimals(value: float | None) -> int:
    """As many as were written, but no more than the size of the number bears."""
    if value is None:
        return 0
    written = len(repr(value).partition(".")[2]) if value != int(value) else 0
    bears = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return min(written, bears)


def _most(decimals: int, *bounds: float | None) -> int:
    def needed(bound: float) -> int:
        return 0 if bound == int(bound) else len(repr(bound).partition(".")[2])

    fit: list[int] = [needed(b) for b in bounds if b is not None]
    return max(decimals, *fit) if max(fit, default=0) <= 3 else decimals
