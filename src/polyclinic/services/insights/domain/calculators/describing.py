"""The page of all calculators, written from the registry itself."""

from collections.abc import Iterable, Iterator

from polyclinic.services.insights.domain.calculators.values import Action, Calculator
from polyclinic.services.insights.domain.charts import Answer, Input

# Methods that the platform leaves out, and why. Nobody adds one without deciding on its licence.
LEFT_OUT = (
    ("STOP-Bang", "copyright of University Health Network, Toronto"),
    ("MMSE", "proprietary (PAR, Inc.)"),
    ("FRAX", "the coefficients are not published, and the tool is licensed"),
    ("ELF", "proprietary (Siemens Healthineers)"),
    ("MUST", "copyright of BAPEN, reproduction by permission only"),
    ("Clinical Frailty Scale", "copyright of Dalhousie University, by permission only"),
    ("SCORE2", "whether its tables may be redistributed is not resolved"),
    ("QRISK3", "LGPL code and a trade mark of its owners"),
    ("QDiabetes", "AGPL code and a trade mark of its owners"),
)
_TAKES = {"latest": "latest", "mean-of-2": "mean of the last two"}
_INTRO = """# Calculators

Written from the registry by `scripts/write_calculators.py`; a test compares it. Each is a file in
`services/insights/domain/calculators/registry/` and a pure function.

How a value is found in a chart, for all of them:

- An Observation counts when it is final, amended or corrected, taken at or before the moment of
  the question and within the look-back. The newest decides. Components of a panel count with the
  panel's reference.
- A unit is converted by UCUM (mass and amount of substance by the analyte's molar mass). A missing
  or other unit, a value of another kind, or only a bound (`<`) is refused: the input is missing,
  with the reason and the reference, and an older value does not stand in for it.
- Kidney function and body mass are taken as recorded, or computed where what they are computed from
  is newer. If that cannot be used, the older record does not stand in for it either.
- A number that no living person has is refused, with a hint to look at the unit. A number out of
  the formula's own range gives no score. Nothing is clamped unless the publication itself clamps.
- Absent is not negative. A diagnosis or medicine counts as no where it was refuted or is over, or
  where the chart keeps such a list (any entry, or a List that says that none is known) and the list
  does not name it. Such an answer is marked `assumed`, and people are shown it. Without a list it
  is missing. So it is where an open entry has no code of SNOMED CT or ICD-10: it could be anything.
- A medicine is known by its ATC code, or by its ingredient's international name (INN) or a usual
  brand as a word of its name. What no list knows stands beside the no as `not recognised`.
- An age that only limits (`optional`) is needed in a chart: unknown, it would keep no limit.
- What somebody adds at the screen goes before the chart.

Answers are scored, missing (what, and which one would change most), out of range, or not for them.
Codes of LOINC and SNOMED CT have right check digits; whether a release still holds them is to be
checked against the terminology that a clinic has loaded.
"""


def page(calculators: Iterable[Calculator]) -> str:
    """The whole page as Markdown."""
    known = list(calculators)
    lines = [_INTRO, "| id | what | citation |", "|---|---|---|"]
    lines += [f"| [{each.id}](#{each.id}) | {each.title} | {each.doi} |" for each in known]
    for each in known:
        lines += ["", *_section(each)]
    lines += ["", "## Left out", ""]
    lines += ["These need a decision on their licence first, and are not implemented:", ""]
    lines += ["| method | why |", "|---|---|"]
    lines += [f"| {name} | {why} |" for name, why in LEFT_OUT]
    return "\n".join(lines) + "\n"


def _section(one: Calculator) -> Iterator[str]:
    yield f"## {one.id}"
    yield ""
    yield f"**{one.title}**, version {one.version}. {one.citation}"
    yield ""
    yield f"- For: {one.population}. Not for: {'; '.join(one.exclusions)}."
    yield f"- Licence: {one.licence}. Attribution: {one.attribution}."
    if one.caution:
        yield f"- Caution: {one.caution}"
    yield f"- Checked against: {'; '.join(one.oracles)}. Vectors: {one.vectors}."
    if one.comparison_only:
        yield "- Shown beside another score only; it never proposes an action."
    for gate in one.gates:
        yield f"- Must be {'there' if gate.must else 'absent'}: {_words(gate.input)}."
    for group in one.together:
        yield f"- Measured within {group.hours} hours of each other: {', '.join(group.inputs)}."
    yield ""
    yield "| input | what | unit | codes | look-back | taken | plausible | valid |"
    yield "|---|---|---|---|---|---|---|---|"
    for each in one.inputs:
        yield _row(each)
    yield from _results(one)


def _results(one: Calculator) -> Iterator[str]:
    yield ""
    yield "| output | unit | horizon |"
    yield "|---|---|---|"
    for out in one.outputs:
        years = f"{out.horizon_years} years" if out.horizon_years else ""
        yield f"| {out.words} | `{out.unit}` | {years} |"
    yield ""
    yield f"| band (by {one.decides}) | from | action |"
    yield "|---|---|---|"
    for band in one.bands:
        action = _action(band.action) if band.action else ""
        yield f"| {band.name}: {band.words} | {band.low:g} | {action} |"
    for each in {action.id: action for band in one.bands if (action := band.action)}.values():
        if each.unless:
            other = _action(each.instead) if each.instead else "nothing"
            yield ""
            yield f"Where {each.unless} is a yes, instead of {each.id}: {other}."
    if one.replaces:
        yield ""
        yield f"The same step is proposed once: by this, not by {', '.join(one.replaces)}."
    if one.healthy:
        shown = ", ".join(f"{name} {_said(value)}" for name, value in one.healthy.items())
        yield ""
        yield f"Compared to a person of the same age and sex with healthy values: {shown}."
    for rule in one.safety:
        yield ""
        yield f"Always, where {rule.input} is above {rule.above:g}: {_action(rule.action)}."


def _said(value: Answer) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _row(each: Input) -> str:
    cells = (
        each.name + (" (optional)" if each.optional else ""),
        each.words,
        f"`{each.unit}`" if each.unit else each.kind,
        _codes(each),
        f"{each.look_back_days} days" if each.look_back_days else "",
        _TAKES[each.take] if each.kind == "quantity" else "",
        f"{each.plausible.low:g} to {each.plausible.high:g}" if each.plausible else "",
        f"{each.valid.low:g} to {each.valid.high:g}" if each.valid else "",
    )
    return f"| {' | '.join(cells)} |"


def _codes(each: Input) -> str:
    """All LOINC codes; of long lists of diagnoses and medicines the first of each system."""
    parts = [f"LOINC {', '.join(each.codes.loinc)}"] if each.codes.loinc else []
    for system, codes in (
        ("SNOMED CT", each.codes.snomed),
        ("ICD-10", each.codes.icd10),
        ("ATC", each.codes.atc),
    ):
        more = f" and {len(codes) - 4} more" if len(codes) > 4 else ""
        if codes:
            parts.append(f"{system} {', '.join(codes[:4])}{more}")
    if each.from_age:
        parts.append(f"from the age of {each.from_age} on")
    if each.derived:
        parts.append(f"else by {each.derived[0]}")
    return "; ".join(parts)


def _words(each: Input) -> str:
    codes = _codes(each)
    return f"{each.words} ({codes})" if codes else each.words


def _action(action: Action) -> str:
    return f"{action.text.rstrip('.')} ({action.urgency}; {action.source})"
