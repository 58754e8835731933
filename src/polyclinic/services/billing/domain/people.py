"""Persons as bills and claims need them: name, birth date, sex, address. Kept sealed, always."""

import re
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from polyclinic.foundation.errors import Invalid

PATIENT = re.compile(r"Patient/[A-Za-z0-9.-]{1,64}", re.ASCII)
SEXES = ("female", "male", "other", "unknown")
_TEXT_MAX = 120


@dataclass(frozen=True, slots=True)
class Address:
    """Where somebody lives; empty parts are not known."""

    line: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Who is treated, or whose insurance it is. `birth_date` may be unknown until a claim asks."""

    family: str
    given: str = ""
    birth_date: date | None = None
    sex: str = "unknown"
    address: Address = field(default_factory=Address)
    phone: str = ""

    @property
    def name(self) -> str:
        return f"{self.given} {self.family}".strip()


def is_patient(reference: str) -> bool:
    return bool(PATIENT.fullmatch(reference))


def check_person(person: Person, place: str, today: date) -> None:
    """Refuses what no claim could carry, naming the field."""
    if not person.family.strip():
        raise Invalid("A person has a family name.", place=f"{place}.family")
    if person.sex not in SEXES:
        raise Invalid(f"Sex is one of {', '.join(SEXES)}.", place=f"{place}.sex")
    if person.birth_date is not None and person.birth_date > today:
        raise Invalid("Nobody is born tomorrow.", place=f"{place}.birth_date")
    texts = {
        "family": person.family, "given": person.given, "phone": person.phone,
        "address.line": person.address.line, "address.city": person.address.city,
        "address.state": person.address.state, "address.postal_code": person.address.postal_code,
    }  # fmt: skip
    for name, text in texts.items():
        if len(text) > _TEXT_MAX or any(not c.isprintable() for c in text):
            raise Invalid(f"At most {_TEXT_MAX} printable characters.", place=f"{place}.{name}")


def person_of_chart(resource: dict[str, Any]) -> Person | None:
    """A FHIR Patient as a person; none without a family name."""
    name = _chosen(resource.get("name"), ("official", "usual"))
    family = _text(name.get("family")) or _text(name.get("text"))
    if not family:
        return None
    given = " ".join(_text(part) for part in _list(name.get("given")))
    address = _chosen(resource.get("address"), ("home", "billing"))
    phones = [t for t in _dicts(resource.get("telecom")) if t.get("system") == "phone"]
    sex = _text(resource.get("gender"))
    return Person(
        family,
        given.strip(),
        _day(resource.get("birthDate")),
        sex if sex in SEXES else "unknown",
        Address(
            ", ".join(_text(line) for line in _list(address.get("line"))),
            _text(address.get("city")),
            _text(address.get("state")),
            _text(address.get("postalCode")),
        ),
        _text(phones[0].get("value")) if phones else "",
    )


def _chosen(found: Any, uses: tuple[str, ...]) -> dict[str, Any]:
    """The first of the best use; what is old is taken only when there is nothing else."""
    ranked = sorted(
        _dicts(found),
        key=lambda each: (
            each.get("use") == "old",
            uses.index(each["use"]) if each.get("use") in uses else len(uses),
        ),
    )
    return ranked[0] if ranked else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in _list(value) if isinstance(each, dict)]


def _text(value: Any) -> str:
    cleaned = value.strip() if isinstance(value, str) else ""
    return "".join(c if c.isprintable() else " " for c in cleaned)[:_TEXT_MAX]


def _day(value: Any) -> date | None:
    """A whole date; a year alone says too little for a claim."""
    try:
        return date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else None
    except ValueError:
        return None
