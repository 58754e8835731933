"""From inputs to one of four answers: scored, missing, out of range, or not made for them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from polyclinic.foundation.errors import Invalid
from polyclinic.services.insights.domain.calculators.values import (
    Action,
    Answered,
    Band,
    Calculator,
    Gate,
    Given,
    Missing,
    NotForThem,
    Outcome,
    OutOfRange,
    Quantity,
    Scored,
    Together,
    Value,
)
from polyclinic.services.insights.domain.calculators.weighing import most_telling
from polyclinic.services.insights.domain.charts import (
    Answer,
    Chart,
    Found,
    Input,
    Lack,
    Range,
    UnitRefused,
    Used,
    convert,
    find,
    lack,
    newest,
)

Finding = Callable[[Input], Found | Lack]


@dataclass(slots=True)
class _Gathered:
    """What has been found of a calculator's inputs so far."""

    found: dict[str, Found] = field(default_factory=dict[str, Found])
    lacks: list[Lack] = field(default_factory=list[Lack])
    optional: list[Lack] = field(default_factory=list[Lack])

    @property
    def used(self) -> tuple[Used, ...]:
        return tuple(used for each in self.found.values() for used in each.used)

    @property
    def answers(self) -> dict[str, Answer]:
        return {name: each.answer for name, each in self.found.items()}


def conclude(calculator: Calculator, finding: Finding) -> Answered:
    """The answer out of what `finding` says of each input and gate."""
    gathered = _Gathered()
    for wanted in calculator.inputs:
        found = finding(wanted)
        if isinstance(found, Found):
            gathered.found[wanted.name] = found
        else:
            (gathered.optional if wanted.optional else gathered.lacks).append(found)
    for group in calculator.together:
        _part(calculator, group, gathered)
    safety = _safety(calculator, gathered)
    shut = _shut(calculator, finding, gathered)
    if shut is not None:
        return replace(shut, safety=safety)
    refused = _refused(calculator, gathered)
    if refused is not None:
        return replace(refused, safety=safety)
    if gathered.lacks:
        telling = most_telling(calculator, gathered.answers, gathered.lacks)
        return Missing(tuple(gathered.lacks), telling, safety, gathered.used)
    return _scored(calculator, gathered, safety)


def _part(calculator: Calculator, group: Together, gathered: _Gathered) -> None:
    """What is too much older than the newest of its group becomes a lack, with its date."""
    ages = {
        name: min(dates)
        for name in group.inputs
        if name in gathered.found
        and (dates := [each.date for each in gathered.found[name].used if each.date])
    }
    words = {each.name: each for each in calculator.inputs}
    last = max(ages.values(), default=None)
    for name, at in ages.items():
        if last is not None and last - at > timedelta(hours=group.hours):
            apart = gathered.found.pop(name).used[0].reference
            why = f"the last is of {at:%Y-%m-%d %H:%M}, too old beside the others"
            gathered.lacks.append(lack(words[name], why, apart))


def _shut(calculator: Calculator, finding: Finding, gathered: _Gathered) -> NotForThem | None:
    """The first gate that does not let them in; one that nobody can answer is a lack."""
    for gate in calculator.gates:
        found = finding(gate.input)
        if isinstance(found, Lack):
            if not gate.input.optional:
                gathered.lacks.append(found)
        elif found.answer is not gate.must:
            return NotForThem(gate.why, found.used)
        elif not gate.input.optional or not all(each.assumed for each in found.used):
            # A silence that is not needed either is nothing that the score rests on.
            gathered.found[gate.input.name] = found
    return None


def _safety(calculator: Calculator, gathered: _Gathered) -> tuple[Action, ...]:
    raised = []
    for rule in calculator.safety:
        found = gathered.found.get(rule.input)
        if found is not None and float(found.answer) > rule.above:
            raised.append(rule.action)
    return tuple(raised)


def _refused(calculator: Calculator, gathered: _Gathered) -> OutOfRange | None:
    """Impossible numbers go first: of them nothing may be concluded at all."""
    numbers = [
        (wanted, gathered.found[wanted.name])
        for wanted in calculator.inputs
        if wanted.is_number and wanted.name in gathered.found
    ]
    for wanted, found in numbers:
        for used in found.used:
            # What a derived value rests on was checked by its own calculator.
            if used.number is None or used.input != wanted.name:
                continue
            if not _holds(wanted.plausible, used.number):
                return _out(wanted, used.number, wanted.plausible, used)
    for wanted, found in numbers:
        if not _holds(wanted.valid, float(found.answer)):
            return _out(wanted, float(found.answer), wanted.valid, found.used[0])
    return None


