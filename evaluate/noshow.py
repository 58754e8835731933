"""Who will not come: Kaggle's appointments of Vitória, May 2016. Never shipped: CC BY-NC-SA."""

import csv
import io
import zipfile
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from evaluate.study import SEED, Goal, Round, Study, bands, codes, found, hashes
from polyclinic.services.insights.domain.learning.cases import Cases
from polyclinic.services.insights.domain.learning.fitting import (
    base_rate,
    boosted,
    splines,
    trees,
    twofold,
)
from polyclinic.services.insights.domain.learning.judging import Use
from polyclinic.services.insights.domain.learning.splitting import by_chance, by_time
from polyclinic.services.insights.domain.models import Feature

FILE = "noshow_KaggleV2-May-2016.csv.zip"
_FLAGS = ("Scholarship", "Hipertension", "Diabetes", "Alcoholism", "Handcap", "SMS_received")
_FEATURES = (
    Feature("age", "number", "Age", "a"),
    Feature("sex", "code", "Sex"),
    Feature("lead_days", "number", "Days between booking and visit", "d"),
    Feature("weekday", "number", "Day of the week", "1"),
    Feature("booked_hour", "number", "Hour of booking", "h"),
    *(Feature(name.lower(), "number", name, "1") for name in _FLAGS),
    Feature("missed.count", "number", "Visits missed before", "1"),
    Feature("past.count", "number", "Visits before", "1"),
    Feature("missed.share", "number", "Share of visits missed before", "1"),
    Feature("same_day", "number", "Visits booked for the same day", "1"),
    Feature("booked.count", "number", "Bookings before this one", "1"),
)
# For the simplest comparison: what a clerk knows.
_LEAD = ("lead_days", "age")
_CANDIDATES = {
    "base rate": base_rate,
    "lead and age": lambda given: splines(given.only(*_LEAD)),
    "splines": splines,
    "boosted": boosted(0),
    "trees of two questions": twofold,
    "trees": trees,
}
# Chosen on the days before those that are asked (docs/reference/evaluation.md).
_DAYS_OF_WINDOW, _DAYS_ASKED = 3, 2


def build(folder: Path) -> list[Study]:
    file = found(folder, FILE)
    cases, lead = read(file)
    once = Round(*by_time(cases, (0.6, 0.15, 0.25)))
    age = np.asarray(cases.columns["age"], dtype=float)
    common = {
        "cases": cases,
        "data": hashes(file),
        "use": Use((0.15, 0.2, 0.3), 0.1),
        "apart": _same_day,
    }
    temporal = [
        Study(
            id="no-show", title="Missed visit, temporal",
            split="newest 25 % of days asked, two days at a time: calibrated on the three days "
            "before them, learned from all before those",
            reference="0.732 all, 0.600 with lead > 0 (HGB)",
            rounds=_rolling(cases, once.ask), candidates=_CANDIDATES,
            goals=[
                Goal("AUROC, all", "best", "auroc", "all", 0.73),
                Goal("AUROC, lead > 0", "best", "auroc", "lead > 0", 0.59),
                Goal("ECE, all", "best", "ece", "all", 0.012, at_least=False),
                Goal("ECE, lead > 0", "best", "ece", "lead > 0", 0.012, at_least=False),
            ],
            subsets={"lead > 0": lead > 0},
            groups=[*codes(cases.columns["sex"], "sex"), *bands(age, "age", [18, 40, 65])],
            notes=["No weights are shipped (CC BY-NC-SA 4.0): a clinic learns from its own events.",
                   "27 days of one city; a third is booked for the same day and hardly missed: "
                   "with lead > 0 is where one can act.",
                   "Fewer and fewer were missed while these weeks went by, so a calibration ages "
                   "within days. Visits of the same day are calibrated apart (which gives even "
                   "the base rate two values)."],
            **common,
        )
    ]  # fmt: skip
    by_luck = Round(*by_chance(cases, (0.6, 0.15, 0.25), SEED))
    return [*temporal, _once(once, lead, common), _by_chance(by_luck, lead, common)]


def _same_day(cases: Cases) -> np.ndarray:
    return np.asarray(cases.columns["lead_days"], dtype=float) == 0


