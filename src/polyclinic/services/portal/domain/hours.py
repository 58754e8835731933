"""When a clinician is there on one day, by the rules of the clinic's week."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from polyclinic.services.portal.domain.booking import Clinician, Exceptional, Rule, Setup
from polyclinic.services.portal.domain.reading import DAYS

Span = tuple[datetime, datetime]


def hours_on(setup: Setup, clinician: Clinician, day: date, site: str) -> list[Span]:
    """The hours at a site, without those that were closed; in order."""
    place = setup.site(site)
    if place is None or any(h.date == day.isoformat() for h in place.holidays):
        return []
    weekday, written = DAYS[day.weekday()].lower(), day.isoformat()
    rules = [r for r in clinician.rules if r.weekday == weekday and r.site == site]
    usual = [r for r in rules if _holds(r, written)]
    differs = [e for e in clinician.exceptions if e.date == written]
    extra = [e for e in differs if e.kind == "extra" and e.site == site]
    open_ = _joined([_span(each, day, clinician.time_zone) for each in (*usual, *extra)])
    for closed in (e for e in differs if e.kind == "closed"):
        open_ = without(open_, _span(closed, day, clinician.time_zone))
    return open_


def without(spans: list[Span], taken: Span) -> list[Span]:
    """What is left of spans once one is taken out of them."""
    left: list[Span] = []
    for start, end in spans:
        left += [(start, min(end, taken[0])), (max(start, taken[1]), end)]
    return [(start, end) for start, end in left if start < end]


def _holds(rule: Rule, written: str) -> bool:
    # Dates of the form 2026-11-24 compare like the days they say.
    return (rule.valid_from or "") <= written <= (rule.valid_until or "9999")


def _span(hours: Rule | Exceptional, day: date, zone: str) -> Span:
    return _at(hours.opens, day, zone), _at(hours.to, day, zone)


def _at(clock: str, day: date, zone: str) -> datetime:
    hours, _, minutes = clock.partition(":")
    days, hour = divmod(int(hours), 24)
    on = day + timedelta(days=days)
    return datetime(on.year, on.month, on.day, hour, int(minutes), tzinfo=ZoneInfo(zone))


def _joined(spans: list[Span]) -> list[Span]:
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined
