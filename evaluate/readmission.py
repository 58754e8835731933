"""Who comes back within 30 days: Diabetes-130 (UCI 296, CC BY 4.0), 1999 to 2008, 130 hospitals.

Strack et al. 2014, doi:10.1155/2014/781670.
"""

import csv
import io
import math
import zipfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from evaluate.diagnoses import GROUPS, chapter, is_in
from evaluate.study import SEED, Goal, Round, Study, bands, codes, found, hashes
from polyclinic.services.insights.domain.learning.cases import Cases
from polyclinic.services.insights.domain.learning.fitting import (
    base_rate,
    boosted,
    linear,
    splines,
    trees,
    twofold,
)
from polyclinic.services.insights.domain.learning.judging import Use
from polyclinic.services.insights.domain.learning.shipping import Naming
from polyclinic.services.insights.domain.learning.splitting import by_person, by_time, folds, unseen
from polyclinic.services.insights.domain.models import Feature

FILE = "dataset_diabetes_uci296.zip"
_MEMBER = "dataset_diabetes/diabetic_data.csv"
# Died, or went to a hospice: they cannot come back.
_GONE = {"11", "13", "14", "19", "20", "21"}
_TO = {
    "1": "home", "6": "home", "8": "home", "3": "snf", "4": "snf", "24": "snf", "15": "snf",
    "22": "rehab", "23": "long", "2": "hosp", "5": "hosp", "9": "hosp", "10": "hosp", "28": "psy",
    "7": "aadvice",
}  # fmt: skip
_HBA1C = {"Norm": 6.5, ">7": 7.5, ">8": 8.5}  # inside of its range: cuts fall at 7 and 8

_CHART = (
    Feature("age", "number", "Age", "a", "Patient.birthDate; learned in bands of ten years"),
    Feature("sex", "code", "Sex", "", "Patient.gender"),
    Feature("stays.count", "number", "Hospital stays of a year, this one included", "1",
            "Encounter IMP or ACUTE, 365 days"),
    Feature("emergencies.count", "number", "Emergency visits of a year", "1",
            "Encounter EMER, 365 days"),
    Feature("visits.count", "number", "Outpatient visits of a year", "1",
            "Encounter AMB, 365 days"),
    Feature("stay_days.last", "number", "Days of this stay", "d", "Encounter.period"),
    Feature("discharge", "code", "Discharged to", "",
            "Encounter.hospitalization.dischargeDisposition"),
    Feature("hba1c.last", "number", "HbA1c of this stay", "%", "Observation 4548-4, 30 days"),
    *(Feature(f"{name}.there", "number", words, "1", "Condition of the stay, ICD-10-CM")
      for name, (words, _) in GROUPS.items()),
)  # fmt: skip
_MORE_NUMBERS = {
    "diagnoses": "number_diagnoses", "medicines": "num_medications",
    "procedures": "num_procedures", "lab_tests": "num_lab_procedures",
}  # fmt: skip
_MORE_CODES = {
    "disposition": "discharge_disposition_id", "admission": "admission_type_id",
    "source": "admission_source_id", "specialty": "medical_specialty", "payer": "payer_code",
    "changed": "change", "hba1c_result": "A1Cresult", "insulin_dose": "insulin",
    "metformin_dose": "metformin", "diabetes_medicine": "diabetesMed",
}  # fmt: skip
_RECORD = (
    *_CHART,
    *(Feature(name, "number", name) for name in _MORE_NUMBERS),
    *(Feature(name, "code", name) for name in _MORE_CODES),
    *(Feature(f"chapter_{n}", "code", f"Chapter of diagnosis {n}") for n in (1, 2, 3)),
    Feature("earlier", "number", "Earlier stays in these data", "1"),
    Feature("within_30", "number", "This stay began within 30 days of the last", "1"),
)
_LIMITS = [
    "People with diabetes only, of 1999 to 2008, one to fourteen days in hospital; deaths and "
    "hospice left out. No dates: only the order of stays is known.",
    "Age is known in bands of ten years, HbA1c in three; diagnoses were ICD-9 and are matched to "
    "ICD-10 by chapter.",
    "A return to a hospital outside of the 130 is not seen.",
]


def build(folder: Path) -> list[Study]:
    file = found(folder, FILE)
    rows = _read(file)
    record, chart = _cases(rows, _RECORD), _cases(rows, _CHART)
    groups = _groups(chart, rows)
    first = np.asarray(chart.columns["stays.count"], dtype=float) < 2
    common = {"data": hashes(file), "use": Use((0.1, 0.15, 0.2), 0.1), "groups": groups,
              "subsets": {"no stay in the year before": first}, "notes": _LIMITS}  # fmt: skip
    alone = {"base rate": base_rate,
             "stays alone": lambda given: splines(given.only("stays.count"))}  # fmt: skip
    grouped = "4 folds of persons, a tenth of each fold's learners for calibration"
    return [
        Study(
            id="readmission-record", title="Readmission within 30 days, whole record",
            split=grouped, cases=record, rounds=_rounds(record, 4, 0.1),
            reference="0.682 (HGB), LR 0.669, earlier stays alone 0.610",
            candidates={**alone, "linear": linear, "splines": splines,
                        "trees of two questions": twofold, "trees": trees},
            goals=[Goal("AUROC", "best", "auroc", "all", 0.68),
                   Goal("ECE", "best", "ece", "all", 0.01, at_least=False)],
            compared=("trees", "splines"), **common,
        ),
        _by_time(record, common),
        Study(
            id="readmission-30d", title="Readmission within 30 days, what a FHIR chart holds",
            split=grouped, cases=chart, rounds=_rounds(chart, 4, 0.15),
            reference="none; the whole record above",
            candidates={**alone, "linear": linear, "splines": splines, "boosted": boosted(0),
                        "trees of two questions": twofold, "trees": trees},
            goals=[], compared=("trees of two questions", "splines"),
            naming=Naming("readmission-30d-diabetes130", "1.0.0", "readmission-30d-diabetes",
                          "Readmission within 30 days, people with diabetes", 30.0),
            **common,
        ),
    ]  # fmt: skip


