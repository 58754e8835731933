"""What people of Rochester will have within five years: nafld1 to 3 of R's survival package."""

import csv
import gzip
import math
from collections import defaultdict
from datetime import timedelta
from pathlib import Path

import numpy as np

from evaluate.study import Goal, Study, bands, codes, found, hashes
from evaluate.survival import across_folds, follow
from polyclinic.services.insights.domain.learning.cases import Cases
from polyclinic.services.insights.domain.learning.fitting import (
    base_rate,
    boosted,
    linear,
    splines,
    trees,
)
from polyclinic.services.insights.domain.learning.judging import Use
from polyclinic.services.insights.domain.learning.shipping import Naming
from polyclinic.services.insights.domain.models import Feature

FILES = ("survival_nafld1.csv.gz", "survival_nafld2.csv.gz", "survival_nafld3.csv.gz")
HORIZON = timedelta(days=1826.25)
# Lowest and highest that a person can have, and how many days are looked back upon.
_VALUES = {"hdl": (5.0, 200.0, 1826), "sbp": (50.0, 300.0, 1096)}
_KNOWN = {
    "hypertension": "htn", "dyslipidaemia": "dyslipidemia", "angina": "ang/isc", "afib": "afib",
    "heart_failure": "heart failure", "stroke": "stroke", "infarction": "MI", "nafld": "nafld",
}  # fmt: skip
_WORDS = {
    "hypertension": "High blood pressure", "dyslipidaemia": "Abnormal blood lipids",
    "angina": "Angina or ischaemic heart disease", "afib": "Atrial fibrillation",
    "heart_failure": "Heart failure", "stroke": "Stroke", "infarction": "Heart attack",
    "nafld": "Fatty liver",
}  # fmt: skip
_FEATURES = (
    Feature("age", "number", "Age", "a", "Patient.birthDate"),
    Feature("sex", "code", "Sex", "", "Patient.gender"),
    Feature("bmi.last", "number", "Body mass index", "kg/m2", "Observation 39156-5"),
    Feature("hdl.last", "number", "HDL cholesterol", "mg/dL", "Observation 2085-9, 5 years"),
    Feature("systolic.last", "number", "Systolic pressure", "mm[Hg]",
            "Observation 8480-6, 3 years"),
    Feature("systolic.mean", "number", "Mean systolic pressure", "mm[Hg]",
            "Observation 8480-6, 3 years"),
    *(Feature(f"{name}.there", "number", words, "1", "Condition, ever before")
      for name, words in _WORDS.items()),
)  # fmt: skip
_VESSELS = ("MI", "stroke", "heart failure", "cardiac arrest", "ang/isc")
_OTHERS = {
    "nafld-vessels": ("Heart or vessel event within 5 years", _VESSELS, "0.786 (age+sex 0.764)"),
    "nafld-hypertension": ("High blood pressure within 5 years", ("htn",), "0.778 (0.677)"),
    "nafld-afib": ("Atrial fibrillation within 5 years", ("afib",), "0.802 (0.793)"),
    "nafld-death": ("Death within 5 years", (), "0.887 (0.843)"),
}
_LIMITS = [
    "Cases of fatty liver with matched controls: a clinic's own share of outcomes differs; "
    "calibrate before use.",
    "In these files every `chol` is a copy of `hdl`, and every `dbp` of `sbp`: only one of each "
    "is used.",
    "Death without the outcome is no outcome; those who left count by IPCW, nobody is dropped.",
]


