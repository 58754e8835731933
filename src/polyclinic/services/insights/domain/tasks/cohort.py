"""Whom a task asks about, when, and what became of them, from one subject's events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from polyclinic.services.insights.domain.tasks.task import Criterion, Moment, Task
from polyclinic.services.insights.domain.tasks.windows import Timeline, meets

_YEAR = timedelta(days=365.25)


@dataclass(frozen=True, slots=True)
class Sample:
    """One question: asked at `index` because of `trigger`.

    `follow_up` is how long the subject was seen from the index on, at most the horizon; `event`
    whether the outcome ended it. A competing event (death) is no outcome and followed to the end.
    """

    index: datetime
    trigger: Moment
    follow_up: timedelta
    event: bool


def samples(task: Task, events: Sequence[Moment], until: datetime | None = None) -> list[Sample]:
    """The questions that a task asks of one subject, in order.

    `until` is when observation ended; without it, the last thing known of the subject.
    """
    timeline = Timeline(events)
    end = until or max((each.known_at for each in events), default=None)
    if end is None:
        return []
    found: list[Sample] = []
    for trigger in timeline.of(task.trigger.codes):
        index = trigger.time + task.index_offset
        if not meets(trigger, task.trigger) or index > end or trigger.known_at > index:
            continue
        if _too_soon(task, found, index) or not _eligible(task, timeline, index):
            continue
        found.append(_followed(task, timeline, trigger, end))
        if task.pick == "first":
            break
    return found


def asked(task: Task, events: Sequence[Moment], at: datetime) -> Moment | None:
    """The trigger of the question that is open at a moment: the last one whose time is not over."""
    timeline = Timeline(events)
    for trigger in reversed(timeline.of(task.trigger.codes)):
        index = trigger.time + task.index_offset
        if index + task.horizon <= at:
            return None
        known = trigger.known_at <= index <= at and meets(trigger, task.trigger)
        if known and _eligible(task, timeline, index):
            return trigger
    return None


def opening(task: Task, events: Sequence[Moment], at: datetime) -> datetime | None:
    """When the next question about something that is planned opens; none where none will."""
    indexes = (
        trigger.time + task.index_offset
        for trigger in Timeline(events).of(task.trigger.codes)
        if trigger.known_at <= at and meets(trigger, task.trigger)
    )
    return min((index for index in indexes if index > at), default=None)


def came(task: Task, events: Sequence[Moment], index: datetime) -> bool:
    """Whether these events say that the outcome came after the index within its time."""
    first, last = index + task.gap, index + task.horizon
    return _first(task.outcome, Timeline(events), first, last) is not None


def _too_soon(task: Task, found: Sequence[Sample], index: datetime) -> bool:
    return task.pick == "yearly" and bool(found) and index - found[-1].index < _YEAR


def _eligible(task: Task, timeline: Timeline, index: datetime) -> bool:
    """Decided by what was known at the index, as it will be when it is asked in earnest."""
    born = timeline.known(("MEDS_BIRTH",), index, None)
    if not born or not task.age_min <= (index - born[-1].time) / _YEAR < task.age_max:
        return False
    if task.history_days and not _has_history(task, timeline, index):
        return False
    if task.needs and not any(_met(timeline, each, index, None) for each in task.needs):
        return False
    return not any(
        _met(timeline, each.criterion, index, each.within_days) for each in task.exclusions
    )


def _met(timeline: Timeline, criterion: Criterion, index: datetime, days: int | None) -> bool:
    known = timeline.known(criterion.codes, index, days)
    return any(meets(event, criterion) for event in known)


def _has_history(task: Task, timeline: Timeline, index: datetime) -> bool:
    """Something was known so long ago that `nothing in the look-back` means something."""
    codes = (*task.trigger.codes, *(code for each in task.features for code in each.codes))
    first = index - timedelta(days=task.history_days)
    return bool(timeline.known(codes, first, None))


def _followed(task: Task, timeline: Timeline, trigger: Moment, end: datetime) -> Sample:
    index = trigger.time + task.index_offset
    first = _first(task.outcome, timeline, index + task.gap, index + task.horizon)
    if first is not None and first <= end:
        return Sample(index, trigger, first - index, event=True)
    competing = _first(task.competing, timeline, index, index + task.horizon)
    if competing is not None and competing <= end:
        return Sample(index, trigger, task.horizon, event=False)
    return Sample(index, trigger, min(end - index, task.horizon), event=False)


def _first(
    criteria: Sequence[Criterion], timeline: Timeline, after: datetime, until: datetime
) -> datetime | None:
    """When the first of these was known, after the one moment and not after the other."""
    times = (
        event.known_at
        for criterion in criteria
        for event in timeline.of(criterion.codes)
        if after < event.known_at <= until and meets(event, criterion)
    )
    return min(times, default=None)
