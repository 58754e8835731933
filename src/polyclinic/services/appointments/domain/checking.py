"""What is wrong with a set-up, each fault with its place: `clinicians[2].rules[0].to`."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from zoneinfo import available_timezones

from polyclinic.foundation.errors import Issue, NotProcessable
from polyclinic.services.appointments.domain.atoms import MINUTES
from polyclinic.services.appointments.domain.setup import (
    Clinician,
    Exceptional,
    Rule,
    Setup,
    VisitType,
    minutes_of,
)

CAPACITY_MAX = 200
ISSUES_MAX = 50
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)
_PRACTITIONER = re.compile(r"Practitioner/[A-Za-z0-9.-]{1,64}", re.ASCII)
_LOCATION = re.compile(r"Location/[A-Za-z0-9.-]{1,64}", re.ASCII)

Faults = Iterator[Issue]


class SetupRefused(NotProcessable):
    """The set-up has faults; nothing of it was taken."""


def check(setup: Setup) -> None:
    """Raises SetupRefused with every fault, up to fifty."""
    issues = [*_visit_types(setup), *_sites(setup), *_clinicians(setup)]
    if issues:
        raise SetupRefused(place=issues[0].place, issues=tuple(issues[:ISSUES_MAX]))


def _fault(place: str, text: str) -> Issue:
    return Issue(text, place)


def _named(what: str, ids: Sequence[str], shape: re.Pattern[str] = _ID) -> Faults:
    field = "practitioner" if what == "clinicians" else "id"
    twice = {name for name, count in Counter(ids).items() if count > 1}
    for n, name in enumerate(ids):
        if not shape.fullmatch(name):
            yield _fault(f"{what}[{n}].{field}", "This is not an id that can be used here.")
        elif name in twice:
            yield _fault(f"{what}[{n}].{field}", "This stands here more than once.")


def _visit_types(setup: Setup) -> Faults:
    yield from _named("visit_types", [each.id for each in setup.visit_types])
    kinds = {room.kind for room in setup.rooms}
    for n, each in enumerate(setup.visit_types):
        for field, text in _visit_type(each, kinds):
            yield _fault(f"visit_types[{n}].{field}", text)


def _visit_type(each: VisitType, kinds: set[str]) -> Iterator[tuple[str, str]]:
    limits = {
        "minutes": (MINUTES, 12 * 60, True),
        "before": (0, 4 * 60, True),
        "after": (0, 4 * 60, True),
        "every": (MINUTES, 12 * 60, True),
        "notice_minutes": (0, 60 * 24 * 60, False),
        "horizon_days": (1, 730, False),
        "capacity": (1, CAPACITY_MAX, False),
    }
    if not each.name.strip():
        yield "name", "A visit type needs a name."
    for field, (low, high, whole) in limits.items():
        value: int = getattr(each, field)
        if not low <= value <= high:
            yield field, f"This must be from {low} to {high}."
        elif whole and value % MINUTES:
            yield field, f"Minutes go in steps of {MINUTES}."
    if each.room_kind is not None and each.room_kind not in kinds:
        yield "room_kind", "There is no room of this kind."
    if each.room_kind is not None and each.capacity > 1:
        yield "room_kind", "A shared visit has its place by its site; it takes no room of a kind."


def _sites(setup: Setup) -> Faults:
    zones = available_timezones()
    yield from _named("sites", [each.id for each in setup.sites])
    for n, each in enumerate(setup.sites):
        if each.time_zone not in zones:
            yield _fault(f"sites[{n}].time_zone", "This is not an IANA time zone.")
        if each.location is not None and not _LOCATION.fullmatch(each.location):
            yield _fault(f"sites[{n}].location", "A location is written Location/id.")
    yield from _named("rooms", [each.id for each in setup.rooms])
    known = {site.id for site in setup.sites}
    for n, room in enumerate(setup.rooms):
        if room.site not in known:
            yield _fault(f"rooms[{n}].site", "There is no such site.")


def _clinicians(setup: Setup) -> Faults:
    zones = available_timezones()
    yield from _named("clinicians", [c.practitioner for c in setup.clinicians], _PRACTITIONER)
    for n, each in enumerate(setup.clinicians):
        if each.time_zone not in zones:
            yield _fault(f"clinicians[{n}].time_zone", "This is not an IANA time zone.")
        for field, text in _hours(each, setup):
            yield _fault(f"clinicians[{n}].{field}", text)


def _hours(clinician: Clinician, setup: Setup) -> Iterator[tuple[str, str]]:
    types = {each.id for each in setup.visit_types}
    sites = {each.id for each in setup.sites}
    for n, rule in enumerate(clinician.rules):
        place = f"rules[{n}]"
        yield from _times(place, rule)
        yield from _offered(place, rule.visit_types, types)
        if rule.site not in sites:
            yield f"{place}.site", "There is no such site."
        if rule.valid_from and rule.valid_until and rule.valid_until < rule.valid_from:
            yield f"{place}.valid_until", "The rule would end before it begins."
    for n, each in enumerate(clinician.exceptions):
        place = f"exceptions[{n}]"
        yield from _times(place, each)
        if each.kind == "extra":
            yield from _offered(place, each.visit_types, types)
            if each.site not in sites:
                yield f"{place}.site", "There is no such site."
    yield from _overlaps("rules", clinician.rules, _share_a_week)
    extra = [each for each in clinician.exceptions if each.kind == "extra"]
    yield from _overlaps("exceptions", extra, lambda a, b: a.date == b.date)


def _times(place: str, hours: Rule | Exceptional) -> Iterator[tuple[str, str]]:
    found: list[int] = []
    for field, clock in (("from", hours.opens), ("to", hours.to)):
        try:
            minutes = minutes_of(clock)
        except ValueError:
            yield f"{place}.{field}", "A time is written 09:30."
            continue
        found.append(minutes)
        if minutes % MINUTES:
            yield f"{place}.{field}", f"Times go in steps of {MINUTES} minutes."
    if len(found) == 2 and found[0] >= found[1]:
        yield f"{place}.to", "The hours end before they begin; a night is two rules."


def _offered(place: str, visit_types: Iterable[str], known: set[str]) -> Iterator[tuple[str, str]]:
    for n, name in enumerate(visit_types):
        if name not in known:
            yield f"{place}.visit_types[{n}]", "There is no such visit type."
    if not visit_types:
        yield f"{place}.visit_types", "Hours offer at least one visit type."


def _overlaps(
    what: str, listed: Sequence[Rule | Exceptional], same: "Callable[..., bool]"
) -> Iterator[tuple[str, str]]:
    """At one moment somebody is at one site."""
    for n, one in enumerate(listed):
        for other in listed[:n]:
            if one.site != other.site and same(one, other) and _cross(one, other):
                yield f"{what}[{n}].site", "At this time the clinician is at another site."
                break


def _cross(one: Rule | Exceptional, other: Rule | Exceptional) -> bool:
    # Texts of the form 09:30 compare like the times they say.
    return one.opens < other.to and other.opens < one.to


def _share_a_week(one: Rule, other: Rule) -> bool:
    if one.weekday != other.weekday:
        return False
    early = one.valid_until and other.valid_from and one.valid_until < other.valid_from
    late = other.valid_until and one.valid_from and other.valid_until < one.valid_from
    return not early and not late
