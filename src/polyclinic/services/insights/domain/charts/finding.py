"""An input's answer out of a chart at a moment, or what is lacking; never a default.

Nothing after the moment is seen. The newest value decides: where it cannot be used (no unit, only a
bound, a code without meaning here), the input is lacking, with the reason and the reference; an
older value does not stand in for it.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from polyclinic.services.insights.domain.charts.chart import Chart
from polyclinic.services.insights.domain.charts.facts import Found, Lack, Used
from polyclinic.services.insights.domain.charts.inputs import Answer, Input
from polyclinic.services.insights.domain.charts.listed import find_condition, find_medicine
from polyclinic.services.insights.domain.charts.resources import (
    LOINC,
    SNOMED,
    Measured,
    codings,
    each_of,
    moment,
    part_of,
)
from polyclinic.services.insights.domain.charts.stays import find_stay, find_visits
from polyclinic.services.insights.domain.charts.units import SYSTEM, UnitRefused, convert

NOT_RECORDED = "not recorded"


def find(chart: Chart, wanted: Input, at: datetime) -> Found | Lack:
    """The answer with what it rests on."""
    return _WAYS[wanted.kind](chart, wanted, at)


def lack(wanted: Input, why: str = NOT_RECORDED, reference: str = "") -> Lack:
    return Lack(wanted.name, wanted.words, wanted.codes.shown(), why, reference)


def _find_age(chart: Chart, wanted: Input, at: datetime) -> Found | Lack:
    born = chart.patient.get("birthDate")
    day = moment(born)
    if day is None or len(str(born)) != 10:
        return lack(wanted, "the birth date is not known to the day", _patient(chart))
    years = at.year - day.year - ((at.month, at.day) < (day.month, day.day))
    return Found(float(years), (Used(wanted.name, float(years), None, "a", day, _patient(chart)),))


def _find_sex(chart: Chart, wanted: Input) -> Found | Lack:
    sex = chart.patient.get("gender")
    if sex not in ("female", "male"):
        return lack(wanted, "the equation is made for female and male only", _patient(chart))
    return Found(sex, (Used(wanted.name, None, sex, "", None, _patient(chart)),))


def _find_region(chart: Chart, wanted: Input) -> Found | Lack:
    """Of the first address with a country, by ISO 3166 code or usual name; never by default."""
    countries = [
        str(each["country"]) for each in each_of(chart.patient, "address") if each.get("country")
    ]
    if not countries:
        return lack(wanted, "no address says the country", _patient(chart))
    country = countries[0].upper().replace(".", "").strip()
    answer = next((each for each, names in wanted.answers.items() if country in names), None)
    if answer is None:
        return lack(wanted, "the country of the address is not one that is known", _patient(chart))
    return Found(answer, (Used(wanted.name, None, answer, "", None, _patient(chart)),))


def _patient(chart: Chart) -> str:
    return f"Patient/{chart.patient.get('id')}"


def _find_quantity(chart: Chart, wanted: Input, at: datetime) -> Found | Lack:
    values = _within(chart, wanted, at)
    if isinstance(values, Lack):
        return values
    count = 2 if wanted.take == "mean-of-2" else 1
    used: list[Used] = []
    for code, one in values[:count]:
        try:
            number = _number(one, code, wanted)
        except UnitRefused as refused:
            return lack(wanted, refused.message, one.reference)
        used.append(_used(wanted, one, number=number))
    mean = sum(each.number or 0.0 for each in used) / len(used)
    return Found(mean, tuple(used))


def _used(
    wanted: Input, one: Measured, number: float | None = None, code: str | None = None
) -> Used:
    return Used(wanted.name, number, code, wanted.unit, one.at, one.reference, one.version)


def newest(chart: Chart, wanted: Input, at: datetime) -> datetime | None:
    """The moment of the last value by then, however old and whether or not it can be used."""
    past = _past(chart, wanted, at)
    return past[0][1].at if past else None


def _past(chart: Chart, wanted: Input, at: datetime) -> list[tuple[str, Measured]]:
    """By any of the input's codes, newest first."""
    first = _grown(chart, wanted)
    # By the value itself: one that carries two of the codes is still one measurement.
    by_value = {
        id(one.value): (code, one)
        for code in wanted.codes.loinc
        for one in chart.measured.get(code, ())
        if first <= one.at <= at
    }
    past = list(by_value.values())
    past.sort(key=lambda each: (each[1].at, each[1].said, each[1].reference), reverse=True)
    return past


