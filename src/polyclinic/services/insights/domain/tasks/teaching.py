"""Learns a task from events, in a process of its own that reaches no network and no database.

Needs the extra `insights` (`domain/learning`); without it the answer is a refusal that says so.
"""

import importlib
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import msgspec

from polyclinic.services.insights.domain import models
from polyclinic.services.insights.domain.life.measures import (
    Seen,
    brier,
    calibration,
    observed_over_expected,
)
from polyclinic.services.insights.domain.models import Feature
from polyclinic.services.insights.domain.tasks.censoring import weighted
from polyclinic.services.insights.domain.tasks.cohort import Sample, samples
from polyclinic.services.insights.domain.tasks.reading import BYTES_MAX, FOLDER, read_task
from polyclinic.services.insights.domain.tasks.task import Task
from polyclinic.services.insights.domain.tasks.windows import Timeline, features

# As many outcomes for each feature are asked for as is usual (10), and some in any case.
EVENTS_MIN, SAMPLES_MIN, EVENTS_A_FEATURE = 50, 500, 10
_HELD_BACK = 0.25
_SEED = 1
_LEARNING = "polyclinic.services.insights.domain.learning"
_CODES = ("sex",)


class Said(msgspec.Struct, frozen=True, array_like=True):
    """An event as it is sent: subjects are numbers, and mean nothing outside."""

    subject: int
    time: datetime
    known_at: datetime
    code: str
    value: float | None
    unit: str


class Lesson(msgspec.Struct, frozen=True):
    """What is to be learned, and of what: events in the order of subjects."""

    task: str
    model: str
    version: str
    events: list[Said]


class Learnt(msgspec.Struct, frozen=True):
    """The model (a text of JSON) with what is known of it; or why there is none."""

    model: str = ""
    record: dict[str, str] = {}
    threshold: float = 1.0
    refused: str = ""


def work() -> Callable[[bytes], bytes | None]:
    """For `foundation/aside`: from now on this process opens no connection and starts no other."""
    sys.addaudithook(_no_way_out)
    return taught


def _no_way_out(event: str, _: tuple[Any, ...]) -> None:
    """An audit hook cannot be removed again. https://peps.python.org/pep-0578/"""
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto",
                 "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"):  # fmt: skip
        raise PermissionError("Learning has no way out.")


def taught(content: bytes) -> bytes:
    lesson = msgspec.json.decode(content, type=Lesson)
    file = FOLDER / f"{lesson.task}.yaml"
    task = read_task(file.read_text(encoding="utf-8")[:BYTES_MAX], file.name)
    return msgspec.json.encode(_learnt(lesson, task))


class _Table:
    """Rows with a label, a weight, a person and a time each, in the order of time."""

    def __init__(self, task: Task, events: Sequence[Said]) -> None:
        found: list[tuple[Sample, int, dict[str, float | str | None]]] = []
        for subject, group in groupby(events, key=lambda each: each.subject):
            known = list(group)
            timeline = Timeline(known)
            for sample in samples(task, known):
                row = features(task, timeline, sample.index, sample.trigger)
                found.append((sample, subject, row))
        found.sort(key=lambda each: each[0].index)
        self.rows = [row for _, _, row in found]
        self.persons = [person for _, person, _ in found]
        self.times = [sample.index.timestamp() for sample, _, _ in found]
        self.labels = weighted(task, [sample for sample, _, _ in found])

    @property
    def events(self) -> int:
        return sum(each.label for each in self.labels if each.weight)


def _learnt(lesson: Lesson, task: Task) -> Learnt:
    table = _Table(task, lesson.events)
    used = _used(task, table)
    needed = max(EVENTS_MIN, EVENTS_A_FEATURE * len(used))
    if len(table.rows) < SAMPLES_MIN or table.events < needed:
        return Learnt(
            refused=f"{len(table.rows)} questions with {table.events} outcomes are too few:"
            f" {SAMPLES_MIN} and {needed} are needed."
        )
    try:
        parts = {
            name: importlib.import_module(f"{_LEARNING}.{name}")
            for name in ("cases", "fitting", "procedure", "shipping")
        }
    except ImportError:
        return Learnt(
            refused="Learning needs the extra `insights`: pip install polyclinic[insights]."
        )
    return _fitted(lesson, task, (table, used, parts))


