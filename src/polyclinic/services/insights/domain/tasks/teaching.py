"""Learns a task from events, in a process of its own that reaches no network and no database.

Needs the extra `insights` (`domain/learning`); without it the answer is a refusal that says so.
"""

import importlib
import math
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
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
from polyclinic.services.insights.domain.tasks.membership import attacked, halves
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
    membership: float | None = None


class Step(msgspec.Struct, frozen=True):
    """How far it is, 0 to 100, and what it is at; with the last one what was learned."""

    percent: int
    words: str
    learnt: Learnt | None = None


def work() -> Callable[[bytes], bytes | None]:
    """For `foundation/aside`: from now on this process opens no connection and starts no other.

    It is asked with a lesson, and then with nothing until a step brings what was learned.
    """
    sys.addaudithook(_no_way_out)
    going: list[Iterator[Step]] = []

    def answer(content: bytes) -> bytes:
        if content:
            going[:] = [steps(msgspec.json.decode(content, type=Lesson))]
        return msgspec.json.encode(next(going[0]))

    return answer


def _no_way_out(event: str, _: tuple[Any, ...]) -> None:
    """An audit hook cannot be removed again. https://peps.python.org/pep-0578/"""
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto",
                 "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"):  # fmt: skip
        raise PermissionError("Learning has no way out.")


def steps(lesson: Lesson) -> Iterator[Step]:
    """Each step before it is done; the last one brings the model, or why there is none."""
    file = FOLDER / f"{lesson.task}.yaml"
    task = read_task(file.read_text(encoding="utf-8")[:BYTES_MAX], file.name)
    yield Step(10, "Asks the questions of the task")
    table = _Table(task, lesson.events)
    used = _used(task, table)
    parts = _too_little(table, used) or _parts()
    if isinstance(parts, Learnt):
        yield Step(100, "", parts)
        return
    yield from _fitted(lesson, task, (table, used, parts))


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


def _too_little(table: _Table, used: Sequence[str]) -> Learnt | None:
    needed = max(EVENTS_MIN, EVENTS_A_FEATURE * len(used))
    if len(table.rows) >= SAMPLES_MIN and table.events >= needed:
        return None
    return Learnt(
        refused=f"{len(table.rows)} questions with {table.events} outcomes are too few:"
        f" {SAMPLES_MIN} and {needed} are needed."
    )


def _parts() -> dict[str, Any] | Learnt:
    """What learning needs; a refusal where it is not installed."""
    try:
        return {
            name: importlib.import_module(f"{_LEARNING}.{name}")
            for name in ("cases", "fitting", "procedure", "shipping")
        }
    except ImportError:
        return Learnt(
            refused="Learning needs the extra `insights`: pip install polyclinic[insights]."
        )


def _used(task: Task, table: _Table) -> list[str]:
    """The features that differ among people: what is the same of all says nothing."""
    values: dict[str, set[Any]] = defaultdict(set)
    for row in table.rows:
        for name in task.columns:
            if row[name] is not None and len(values[name]) < 2:
                values[name].add(row[name])
    return [name for name in task.columns if len(values[name]) > 1]


def _fitted(
    lesson: Lesson, task: Task, known: tuple[_Table, list[str], dict[str, Any]]
) -> Iterator[Step]:
    table, used, parts = known
    numpy: Any = importlib.import_module("numpy")
    cases = _cases(task, used, table, (parts["cases"].Cases, numpy))
    learn, fit = parts["procedure"].across, parts["fitting"].splines

    def foretold(taught: Sequence[int], asked: Sequence[int]) -> list[Seen]:
        """What is said of some by what was learned of others."""
        learned = learn(cases.take(numpy.asarray(taught)), _SEED)(fit)
        said = learned.logits(cases.take(numpy.asarray(asked)))
        return _seen(table, asked, said)

    yield Step(20, "Learns from the older three quarters, and is asked about the newest")
    early, late = _split(table)
    seen = foretold(early, late)
    yield Step(45, "Is attacked: does it tell whom it learned from?")
    one, other = halves(table.persons, _SEED)
    members, strangers = foretold(one, one), foretold(one, other)
    members, strangers = members + foretold(other, other), strangers + foretold(other, one)
    yield Step(75, "Learns from everybody")
    learned = learn(cases, _SEED)(fit)
    chances = sorted(each.chance for each in _seen(table, range(len(cases)), learned.logits(cases)))
    naming = parts["shipping"].Naming(
        lesson.model, lesson.version, task.id, task.title, task.horizon.total_seconds() / 86_400
    )
    model = parts["shipping"].shipped(learned, naming, {})
    record = _record(task, table, seen, used)
    threshold = min(max(chances[int(len(chances) * 0.9)], 0.001), 0.999)
    told = attacked(members, strangers)
    yield Step(100, "", Learnt(models.dump(model).decode(), record, threshold, membership=told))


def _seen(table: _Table, places: Sequence[int], logits: Sequence[float]) -> list[Seen]:
    """Chances with what came, of whom it is known."""
    return [
        Seen(1 / (1 + math.exp(-float(logit))), table.labels[place].label)
        for place, logit in zip(places, logits, strict=True)
        if table.labels[place].weight
    ]


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