def _holds(limits: Range | None, number: float) -> bool:
    return limits is None or limits.holds(number)


def _out(wanted: Input, number: float, limits: Range | None, used: Used) -> OutOfRange:
    assert limits is not None
    impossible = limits is wanted.plausible
    span = f"{limits.low:g} to {limits.high:g} {wanted.unit}".strip()
    why = (
        f"{wanted.words}: no living person is outside {span}; check the value and its unit"
        if impossible
        else f"{wanted.words}: the formula holds from {span}"
    )
    ends = (limits.low, limits.high)
    return OutOfRange(wanted.name, number, wanted.unit, ends, why, impossible, used.reference)


def _scored(calculator: Calculator, gathered: _Gathered, safety: tuple[Action, ...]) -> Scored:
    outcome = calculator.formula(gathered.answers)
    values = _values(calculator, outcome)
    band = _band(calculator, outcome, {each.name: each.number for each in values})
    action = None if calculator.comparison_only or band is None else band.action
    used, lacking = gathered.used, tuple(gathered.optional)
    compared = _compared(calculator, gathered.answers)
    why = outcome.reasons
    return Scored(values, band, used, why, action, safety, lacking, outcome.base, compared)


def _values(calculator: Calculator, outcome: Outcome) -> tuple[Value, ...]:
    return tuple(
        Value(each.name, rounded(number, each.digits), number, each.unit, each.horizon_years)
        for each in calculator.outputs
        if (number := outcome.values.get(each.name)) is not None
    )


def _compared(calculator: Calculator, answers: Mapping[str, Answer]) -> Value | None:
    """The deciding value of the same person with the healthy values, without optional inputs."""
    if not calculator.healthy:
        return None
    optional = {each.name for each in calculator.inputs if each.optional}
    known = {name: value for name, value in answers.items() if name not in optional}
    outcome = calculator.formula({**known, **calculator.healthy})
    found = {each.name: each for each in _values(calculator, outcome)}
    return found.get(calculator.decides)


def rounded(number: float, digits: int) -> float:
    """Half up, as laboratories and papers round; not to the even digit."""
    step = Decimal(1).scaleb(-digits)
    return float(Decimal(repr(number)).quantize(step, ROUND_HALF_UP))


def _band(calculator: Calculator, outcome: Outcome, values: Mapping[str, float]) -> Band | None:
    if outcome.band is not None:
        return {band.name: band for band in calculator.bands}[outcome.band]
    number = values.get(calculator.decides)
    if number is None:
        return None
    return next((band for band in reversed(calculator.bands) if number >= band.low), None)


def by_chart(
    calculator: Calculator,
    chart: Chart,
    at: datetime,
    given: Mapping[str, Given],
    others: Mapping[str, Calculator],
) -> Answered:
    """The answer out of a chart; what a person gave goes before what was recorded."""
    if at.tzinfo is None:
        raise Invalid("The moment needs its time zone.", place="at")
    _check_names(calculator, given)
    if chart.patient.get("deceasedBoolean") is True or chart.patient.get("deceasedDateTime"):
        return NotForThem("The patient has died.")

    def finding(wanted: Input) -> Found | Lack:
        if wanted.name in given:
            return stated(wanted, given[wanted.name])
        found = find(chart, wanted, at)
        if wanted.derived is None:
            return found
        behind = others[wanted.derived[0]]
        if not _is_newer(behind, chart, wanted, at):
            return found
        return _derived(
            wanted, _none_as_new(found, wanted), by_chart(behind, chart, at, {}, others)
        )

    return conclude(_of_known_age(calculator), finding)


def _of_known_age(calculator: Calculator) -> Calculator:
    """Stated values are the caller's to judge; in a chart an unknown age keeps no limit of age."""
    inputs = (
        replace(each, optional=False) if each.kind == "age" else each for each in calculator.inputs
    )
    return replace(calculator, inputs=tuple(inputs))