def _used(task: Task, table: _Table) -> list[str]:
    """The features that differ among people: what is the same of all says nothing."""
    values: dict[str, set[Any]] = defaultdict(set)
    for row in table.rows:
        for name in task.columns:
            if row[name] is not None and len(values[name]) < 2:
                values[name].add(row[name])
    return [name for name in task.columns if len(values[name]) > 1]


def _fitted(lesson: Lesson, task: Task, known: tuple[_Table, list[str], dict[str, Any]]) -> Learnt:
    table, used, parts = known
    numpy: Any = importlib.import_module("numpy")
    cases = _cases(task, used, table, (parts["cases"].Cases, numpy))
    learn, fit = parts["procedure"].across, parts["fitting"].splines
    early, late = _split(table)
    tried = learn(cases.take(numpy.asarray(early)), _SEED)(fit)
    said = tried.logits(cases.take(numpy.asarray(late)))
    seen = [
        Seen(1 / (1 + float(numpy.exp(-logit))), table.labels[place].label)
        for place, logit in zip(late, said, strict=True)
        if table.labels[place].weight
    ]
    learned = learn(cases, _SEED)(fit)
    chances = sorted(1 / (1 + float(numpy.exp(-each))) for each in learned.logits(cases))
    naming = parts["shipping"].Naming(
        lesson.model, lesson.version, task.id, task.title, task.horizon.total_seconds() / 86_400
    )
    model = parts["shipping"].shipped(learned, naming, {})
    record = _record(task, table, seen, used)
    threshold = min(max(chances[int(len(chances) * 0.9)], 0.001), 0.999)
    return Learnt(models.dump(model).decode(), record, threshold)


def _cases(task: Task, used: Sequence[str], table: _Table, made_of: tuple[Any, Any]) -> Any:
    cases, numpy = made_of
    columns = {
        name: numpy.asarray([row[name] for row in table.rows], dtype=object)
        if name in _CODES
        else numpy.asarray(
            [numpy.nan if row[name] is None else row[name] for row in table.rows], dtype=float
        )
        for name in used
    }
    units = {f"{each.name}.{part}": each.unit for each in task.features for part in each.of}
    named = tuple(
        Feature(
            name, "code" if name in _CODES else "number", name.replace(".", ", "),
            units.get(name, "") if name.endswith((".last", ".mean")) else "",
        )
        for name in used
    )  # fmt: skip
    return cases(
        features=named,
        columns=columns,
        label=numpy.asarray([each.label for each in table.labels], dtype=numpy.int64),
        weight=numpy.asarray([each.weight for each in table.labels], dtype=float),
        person=numpy.asarray(table.persons, dtype=numpy.int64),
        time=numpy.asarray(table.times, dtype=float),
    )


def _split(table: _Table) -> tuple[list[int], list[int]]:
    """The newest quarter is asked about; whoever is in it teaches nothing."""
    cut = int(len(table.rows) * (1 - _HELD_BACK))
    late = list(range(cut, len(table.rows)))
    asked = {table.persons[place] for place in late}
    return [place for place in range(cut) if table.persons[place] not in asked], late


def _record(task: Task, table: _Table, seen: Sequence[Seen], used: Sequence[str]) -> dict[str, str]:
    """What can be said by itself; the rest is for people to add."""
    fit, ratio = calibration(seen), observed_over_expected(seen)
    slope = f"{fit.slope:.2f}" if fit else "not known"
    people = len(set(table.persons))
    today = datetime.fromtimestamp(table.times[-1], UTC).year
    return {
        "title": task.title,
        "output": f"The chance, 0 to 1, within {task.horizon.days} days.",
        "output_kind": "Prediction.",
        "outcome": f"As the task {task.id} {task.version} defines it.",
        "predictors": ", ".join(used),
        "model_type": "Logistic regression on splines, additive.",
        "methods": "Splines with an L2 penalty; Platt's calibration across persons.",
        "splits": "The newest quarter held back, nobody of it among those who teach.",
        "missing_data": "A value that is missing has a weight of its own.",
        "training_data": f"This clinic's own events, de-identified; the last of (moved) {today}.",
        "participants": f"{people} people, {len(table.rows)} questions.",
        "sample_size": f"{len(table.rows)} questions, {table.events} outcomes.",
        "validity_internal": f"{len(seen)} questions of the newest quarter: Brier score"
        f" {brier(seen):.3f}, calibration slope {slope}, observed over expected {ratio or 0:.2f}.",
        "foundation_models": "None.",
    }