def _rolling(cases: Cases, ask: np.ndarray) -> list[Round]:
    """As a clinic does that learns anew every second day."""
    days = np.unique(cases.time)
    asked = np.unique(cases.time[ask])
    found_: list[Round] = []
    for some in (asked[n : n + _DAYS_ASKED] for n in range(0, len(asked), _DAYS_ASKED)):
        window = np.isin(cases.time, days[days < some[0]][-_DAYS_OF_WINDOW:])
        before = (cases.time < some[0]) & ~window
        found_.append(Round(before, window, np.isin(cases.time, some)))
    return found_


def _once(once: Round, lead: np.ndarray, common: dict[str, Any]) -> Study:
    return Study(
        id="no-show-once", title="Missed visit, temporal, learned and calibrated once",
        split="newest 25 % of days asked, 15 % before them for calibration",
        reference="0.732 all, 0.600 with lead > 0 (HGB)", rounds=[once],
        candidates={"splines": splines, "trees": trees}, goals=[],
        subsets={"lead > 0": lead > 0}, groups=[],
        notes=["To show what is lost if nobody learns anew."], **common,
    )  # fmt: skip


def _by_chance(once: Round, lead: np.ndarray, common: dict[str, Any]) -> Study:
    return Study(
        id="no-show-random", title="Missed visit, split by chance (flatters)",
        split="the same shares by chance", reference="0.745 (HGB)",
        rounds=[once], candidates={"trees": trees}, goals=[],
        subsets={"lead > 0": lead > 0}, groups=[],
        notes=["Only to show how much a split by chance flatters."], **common,
    )  # fmt: skip


def read(file: Path) -> tuple[Cases, np.ndarray]:
    """The cases and the days of lead; a lead or an age below 0 is left out."""
    with zipfile.ZipFile(file) as packed, packed.open(packed.namelist()[0]) as opened:
        every = list(csv.DictReader(io.TextIOWrapper(opened, "utf-8")))
    rows = [row for row in map(_row, every) if row["lead_days"] >= 0 and row["age"] >= 0]
    rows.sort(key=lambda row: (row["booked"], row["id"]))
    _history(rows)
    columns = {each.name: _column(rows, each) for each in _FEATURES}
    persons = {name: n for n, name in enumerate(sorted({row["person"] for row in rows}))}
    cases = Cases(
        _FEATURES,
        columns,
        np.asarray([row["missed"] for row in rows], dtype=np.int64),
        np.ones(len(rows)),
        np.asarray([persons[row["person"]] for row in rows], dtype=np.int64),
        np.asarray([float(row["day"]) for row in rows]),
    )
    return cases, np.asarray(columns["lead_days"], dtype=float)


def _column(rows: list[dict], feature: Feature) -> np.ndarray:
    kind = object if feature.kind == "code" else float
    return np.asarray([row[feature.name] for row in rows], dtype=kind)


def _row(said: dict[str, str]) -> dict:
    booked = datetime.fromisoformat(said["ScheduledDay"].removesuffix("Z"))
    visit = datetime.fromisoformat(said["AppointmentDay"].removesuffix("Z"))
    return {
        "id": int(said["AppointmentID"]), "person": said["PatientId"], "booked": booked,
        "visit": visit, "day": visit.toordinal(), "age": float(said["Age"]),
        "sex": "female" if said["Gender"] == "F" else "male",
        "lead_days": float(visit.toordinal() - booked.toordinal()),
        "weekday": float(visit.weekday()), "booked_hour": float(booked.hour),
        "missed": int(said["No-show"] == "Yes"),
        **{name.lower(): float(said[name]) for name in _FLAGS},
    }  # fmt: skip


def _history(rows: list[dict]) -> None:
    """What was known on the morning of the visit: visits of earlier days, bookings made before."""
    by_person: dict[str, list[dict]] = defaultdict(list)
    for row in rows:  # in the order of booking
        by_person[row["person"]].append(row)
    for own in by_person.values():
        ahead = Counter(row["day"] for row in own if row["booked"] < row["visit"])
        order: Counter[int] = Counter()
        for number, row in enumerate(own):
            order[row["day"]] += 1
            past = [each["missed"] for each in own if each["day"] < row["day"]]
            row["missed.count"], row["past.count"] = float(sum(past)), float(len(past))
            row["missed.share"] = sum(past) / len(past) if past else np.nan
            row["same_day"] = float(max(ahead[row["day"]], order[row["day"]]))
            row["booked.count"] = float(number)
