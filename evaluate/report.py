"""The numbers as a table for a terminal, as a page, and as JSON that can be drawn."""

import json
import math
from dataclasses import asdict

from evaluate.running import Met, Result
from polyclinic.services.insights.domain.learning.resampling import Interval

_TAIL = ("auroc", "ap", "brier", "scaled_brier", "slope", "intercept", "oe", "ece", "ppv",
         "sensitivity")  # fmt: skip
_WORDS = {
    "auroc": "AUROC", "ap": "average precision", "brier": "Brier",
    "scaled_brier": "scaled Brier", "slope": "calibration slope", "intercept": "intercept",
    "oe": "observed/expected", "ece": "ECE", "ppv": "PPV, top", "sensitivity": "sensitivity, top",
}  # fmt: skip


def number(value: float, digits: int = 3) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def spread(each: Interval, digits: int = 3) -> str:
    """`0.681 (0.675-0.687)`."""
    low, high = number(each.low, digits), number(each.high, digits)
    return f"{number(each.value, digits)} ({low} to {high})"


def summary(results: list[Result]) -> str:
    """For a terminal: one block a study."""
    lines: list[str] = []
    for each in results:
        lines += ["", f"{each.study.title}  [{each.study.id}]", "  " + _size(each),
                  f"  reference: {each.study.reference}"]  # fmt: skip
        for name, brief in each.brief.items():
            marks = "".join([" best" * (name == each.best), " CHOSEN" * (name == each.chosen)])
            lines.append(
                f"  {name:20} AUROC {spread(brief['auroc'])}  Brier {spread(brief['brier'], 4)}"
                f"{marks}"
            )
        for part, full in each.full.items():
            told = ", ".join(f"{_WORDS[k]} {number(full[k].value)}" for k in _TAIL)
            lines.append(f"  chosen, {part}: {told}")
        if each.gap and each.study.compared:
            one, other = each.study.compared
            lines.append(f"  AUROC of {one} less {other}: {spread(each.gap)}")
        lines += [f"  {_goal(met)}" for met in each.met]
        lines += [f"  SUSPECT: {s.feature} alone has {s.auroc:.3f}" for s in each.suspects]
    return "\n".join(lines)


def _size(each: Result) -> str:
    return (f"{each.cases:,} cases of {each.people:,} persons, {each.events:,} outcomes "
            f"({100 * each.rate:.1f} %); {each.study.split}")  # fmt: skip


def _goal(met: Met) -> str:
    sign = ">=" if met.goal.at_least else "<="
    word = "reached" if met.reached else "NOT REACHED"
    return (f"{word}: {met.goal.words} of the {met.goal.of} {number(met.value, 4)} "
            f"{sign} {met.goal.limit}")  # fmt: skip


_HEAD = """# Evaluation

What `make evaluate DATA=…` printed last: models of the insights service on public data of real
people. In brackets the middle 95 % of 500 drawings of persons, each with all cases of theirs.
Chosen is the simplest candidate within 0.01 AUROC of the best whose Brier score is not surely
worse ([decisions/0029](../decisions/0029-learned-models-are-additive.md)). Goals bind the best
candidate; whether an equation can be put right (Framingham) binds the chosen one. Where candidates
and features were tried out on these data before, the numbers flatter a little; a clinic's own
people decide.

ECE is the mean of |observed - expected| over tenths of the people by their chance. Who is right
about everybody has one too, as outcomes are chance: that is `ECE by chance alone`, the mean of 200
drawings of outcomes with the very chances of the model. Less than that cannot be asked for.

Synthetic patients (Synthea and its like) prove only that the pipeline runs; no number here is of
them. `polyclinic` ships weights of two models, diabetes within five years and readmission within
30 days of what a FHIR chart holds; both begin in silence.

## How missed visits were calibrated

Learned on the first 60 % of days and calibrated on the next 15 %, the newest 25 % had an ECE of
0.018 with lead > 0 (below: learned and calibrated once). What to do about it was chosen on the
first 75 % of days alone, by asking some of them after learning from earlier ones:

- Fewer and fewer visits were missed: observed over expected was 0.83 to 0.99 in the days after
  calibration, whichever the map. So the window has to be new. Learned anew every second day and
  calibrated on three days, splines came to 0.008 (all) and 0.014 (lead > 0), from 0.015 and 0.021.
- Visits booked for the same day are hardly missed and are bent otherwise: maps of their own gained
  0.0005 to 0.001. Isotonic, Platt's and beta maps hardly differed; isotonic with blocks of 300,
  500 or 1,000 people was no better than with 50.
- Weights that halve in six days, leaving out the first days, and leaving out what was counted of a
  person before gained nothing that lasted, or cost AUROC.

The newest days are no fresh ones: the calibration of before had been seen on them. With lead > 0
they gave 0.013 to 0.018 to whatever was calibrated once, 0.010 to 0.011 to what was calibrated
anew each day, and 0.005 to 0.010 to what was learned anew each day as well. Kept is what the
earlier days chose, with two days between, as there.
"""