def _is_newer(behind: Calculator, chart: Chart, wanted: Input, at: datetime) -> bool:
    """Whether what it can be computed from is newer than the recorded value, or none is recorded.

    It is as new as the oldest of what ages (creatinine, weight; no height does). Where a part was
    never measured there is nothing to compute, and the recorded value stands.
    """
    recorded = newest(chart, wanted, at)
    if recorded is None:
        return True
    measured = [each for each in behind.inputs if each.kind == "quantity" and not each.optional]
    moments = {each.name: newest(chart, each, at) for each in measured}
    ageing = [moments[each.name] for each in measured if each.look_back_days is not None]
    if None in moments.values() or not ageing:
        return False
    return min(each for each in ageing if each is not None) > recorded


def _none_as_new(found: Found | Lack, wanted: Input) -> Lack:
    """What to say where the newer values give no result: the older one does not stand in."""
    if isinstance(found, Lack):
        return found
    day = max(each.date.date() for each in found.used if each.date)
    return lack(wanted, f"the recorded one is of {day}, and newer results show another")


def _derived(wanted: Input, without: Lack, answered: Answered) -> Found | Lack:
    """Another calculator's value in place of a recorded one, with all that it rests on."""
    name = wanted.derived[1] if wanted.derived else ""
    if isinstance(answered, Scored):
        number = answered.value(name).number
        used = tuple(replace(each, input=f"{wanted.name}.{each.input}") for each in answered.used)
        return Found(number, (Used(wanted.name, number, None, wanted.unit, None, ""), *used))
    if isinstance(answered, Missing):
        parts = ", ".join(f"{each.words} ({each.why})" for each in answered.what)
        why = f"{without.why}, and cannot be computed without {parts}"
        return replace(without, why=why, reference=answered.what[0].reference)
    behind = answered.reference if isinstance(answered, OutOfRange) else ""
    why = f"{without.why}, and cannot be computed: {answered.why}"
    return replace(without, why=why, reference=behind)


def by_values(calculator: Calculator, inputs: Mapping[str, Given]) -> Answered:
    """The answer out of stated values. Gates that nobody answered are the caller's to keep."""
    _check_names(calculator, inputs)

    def finding(wanted: Input) -> Found | Lack:
        if wanted.name in inputs:
            return stated(wanted, inputs[wanted.name])
        return Lack(wanted.name, wanted.words, wanted.codes.shown(), "not given")

    open_gates = tuple(
        Gate(replace(gate.input, optional=True), gate.must, gate.why) for gate in calculator.gates
    )
    return conclude(replace(calculator, gates=open_gates), finding)


def _check_names(calculator: Calculator, inputs: Mapping[str, Given]) -> None:
    known = {each.name for each in calculator.inputs}
    known |= {gate.input.name for gate in calculator.gates}
    for name in inputs:
        if name not in known:
            there = ", ".join(sorted(known))
            raise Invalid(f"{calculator.id} has no such input; it has {there}.", place=name[:64])


def stated(wanted: Input, value: Given) -> Found:
    """What a person or program states, checked; raises Invalid with the input as its place."""
    if wanted.is_number:
        return _stated_number(wanted, value)
    if wanted.is_flag:
        if not isinstance(value, bool):
            raise Invalid(f"{wanted.words} is answered by true or false.", place=wanted.name)
        return Found(value, (_plain(wanted, "yes" if value else "no"),))
    allowed = ("female", "male") if wanted.kind == "sex" else tuple(wanted.answers)
    if not isinstance(value, str) or value not in allowed:
        raise Invalid(f"{wanted.words} is one of {', '.join(allowed)}.", place=wanted.name)
    return Found(value, (_plain(wanted, value),))


def _plain(wanted: Input, code: str) -> Used:
    return Used(wanted.name, None, code, "", None, "")


def _stated_number(wanted: Input, value: Given) -> Found:
    if not isinstance(value, Quantity):
        text = f"{wanted.words} is a number with its unit ({wanted.unit})."
        raise Invalid(text, place=wanted.name)
    if isinstance(value.number, bool) or not abs(value.number) < 1e9:
        raise Invalid(f"{wanted.words} is not a number that can be.", place=wanted.name)
    try:
        number = convert(value.number, value.unit, wanted.unit, wanted.analyte)
    except UnitRefused as refused:
        raise Invalid(f"{wanted.words}: {refused.message}", place=wanted.name) from refused
    if wanted.whole and number != int(number):
        raise Invalid(f"{wanted.words} is a whole number.", place=wanted.name)
    return Found(number, (Used(wanted.name, number, None, wanted.unit, None, ""),))