def _by_time(record: Cases, common: dict[str, Any]) -> Study:
    return Study(
        id="readmission-pseudo-temporal",
        title="Readmission within 30 days, whole record, later stays of unseen persons",
        split="last 25 % of stays, persons never seen; 15 % before them for calibration",
        reference="0.646, O/E 0.85", cases=record, rounds=[_later(record)],
        candidates={"base rate": base_rate, "splines": splines, "trees": trees}, goals=[],
        **common,
    )  # fmt: skip


def _rounds(cases: Cases, number: int, share: float) -> list[Round]:
    found_: list[Round] = []
    for rest, ask in folds(cases, number, SEED):
        _, inner = by_person(cases, (1 - share, share), SEED)
        found_.append(Round(rest & ~inner, rest & inner, ask))
    return found_


def _later(cases: Cases) -> Round:
    learn, window, ask = by_time(cases, (0.6, 0.15, 0.25))
    return Round(learn, window, unseen(cases, learn | window, ask))


def _read(file: Path) -> list[dict[str, str]]:
    """In the order of encounter ids, which is about that of time; `within_30` and `earlier` look
    back at the person's stays before."""
    with zipfile.ZipFile(file) as packed, packed.open(_MEMBER) as opened:
        every = list(csv.DictReader(io.TextIOWrapper(opened, "utf-8")))
    every.sort(key=lambda row: int(row["encounter_id"]))
    last: dict[str, str] = {}
    count: dict[str, int] = defaultdict(int)
    for row in every:
        person = row["patient_nbr"]
        row["within_30"] = str(int(last.get(person) == "<30"))
        row["earlier"] = str(count[person])
        last[person] = row["readmitted"]
        count[person] += 1
    return [row for row in every if row["discharge_disposition_id"] not in _GONE]


def _cases(rows: list[dict[str, str]], features: tuple[Feature, ...]) -> Cases:
    persons = {name: n for n, name in enumerate(sorted({row["patient_nbr"] for row in rows}))}
    readers = _readers()
    return Cases(
        features,
        {
            each.name: np.asarray(
                [readers[each.name](row) for row in rows],
                dtype=object if each.kind == "code" else float,
            )
            for each in features
        },
        np.asarray([int(row["readmitted"] == "<30") for row in rows], dtype=np.int64),
        np.ones(len(rows)),
        np.asarray([persons[row["patient_nbr"]] for row in rows], dtype=np.int64),
        np.arange(len(rows), dtype=float),
    )


Reader = Callable[[dict[str, str]], float | str | None]


def _readers() -> dict[str, Reader]:
    found_: dict[str, Reader] = {
        "age": lambda row: float(row["age"].strip("[)").split("-")[0]) + 5,
        "sex": lambda row: {"Female": "female", "Male": "male"}.get(row["gender"]),
        "stays.count": lambda row: float(row["number_inpatient"]) + 1,
        "emergencies.count": lambda row: float(row["number_emergency"]),
        "visits.count": lambda row: float(row["number_outpatient"]),
        "stay_days.last": lambda row: float(row["time_in_hospital"]),
        "discharge": lambda row: _TO.get(row["discharge_disposition_id"]),
        "hba1c.last": lambda row: _HBA1C.get(row["A1Cresult"], math.nan),
        "earlier": lambda row: float(row["earlier"]),
        "within_30": lambda row: float(row["within_30"]),
    }
    for name, (_, ranges) in GROUPS.items():
        found_[f"{name}.there"] = lambda row, ranges=ranges: float(
            any(is_in(row[f"diag_{n}"], ranges) for n in (1, 2, 3))
        )
    for name, column in _MORE_NUMBERS.items():
        found_[name] = lambda row, column=column: float(row[column])
    for name, column in _MORE_CODES.items():
        found_[name] = lambda row, column=column: None if row[column] == "?" else row[column]
    for n in (1, 2, 3):
        found_[f"chapter_{n}"] = lambda row, n=n: chapter(row[f"diag_{n}"])
    return found_


def _groups(cases: Cases, rows: list[dict[str, str]]) -> list[tuple[str, np.ndarray]]:
    age = np.asarray(cases.columns["age"], dtype=float)
    race = np.asarray([None if row["race"] == "?" else row["race"] for row in rows], dtype=object)
    payer = {"MC": "Medicare", "MD": "Medicaid", "SP": "self-pay"}
    paid = np.asarray([payer.get(row["payer_code"]) for row in rows], dtype=object)
    return [
        *codes(cases.columns["sex"], "sex"), *bands(age, "age", [40, 60, 80]),
        *codes(race, "race"), *codes(paid, "payer"),
    ]  # fmt: skip