def build(folder: Path) -> list[Study]:
    files = [found(folder, name) for name in FILES]
    people, values, events = _read(files)
    common = {"data": hashes(*files), "use": Use((0.05, 0.1, 0.15), 0.1)}
    split = "5 folds of persons, calibrated across the folds' own learners"
    age_sex = {"age and sex": lambda given: splines(given.only("age", "sex"))}
    diabetes = _cases(people, values, events, ("diabetes",))
    age = np.asarray(diabetes.columns["age"], dtype=float)
    fatty = np.asarray(diabetes.columns["nafld.there"], dtype=float) > 0
    first = [
        Study(
            id="incident-diabetes-5y", title="Diabetes within 5 years, nafld",
            split=split, reference="0.766 (HGB, the censored dropped), age and sex 0.617",
            cases=diabetes, rounds=across_folds(diabetes, 5),
            candidates={"base rate": base_rate, **age_sex, "linear": linear, "splines": splines,
                        "boosted": boosted(0), "trees": trees},
            goals=[Goal("AUROC", "best", "auroc", "all", 0.76)],
            subsets={"without fatty liver": ~fatty},
            groups=[*codes(diabetes.columns["sex"], "sex"), *bands(age, "age", [40, 55, 70])],
            notes=_LIMITS, compared=("splines", "age and sex"),
            naming=Naming("incident-diabetes-5y-nafld", "1.0.0", "incident-diabetes-5y",
                          "Diabetes within five years", 1826.25),
            **common,
        )
    ]  # fmt: skip
    return first + [
        Study(
            id=name, title=f"{title}, nafld", split=split, reference=reference,
            cases=cases, rounds=across_folds(cases, 5),
            candidates={**age_sex, "splines": splines},
            goals=[], notes=_LIMITS, compared=("splines", "age and sex"), **common,
        )
        for name, (title, codes_, reference) in _OTHERS.items()
        for cases in [_cases(people, values, events, codes_)]
    ]  # fmt: skip


def _read(files: list[Path]) -> tuple[list[dict], dict, dict]:
    people, measured, noted = (_rows(file) for file in files)
    values: dict[str, dict[str, list[tuple[int, float]]]] = defaultdict(lambda: defaultdict(list))
    for row in measured:
        low, high, back = _VALUES.get(row["test"], (math.inf, -math.inf, 0))
        value, day = float(row["value"]), int(row["days"])
        if low <= value <= high and -back <= day <= 0:
            values[row["id"]][row["test"]].append((day, value))
    events: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row in noted:
        events[row["id"]][row["event"]].append(int(row["days"]))
    return people, values, events


def _rows(file: Path) -> list[dict[str, str]]:
    with gzip.open(file, "rt", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def _cases(people: list[dict], values: dict, events: dict, outcome: tuple[str, ...]) -> Cases:
    """Who did not have the outcome at day 0, with what was known until then; () is death."""
    rows, ends = [], []
    for person in people:
        days = sorted(d for code in outcome for d in events[person["id"]][code])
        if days and days[0] <= 0:
            continue
        seen, died = float(person["futime"]), person["status"] == "1"
        had = days[0] <= seen if days else (died and not outcome)
        ends.append((float(days[0]) if days and had else seen, had, died))
        rows.append(_row(person, values[person["id"]], events[person["id"]]))
    labels = follow(ends, HORIZON)
    columns = {
        each.name: np.asarray(
            [row[each.name] for row in rows], dtype=object if each.kind == "code" else float
        )
        for each in _FEATURES
    }
    number = np.asarray([int(row["id"]) for row in rows], dtype=np.int64)
    return Cases(_FEATURES, columns, labels.label, labels.weight, number, np.zeros(len(rows)))


def _row(person: dict, values: dict, events: dict) -> dict:
    measured = {test: sorted(values[test]) for test in _VALUES}
    pressures = [value for _, value in measured["sbp"]]
    return {
        "id": person["id"], "age": float(person["age"]),
        "sex": "male" if person["male"] == "1" else "female",
        "bmi.last": math.nan if person["bmi"] in ("", "NA") else float(person["bmi"]),
        "hdl.last": measured["hdl"][-1][1] if measured["hdl"] else math.nan,
        "systolic.last": pressures[-1] if pressures else math.nan,
        "systolic.mean": sum(pressures) / len(pressures) if pressures else math.nan,
        **{f"{name}.there": float(any(day <= 0 for day in events[code]))
           for name, code in _KNOWN.items()},
    }  # fmt: skip
