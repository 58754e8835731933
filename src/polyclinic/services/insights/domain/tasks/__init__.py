"""What is to be foretold, as YAML; and what was known when, as numbers.

    task = tasks()["readmission-30d"]
    for sample in samples(task, events):          # one subject's events
        row = features(task, Timeline(events), sample.index)
    weights = ipcw(samples, horizon)              # people who left count by those who stayed

Nothing that became known after the index time reaches a feature.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from polyclinic.services.insights.domain.tasks.censoring import Weighted, ipcw, weighted
from polyclinic.services.insights.domain.tasks.cohort import Sample, asked, came, opening, samples
from polyclinic.services.insights.domain.tasks.reading import FOLDER, read_task
from polyclinic.services.insights.domain.tasks.task import Feature, Moment, Task
from polyclinic.services.insights.domain.tasks.windows import Timeline, basis, features

__all__ = [
    "Feature",
    "Moment",
    "Sample",
    "Task",
    "Timeline",
    "Weighted",
    "asked",
    "basis",
    "came",
    "features",
    "ipcw",
    "opening",
    "read_task",
    "samples",
    "tasks",
    "weighted",
]  # fmt: skip


@cache
def tasks() -> Mapping[str, Task]:
    """All tasks by id; raises Invalid, with the file and the place, for a bad one."""
    files = sorted(FOLDER.glob("*.yaml"))
    read = (read_task(file.read_text(encoding="utf-8"), file.name) for file in files)
    return MappingProxyType({each.id: each for each in read})
