"""What a chart's Encounters say of hospital stays and of visits to the emergency department."""

from datetime import datetime, timedelta

from polyclinic.services.insights.domain.charts.chart import Chart
from polyclinic.services.insights.domain.charts.facts import Found, Lack, Used
from polyclinic.services.insights.domain.charts.inputs import Input
from polyclinic.services.insights.domain.charts.resources import Stay

_INPATIENT = ("IMP", "ACUTE", "NONAC")
_URGENT = ("emd",)  # admit-source: from the hospital's own emergency department
_PLANNED = ("gp", "mp", "outp", "nursing", "psych", "rehab", "born")


def find_stay(chart: Chart, wanted: Input, at: datetime) -> Found | Lack:
    """The last hospital stay: its days (unit `d`), or else whether it began as an emergency.

    One that ended before the look-back says nothing any more, and one that is over without an end
    has no length.
    """
    stay = _last_stay(chart, at)
    if stay is None:
        return _lack(wanted, "no hospital stay is recorded")
    left = _left(stay, at)
    if wanted.look_back_days is not None and left < at - timedelta(days=wanted.look_back_days):
        return _lack(wanted, f"the last stay is of {left.date()}, too old", stay.reference)
    if wanted.unit:
        if stay.over and stay.end is None:
            return _lack(wanted, "when the stay ended is not recorded", stay.reference)
        days = float((left.date() - stay.start.date()).days)
        return Found(days, (_used(wanted, stay, days, None),))
    if stay.came in (*_URGENT, *_PLANNED):
        urgent = stay.came in _URGENT
        return Found(urgent, (_used(wanted, stay, None, "yes" if urgent else "no"),))
    return _lack(wanted, "how the patient came is not recorded", stay.reference)


def find_visits(chart: Chart, wanted: Input, at: datetime) -> Found | Lack:
    """How often in the emergency department within the look-back, before the last stay began.

    A visit that led to the stay itself is part of it, and not counted.
    """
    stay = _last_stay(chart, at)
    if stay is None:
        return _lack(wanted, "no hospital stay is recorded")
    first = stay.start - timedelta(days=wanted.look_back_days or 0)
    came = [
        each
        for each in chart.stays
        if each.kind == "EMER" and first <= each.start < stay.start and not _led_to(each, stay)
    ]
    used = tuple(_used(wanted, each, 1.0, None) for each in came)
    none = Used(wanted.name, 0.0, None, wanted.unit, None, "", assumed=True)
    return Found(float(len(came)), used or (none,))


def _led_to(visit: Stay, stay: Stay) -> bool:
    """The patient went on to the ward within six hours, or the visit's end is not recorded."""
    return (visit.end or visit.start) >= stay.start - timedelta(hours=6)


def _left(stay: Stay, at: datetime) -> datetime:
    """When it ended, or now while it lasts; its start, where it is over without an end."""
    if stay.end is not None:
        return min(stay.end, at)
    return stay.start if stay.over else at


def _last_stay(chart: Chart, at: datetime) -> Stay | None:
    stays = (each for each in chart.stays if each.kind in _INPATIENT and each.start <= at)
    return next(stays, None)


def _used(wanted: Input, stay: Stay, number: float | None, code: str | None) -> Used:
    return Used(wanted.name, number, code, wanted.unit, stay.start, stay.reference, stay.version)


def _lack(wanted: Input, why: str, reference: str = "") -> Lack:
    return Lack(wanted.name, wanted.words, wanted.codes.shown(), why, reference)