def _grown(chart: Chart, wanted: Input) -> datetime:
    """From when on a value counts, by the age from which it does."""
    born = moment(chart.patient.get("birthDate"))
    if wanted.from_age is None or born is None:
        return datetime.min.replace(tzinfo=UTC)
    return born + timedelta(days=365.25 * wanted.from_age)


def _within(chart: Chart, wanted: Input, at: datetime) -> list[tuple[str, Measured]] | Lack:
    """Newest first, by any of the input's codes; none, or none recent enough, is a Lack."""
    past = _past(chart, wanted, at)
    if not past:
        since = f" since the age of {wanted.from_age}" if wanted.from_age else ""
        return lack(wanted, NOT_RECORDED + since)
    if wanted.look_back_days is None:
        return past
    first = at - timedelta(days=wanted.look_back_days)
    recent = [each for each in past if each[1].at >= first]
    if not recent:
        newest = past[0][1]
        return lack(wanted, f"the last is of {newest.at.date()}, too old", newest.reference)
    return recent


def _number(one: Measured, code: str, wanted: Input) -> float:
    """In the input's unit; raises UnitRefused with a sentence where it cannot be told."""
    if wanted.unit in ("{score}", "{count}"):
        plain = one.value.get("valueInteger")
        if isinstance(plain, int) and not isinstance(plain, bool):
            return float(plain)
    if wanted.answers and "valueCodeableConcept" in one.value:
        meaning = _meaning(one.value, wanted)
        if meaning is None:
            raise UnitRefused("The recorded answer has no meaning for this score.")
        return float(meaning)
    quantity = part_of(one.value, "valueQuantity")
    number = quantity.get("value")
    if isinstance(number, bool) or not isinstance(number, int | float | Decimal):
        raise UnitRefused("The observation holds no number.")
    if quantity.get("comparator"):
        raise UnitRefused("Only a bound is known, not the value itself.")
    unit = quantity.get("code") or quantity.get("unit") or ""
    if quantity.get("code") and quantity.get("system", SYSTEM) != SYSTEM:
        raise UnitRefused("The unit is not of UCUM.")
    analyte = wanted.analytes.get(code, wanted.analyte)
    return convert(float(number), str(unit), wanted.unit, analyte)


def _find_choice(chart: Chart, wanted: Input, at: datetime) -> Found | Lack:
    values = _within(chart, wanted, at)
    if isinstance(values, Lack):
        return values
    one = values[0][1]
    answer = _meaning(one.value, wanted)
    if answer is None:
        return lack(wanted, "the recorded answer has no meaning for this score", one.reference)
    said: Answer = answer == "yes" if wanted.is_flag else answer
    return Found(said, (_used(wanted, one, code=answer),))


def _meaning(value: Any, wanted: Input) -> str | None:
    """The one answer that a code of LOINC or SNOMED CT, a whole number or a boolean stands for."""
    concept = codings(value.get("valueCodeableConcept"))
    codes = {code for system, code in concept if system in (LOINC, SNOMED)}
    fitting = {name for name, known in wanted.answers.items() if codes.intersection(known)}
    plain = value.get("valueInteger", value.get("valueBoolean"))
    if isinstance(plain, bool):
        plain = "yes" if plain else "no"
    if str(plain) in wanted.answers:
        fitting.add(str(plain))
    return next(iter(fitting)) if len(fitting) == 1 else None


def _find_given(chart: Chart, wanted: Input, at: datetime) -> Found | Lack:
    """By a coded answer where one was recorded, else only a person can say it."""
    if wanted.codes.loinc and wanted.answers:
        return _find_choice(chart, wanted, at)
    return lack(wanted, "somebody has to judge it at the bedside")


_Way = Callable[[Chart, Input, datetime], Found | Lack]
_WAYS: dict[str, _Way] = {
    "age": _find_age,
    "sex": lambda chart, wanted, _: _find_sex(chart, wanted),
    "region": lambda chart, wanted, _: _find_region(chart, wanted),
    "quantity": _find_quantity,
    "choice": _find_choice,
    "condition": find_condition,
    "medicine": find_medicine,
    "stay": find_stay,
    "visits": find_visits,
    "given": _find_given,
}