def markdown(results: list[Result]) -> str:
    lines = [_HEAD, "## In short", "",
             "| task | reference | best | chosen | AUROC of the chosen | ECE | by chance | goals |",
             "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for each in results:
        full = each.full["all"]
        met = f"{sum(m.reached for m in each.met)} of {len(each.met)}" if each.met else "none"
        best = f"{each.best}, {number(each.brief[each.best]['auroc'].value)}"
        lines.append(
            f"| {each.study.title} | {each.study.reference} | {best} | {each.chosen} "
            f"| {spread(full['auroc'])} | {number(full['ece'].value)} "
            f"| {number(each.by_chance['all'])} | {met} |"
        )
    for each in results:
        lines += _section(each)
    return "\n".join(lines).rstrip() + "\n"


def _section(each: Result) -> list[str]:
    lines = ["", f"## {each.study.title}", "", _size(each) + ".", "",
             f"Reference: {each.study.reference}.", ""]  # fmt: skip
    lines += [f"- {note}" for note in each.study.notes]
    lines += [
        "",
        "| candidate | AUROC | Brier | Brier less the best's | |",
        "|---|---|---|---|---|",
    ]
    for name, brief in each.brief.items():
        marks = ", ".join(
            word for word, is_so in (("best", name == each.best), ("chosen", name == each.chosen))
            if is_so
        )  # fmt: skip
        lines.append(f"| {name} | {spread(brief['auroc'])} | {spread(brief['brier'], 4)} "
                     f"| {spread(brief['brier_gap'], 4)} | {marks} |")  # fmt: skip
    if each.gap and each.study.compared:
        one, other = each.study.compared
        lines += ["", f"AUROC of {one} less that of {other}: {spread(each.gap)}."]
    of_best = "; ".join(
        f"{part} AUROC {number(told['auroc'])}, ECE {number(told['ece'], 4)}"
        for part, told in each.of_best.items()
    )
    lines += ["", f"The best one ({each.best}): {of_best}."]
    lines += _measures(each) + _groups(each)
    if each.met:
        lines += ["", *(f"- {_goal(met)}" for met in each.met)]
    return lines


def _measures(each: Result) -> list[str]:
    parts = each.full
    share = f" {100 * each.study.use.capacity:.0f} %"
    lines = ["", f"The chosen one ({each.chosen}):", "", f"| | {' | '.join(parts)} |",
             "|---" * (len(parts) + 1) + "|"]  # fmt: skip
    for key in parts["all"]:
        words = _WORDS.get(key) or key.replace("_", " ").replace("@", " at ")
        words += share if words.endswith("top") else ""
        digits = 4 if "benefit" in key or key in ("brier", "ece") else 3
        told = " | ".join(spread(full[key], digits) for full in parts.values())
        lines.append(f"| {words} | {told} |")
        if key == "ece":
            told = " | ".join(number(each.by_chance[part], 4) for part in parts)
            lines.append(f"| ECE by chance alone | {told} |")
    return lines


def _groups(each: Result) -> list[str]:
    if not each.groups:
        return []
    at = f"{100 * each.study.use.thresholds[0]:g} %"
    lines = ["", f"| group | people's cases | outcomes | AUROC | O/E | outcomes below {at} |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for group in each.groups:
        if group.auroc is None or group.oe is None or group.missed is None:
            lines.append(f"| {group.name} | too few | too few | - | - | - |")
            continue
        lines.append(f"| {group.name} | {group.people:,} | {group.events:,} | {spread(group.auroc)}"
                     f" | {spread(group.oe, 2)} | {100 * group.missed:.0f} % |")  # fmt: skip
    return lines


def as_json(results: list[Result]) -> str:
    """By study: candidates, measures, groups, and the points of the calibration curve."""
    said = {
        each.study.id: {
            "title": each.study.title, "data": each.study.data, "best": each.best,
            "chosen": each.chosen, "cases": each.cases, "events": each.events,
            "candidates": {n: {k: v._asdict() for k, v in b.items()}
                           for n, b in each.brief.items()},
            "chosen_numbers": {p: {k: v._asdict() for k, v in f.items()}
                               for p, f in each.full.items()},
            "groups": [asdict(group) for group in each.groups],
            "calibration": [{"expected": e, "observed": o, "share": s} for e, o, s in each.curve],
            "goals": [{"words": m.goal.words, "value": m.value, "limit": m.goal.limit,
                       "reached": m.reached} for m in each.met],
        }
        for each in results
    }  # fmt: skip
    return json.dumps(said, indent=1) + "\n"
