"""Who a patient is: the banner over a chart, a row of a search, a greeting."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from polyclinic.services.portal.domain.reading import (
    Moment,
    Resource,
    codes,
    human_name,
    inner,
    moment,
    objects,
    text,
)
from polyclinic.services.portal.domain.results import Person, years_between

SEX = {"female": "Female", "male": "Male", "other": "Other", "unknown": "Not known"}


@dataclass(frozen=True, slots=True)
class Patient:
    """A patient as everybody sees them who may see them."""

    id: str
    given: str
    family: str
    sex: str
    born: Moment | None
    age: int | None
    mrn: str
    died: Moment | None
    is_dead: bool
    phone: str
    email: str
    address: str
    language: str

    @property
    def name(self) -> str:
        return f"{self.given} {self.family}".strip() or "Name not recorded"

    @property
    def formal(self) -> str:
        """KELLER, Maria"""
        return ", ".join(p for p in (self.family.upper(), self.given) if p) or self.name

    @property
    def first_name(self) -> str:
        return self.given.split(" ")[0] if self.given else self.name

    @property
    def initials(self) -> str:
        return "".join(p[:1] for p in (self.given, self.family)).upper() or "?"

    @property
    def sex_word(self) -> str:
        return SEX.get(self.sex, "Not known")

    @property
    def age_text(self) -> str:
        if self.age is None or self.born is None:
            return "age not known"
        return f"{self.age} y"

    @property
    def for_ranges(self) -> Person:
        return Person(self.sex, self.born)


def read_patient(resource: Resource, today: date) -> Patient:
    given, family = human_name(resource)
    born, died = moment(resource.get("birthDate")), moment(resource.get("deceasedDateTime"))
    until = died.first_day if died else today
    return Patient(
        id=text(resource.get("id")),
        given=given,
        family=family,
        sex=text(resource.get("gender")),
        born=born,
        age=years_between(born.first_day, until) if born else None,
        mrn=_identifier(resource, "MR"),
        died=died,
        is_dead=died is not None or resource.get("deceasedBoolean") is True,
        phone=_contact(resource, "phone"),
        email=_contact(resource, "email"),
        address=_address(inner(resource, "address")),
        language=_language(resource),
    )


def read_patients(resources: Iterable[Resource], today: date) -> list[Patient]:
    found = [read_patient(r, today) for r in resources if r.get("resourceType") == "Patient"]
    return sorted(found, key=lambda p: (p.family.casefold(), p.given.casefold(), p.id))


def initials(name: str) -> str:
    """AR out of Dr Ana Ruiz."""
    parts = [
        p for p in name.replace(".", " ").split() if p.lower() not in {"dr", "mr", "mrs", "ms"}
    ]
    return ("".join(p[0] for p in (parts[:1] + parts[-1:] if len(parts) > 1 else parts))).upper()


def _identifier(resource: Resource, kind: str) -> str:
    for identifier in objects(resource.get("identifier")):
        if kind in codes(identifier.get("type")):
            return text(identifier.get("value"))
    return ""


def _contact(resource: Resource, system: str) -> str:
    found = (t for t in objects(resource.get("telecom")) if t.get("system") == system)
    return next((text(t.get("value")) for t in found if text(t.get("value"))), "")


def _address(address: object) -> str:
    lines = [text(line) for line in (inner({"a": [address]}, "a") or {}).get("line") or ()]
    place = " ".join(
        p for p in (text(inner(address, "state")), text(inner(address, "postalCode"))) if p
    )
    return ", ".join(p for p in (*lines, text(inner(address, "city")), place) if p)


def _language(resource: Resource) -> str:
    spoken = inner(resource, "communication", "language")
    return text(inner(spoken, "text")) or text(inner(spoken, "coding", "display"))
