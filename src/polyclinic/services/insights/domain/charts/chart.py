"""One patient's chart, ordered for questions; built once, asked by many calculators."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from polyclinic.foundation.errors import Invalid
from polyclinic.services.insights.domain.charts import resources
from polyclinic.services.insights.domain.charts.resources import (
    Measured,
    Medicine,
    Problem,
    Resource,
    Stay,
)

# Lists that say of themselves what they list, and which kind of entry they close.
_LISTS = {"11450-4": "condition", "10160-0": "medicine"}
_NONE_KNOWN = ("nilknown",)
_Listed = TypeVar("_Listed", Problem, Medicine)


@dataclass(frozen=True, slots=True)
class Chart:
    """What is known of one patient. Newest first; nothing in it was entered in error.

    `empty` holds "condition" or "medicine" where a List says that none is known, and since when.
    """

    patient: Resource
    measured: Mapping[str, tuple[Measured, ...]]
    problems: tuple[Problem, ...]
    medicines: tuple[Medicine, ...]
    stays: tuple[Stay, ...]
    empty: Mapping[str, datetime]

    @staticmethod
    def of(patient: Resource, entries: Iterable[Resource]) -> "Chart":
        """Of a Patient and its resources in any order; raises Invalid where that is no Patient.

        A resource that names another patient is refused, too: one chart is one person's. One that
        comes twice counts once, as it came last.
        """
        if patient.get("resourceType") != "Patient" or not patient.get("id"):
            raise Invalid("A chart begins with a Patient that has an id.", place="Patient")
        by_type: dict[str, list[Resource]] = defaultdict(list)
        for entry in {_name(each): each for each in entries}.values():
            _check_subject(entry, str(patient["id"]))
            by_type[str(entry.get("resourceType"))].append(entry)
        problems = _sorted(map(resources.problem, by_type["Condition"]))
        medicines = _medicines(by_type)
        stays = filter(None, map(resources.stay, by_type["Encounter"]))
        newest = sorted(stays, key=lambda each: (each.start, each.reference), reverse=True)
        empty = _empty(by_type["List"])
        return Chart(patient, _measured(by_type), problems, medicines, tuple(newest), empty)


def _name(entry: Resource) -> str | int:
    """What it is known by; one without an id is only itself."""
    return resources.source(entry)[0] if entry.get("id") else id(entry)


def _check_subject(entry: Resource, patient: str) -> None:
    for name in ("subject", "patient"):
        said = resources.part_of(entry, name).get("reference")
        if isinstance(said, str) and "Patient/" in said and _id(said) != patient:
            where = f"{entry.get('resourceType')}.{name}"
            raise Invalid("A resource of the chart belongs to another patient.", place=where)


def _id(reference: str) -> str:
    return reference.partition("Patient/")[2].partition("/")[0]


def _measured(by_type: Mapping[str, list[Resource]]) -> dict[str, tuple[Measured, ...]]:
    found: dict[str, list[Measured]] = defaultdict(list)
    for entry in by_type["Observation"]:
        for code, each in resources.measurements(entry):
            found[code].append(each)
    for entry in by_type["QuestionnaireResponse"]:
        for code, each in resources.answered(entry):
            found[code].append(each)
    order = {code: sorted(each, key=_newest, reverse=True) for code, each in found.items()}
    return {code: tuple(each) for code, each in order.items()}


def _newest(one: Measured) -> tuple[datetime, str, str]:
    """Two at the same moment: the one said last, then by reference, so that an order is fixed."""
    return one.at, one.said, one.reference


def _medicines(by_type: Mapping[str, list[Resource]]) -> tuple[Medicine, ...]:
    known = {f"Medication/{each.get('id')}": each for each in by_type["Medication"]}
    entries = by_type["MedicationRequest"] + by_type["MedicationStatement"]
    return _sorted(resources.medicine(entry, known) for entry in entries)


def _sorted(entries: Iterable[_Listed | None]) -> tuple[_Listed, ...]:
    there = (each for each in entries if each is not None)
    return tuple(sorted(there, key=lambda each: each.reference))


def _empty(lists: list[Resource]) -> dict[str, datetime]:
    """The lists that were looked at and found empty; one without a date says nothing."""
    found: dict[str, datetime] = {}
    for each in lists:
        empty = {code for _, code in resources.codings(each.get("emptyReason"))}
        if each.get("status") != "current" or not empty.intersection(_NONE_KNOWN):
            continue
        for system, code in resources.codings(each.get("code")):
            date = resources.moment(each.get("date"))
            if system == resources.LOINC and code in _LISTS and date is not None:
                found[_LISTS[code]] = date
    return found
