"""Reading FHIR JSON that may lack anything: texts, codings, dates, names, addresses."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

Resource = Mapping[str, Any]

LOINC = "http://loinc.org"
ABSENT = frozenset({"entered-in-error"})
_DATE = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?")
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

# SNOMED CT writes the kind of a concept behind its name.
TAG = re.compile(
    r"\s*\((disorder|finding|situation|person|procedure|event|regime/therapy|morphologic "
    r"abnormality|substance|organism|product|observable entity|environment|qualifier value)\)$"
)


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """A date as exact as it was written: a year, a month or a day; `sort` keeps the time too."""

    sort: str
    year: int
    month: int | None = None
    day: int | None = None

    @property
    def text(self) -> str:
        """12 November 2026"""
        month = MONTHS[self.month - 1] if self.month else None
        return " ".join(str(part) for part in (self.day, month, self.year) if part)

    @property
    def short(self) -> str:
        """12 Nov 2026"""
        month = MONTHS[self.month - 1][:3] if self.month else None
        return " ".join(str(part) for part in (self.day, month, self.year) if part)

    @property
    def brief(self) -> str:
        """Nov 2026"""
        month = MONTHS[self.month - 1][:3] if self.month else None
        return f"{month} {self.year}" if month else str(self.year)

    @property
    def iso(self) -> str:
        """2026-11-12, for `<time datetime>`"""
        parts = (
            f"{self.year:04}",
            self.month and f"{self.month:02}",
            self.day and f"{self.day:02}",
        )
        return "-".join(part for part in parts if part)

    @property
    def first_day(self) -> date:
        return date(self.year, self.month or 1, self.day or 1)


def moment(text: object) -> Moment | None:
    """The date of a FHIR date or dateTime, in the offset in which it was written."""
    found = _DATE.match(text) if isinstance(text, str) else None
    if found is None or not isinstance(text, str):
        return None
    year, month, day = (int(part) if part else None for part in found.groups())
    try:
        date(year or 0, month or 1, day or 1)
    except ValueError:
        return None
    return Moment(text, year or 0, month, day)


def spoken(day: date) -> str:
    """Tuesday 24 November"""
    return f"{DAYS[day.weekday()]} {day.day} {MONTHS[day.month - 1]}"


def first(value: object) -> Any:
    """The first of a list, the thing itself, or None."""
    if isinstance(value, list):
        return cast("list[Any]", value)[0] if value else None
    return value


def objects(value: object) -> Iterator[dict[str, Any]]:
    """The JSON objects of a list; anything else is passed over."""
    if isinstance(value, list):
        for item in cast("list[Any]", value):
            if isinstance(item, dict):
                yield cast("dict[str, Any]", item)


def inner(value: object, *path: str) -> Any:
    """What lies at a path of names, taking the first of every list; None where it ends."""
    for name in path:
        value = first(value)
        if not isinstance(value, Mapping):
            return None
        value = cast("Mapping[str, Any]", value).get(name)
    return first(value)


def text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def words(concept: object) -> str:
    """What a CodeableConcept says: its text, else a coding's display, else a code."""
    said = text(inner(concept, "text"))
    if said or not isinstance(concept, Mapping):
        return said
    codings = list(objects(cast("Mapping[str, Any]", concept).get("coding")))
    shown = (text(coding.get("display")) for coding in codings)
    coded = (text(coding.get("code")) for coding in codings)
    return next((w for w in (*shown, *coded) if w), "")


def codes(concept: object, system: str | None = None) -> tuple[str, ...]:
    """The codes of a CodeableConcept, or only those of one system."""
    if not isinstance(concept, Mapping):
        return ()
    found = objects(cast("Mapping[str, Any]", concept).get("coding"))
    fitting = (c for c in found if system is None or c.get("system") == system)
    return tuple(text(c.get("code")) for c in fitting if text(c.get("code")))


def categories(resource: Resource) -> frozenset[str]:
    return frozenset(code for c in objects(resource.get("category")) for code in codes(c))


def bare(name: str) -> str:
    """The name without SNOMED's kind in brackets."""
    return TAG.sub("", name)


def reference(value: object) -> str:
    """`Patient/1` out of a Reference."""
    said = text(inner(value, "reference"))
    return "/".join(said.split("/")[-2:]) if "/" in said else said


def kept(resources: Iterable[Resource]) -> list[Resource]:
    """Resources that were not entered in error."""
    return [r for r in resources if not _was_error(r)]


def _was_error(resource: Resource) -> bool:
    if resource.get("status") in ABSENT:
        return True
    return bool(ABSENT & set(codes(resource.get("verificationStatus"))))


def human_name(resource: Resource) -> tuple[str, str]:
    """Given names and family name of a person, the official or first one."""
    names = list(objects(resource.get("name")))
    best = next((n for n in names if n.get("use") == "official"), first(names) or {})
    given = " ".join(_plain(g) for g in best.get("given") or () if isinstance(g, str))
    return given or text(best.get("text")), _plain(text(best.get("family")))


def _plain(name: str) -> str:
    # Generated people are named Gerhold908: digits at a name's end are the generator's.
    return re.sub(r"\d+$", "", name.strip()) or name.strip()
