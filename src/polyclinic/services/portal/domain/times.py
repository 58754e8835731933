"""Times in words: days, hours and time zones as people say them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from polyclinic.services.portal.domain.booking import Opening, Setup
from polyclinic.services.portal.domain.reading import DAYS, MONTHS, spoken

# The names by which people know these clocks; elsewhere the zone's own city is said.
_NAMES = {
    "America/New_York": "Eastern time",
    "America/Detroit": "Eastern time",
    "America/Chicago": "Central time",
    "America/Denver": "Mountain time",
    "America/Phoenix": "Arizona time",
    "America/Los_Angeles": "Pacific time",
    "America/Anchorage": "Alaska time",
    "Pacific/Honolulu": "Hawaii time",
}

# Far from the ends of the calendar, where the day before or after is an error.
PLANNED = range(1900, 2200)


def local(at: datetime, zone: str) -> datetime:
    return at.astimezone(ZoneInfo(zone))


def today_at(zone: str, now: datetime) -> date:
    """The date on the clinic's wall."""
    return local(now, zone).date()


def read_day(text: str) -> date | None:
    """A date out of a form or an address, of the years that a clinic plans in."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if found.year in PLANNED else None


def midnight(of: date, zone: str) -> datetime:
    return datetime(of.year, of.month, of.day, tzinfo=ZoneInfo(zone))


def zone_words(zone: str, at: datetime) -> str:
    """Eastern time (EST), Berlin time (CET)"""
    short = local(at, zone).tzname() or ""
    name = _NAMES.get(zone) or f"{zone.rpartition('/')[2].replace('_', ' ')} time"
    # Zones without letters of their own call themselves +03.
    return f"{name} ({short})" if short.isalpha() and short != "UTC" else name


def hour(at: datetime, zone: str) -> str:
    """9:40 am"""
    here = local(at, zone)
    return f"{here.hour % 12 or 12}:{here.minute:02} {'am' if here.hour < 12 else 'pm'}"


def hour_24(at: datetime, zone: str) -> str:
    """9:40, 14:05"""
    here = local(at, zone)
    return f"{here.hour}:{here.minute:02}"


def day(at: datetime, zone: str, today: date | None = None) -> str:
    """Tuesday 24 November; another year is said."""
    here = local(at, zone).date()
    return day_words(here, today)


def day_words(of: date, today: date | None = None) -> str:
    return spoken(of) if today is None or of.year == today.year else f"{spoken(of)} {of.year}"


def moment_words(at: datetime, zone: str, today: date | None = None) -> str:
    """Tuesday 24 November, 9:40 am"""
    return f"{day(at, zone, today)}, {hour(at, zone)}"


def short_moment(at: datetime, zone: str, today: date) -> str:
    """today 10:49; 21 Nov 10:49; 21 Nov 2025"""
    here = local(at, zone)
    if here.date() == today:
        return f"today {hour_24(at, zone)}"
    near = f"{here.day} {short_month(here.date())}"
    return f"{near} {hour_24(at, zone)}" if here.year == today.year else f"{near} {here.year}"


def short_day(of: date) -> str:
    """12 Nov 2026"""
    return f"{of.day} {short_month(of)} {of.year}"


def short_weekday(of: date) -> str:
    return DAYS[of.weekday()][:3]


def short_month(of: date) -> str:
    return MONTHS[of.month - 1][:3]


@dataclass(frozen=True, slots=True)
class Slot:
    """A time to choose."""

    opening: Opening
    time: str
    who: str
    where: str


@dataclass(frozen=True, slots=True)
class SlotDay:
    """The times of one day."""

    date: date
    words: str
    slots: tuple[Slot, ...]

    @property
    def brief(self) -> str:
        """Tue 24 Nov"""
        return f"{short_weekday(self.date)} {self.date.day} {short_month(self.date)}"


def slot_days(
    openings: Sequence[Opening],
    names: dict[str, str],
    zones: dict[str, str],
    today: date,
    *,
    once: bool = True,
    says: Callable[[datetime, str], str] = hour,
) -> list[SlotDay]:
    """Openings by day, soonest first; a time that several clinicians have is offered once."""
    by_day: dict[date, list[Slot]] = {}
    seen: set[tuple[datetime, str]] = set()
    for opening in sorted(openings, key=lambda o: (o.start, o.practitioner)):
        if once and (opening.start, opening.site) in seen:
            continue
        seen.add((opening.start, opening.site))
        zone = zones[opening.site]
        slot = Slot(opening, says(opening.start, zone), names[opening.practitioner], opening.site)
        by_day.setdefault(local(opening.start, zone).date(), []).append(slot)
    return [SlotDay(each, day_words(each, today), tuple(by_day[each])) for each in sorted(by_day)]


def read_opening(value: str, visit_type: str, setup: Setup) -> Opening | None:
    """The opening that a form's value says, whether it is still free or not."""
    start, _, rest = value.partition(" ")
    practitioner, _, site = rest.partition(" ")
    kind = setup.visit_type(visit_type)
    try:
        begins = datetime.fromisoformat(start)
    except ValueError:
        return None
    known = {c.practitioner for c in setup.clinicians}
    if kind is None or begins.tzinfo is None or practitioner not in known:
        return None
    if setup.site(site) is None:
        return None
    return Opening(begins, begins + timedelta(minutes=kind.minutes), practitioner, site, visit_type)
