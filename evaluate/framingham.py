"""Heart and vessels within ten years: the teaching set of the Framingham study, first exam."""

import csv
import gzip
import math
from datetime import timedelta
from pathlib import Path

import numpy as np

from evaluate.study import Goal, Study, bands, codes, found, hashes
from evaluate.survival import across_folds, follow
from polyclinic.services.insights.domain.learning.cases import Cases
from polyclinic.services.insights.domain.learning.fitting import (
    Fitted,
    base_rate,
    boosted,
    linear,
    splines,
    trees,
)
from polyclinic.services.insights.domain.learning.judging import Use
from polyclinic.services.insights.domain.learning.measures import logit
from polyclinic.services.insights.domain.models import Feature

FILE = "framingham_teaching_longitudinal.csv.gz"
HORIZON = timedelta(days=3652)
_SAID = {
    "age": "AGE", "systolic": "SYSBP", "cholesterol": "TOTCHOL", "smoker": "CURSMOKE",
    "cigarettes": "CIGPDAY", "bmi": "BMI", "diabetes": "DIABETES", "bp_medicine": "BPMEDS",
}  # fmt: skip
_FEATURES = (
    *(Feature(name, "number", name) for name in _SAID),
    Feature("sex", "code", "Sex"),
)


def build(folder: Path) -> list[Study]:
    file = found(folder, FILE)
    cases = read(file)
    age = np.asarray(cases.columns["age"], dtype=float)
    return [
        Study(
            id="framingham", title="Heart or vessel event within 10 years, Framingham exam 1",
            split="5 folds of persons, calibrated across the folds' own learners",
            reference="LR 0.771, HGB 0.762, age and sex 0.715, FRS-2008 0.761 with O/E 0.71",
            cases=cases, rounds=across_folds(cases, 5),
            candidates={
                "base rate": base_rate, "FRS-2008 (BMI)": frs,
                "age and sex": lambda given: splines(given.only("age", "sex")),
                "linear": linear, "splines": splines, "boosted": boosted(0), "trees": trees,
            },
            use=Use((0.075, 0.1, 0.2), 0.1),
            goals=[
                Goal("AUROC", "best", "auroc", "all", 0.77),
                Goal("calibrated O/E, low", "chosen", "oe", "all", 0.9),
                Goal("calibrated O/E, high", "chosen", "oe", "all", 1.1, at_least=False),
            ],
            data=hashes(file),
            subsets={"age < 50": age < 50},
            groups=[*codes(cases.columns["sex"], "sex"), *bands(age, "age", [45, 55])],
            notes=["Teaching set, altered for privacy; all white, 1950s: nothing is shipped of it.",
                   "Death without an event is no event; those who left count by IPCW."],
        )
    ]  # fmt: skip


def read(file: Path) -> Cases:
    """The first exam of all who had neither heart disease nor stroke before it."""
    with gzip.open(file, "rt", encoding="utf-8") as opened:
        rows = [row for row in csv.DictReader(opened) if row["PERIOD"] == "1"]
    rows = [row for row in rows if row["PREVCHD"] == "0" and row["PREVSTRK"] == "0"]
    columns = {name: np.asarray([_number(row[said]) for row in rows])
               for name, said in _SAID.items()}  # fmt: skip
    sexes = ["male" if row["SEX"] == "1" else "female" for row in rows]
    columns["sex"] = np.asarray(sexes, dtype=object)
    labels = follow(
        [(float(row["TIMECVD"]), row["CVD"] == "1", row["DEATH"] == "1") for row in rows], HORIZON
    )
    return Cases(
        _FEATURES, columns, labels.label, labels.weight,
        np.asarray([int(row["RANDID"]) for row in rows]), np.zeros(len(rows)),
    )  # fmt: skip


def _number(text: str) -> float:
    return math.nan if text in ("", "NA") else float(text)


# D'Agostino 2008, doi:10.1161/CIRCULATIONAHA.107.699579, office-based: ln age, ln BMI, ln SBP
# untreated and treated, smoking, diabetes; survival at ten years; mean of the sum.
_FRS = {
    "female": ((2.72107, 0.51125, 2.81291, 2.88267, 0.61868, 0.77763), 0.94833, 26.0145),
    "male": ((3.11296, 0.79277, 1.85508, 1.92672, 0.70953, 0.53160), 0.88431, 23.9388),
}


def frs(cases: Cases) -> Fitted:
    """The published score; what is not known is the median of those learned from."""
    middle = {name: float(np.nanmedian(np.asarray(cases.columns[name], dtype=float)))
              for name in _SAID}  # fmt: skip

    def logits(asked: Cases) -> np.ndarray:
        given = {name: np.asarray(asked.columns[name], dtype=float) for name in _SAID}
        given = {name: np.where(np.isnan(v), middle[name], v) for name, v in given.items()}
        chance = np.empty(len(asked))
        for sex, (weights, survival, mean) in _FRS.items():
            treated = given["bp_medicine"] > 0
            total = (
                weights[0] * np.log(given["age"]) + weights[1] * np.log(given["bmi"])
                + np.where(treated, weights[3], weights[2]) * np.log(given["systolic"])
                + weights[4] * given["smoker"] + weights[5] * given["diabetes"]
            )  # fmt: skip
            risk = 1 - survival ** np.exp(total - mean)
            chance = np.where(asked.columns["sex"] == sex, risk, chance)
        return logit(chance)

    return Fitted("FRS-2008 (BMI)", logits)
