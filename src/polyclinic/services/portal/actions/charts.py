"""Charts: what records knows of one patient, asked in parallel, and what of it did not come."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from polyclinic.foundation.errors import Forbidden, NotFound, Unavailable
from polyclinic.services.portal.actions.state import Portal, answered
from polyclinic.services.portal.domain import problems
from polyclinic.services.portal.domain.medicines import Medicine, read_medicines
from polyclinic.services.portal.domain.observations import read_results
from polyclinic.services.portal.domain.patient import Patient, read_patient, read_patients
from polyclinic.services.portal.domain.reading import LOINC, Resource, kept
from polyclinic.services.portal.domain.results import Result, Series, series
from polyclinic.services.portal.domain.search import Wanted
from polyclinic.services.portal.gateways import Parameters

FOUND_MAX = 25
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}", re.ASCII)
_CODE = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

NEWEST = ("_sort", "-date")
# What a part of a chart is asked as: type, parameters, most, and how people call it.
PARTS: Mapping[str, tuple[str, Parameters, int, str]] = {
    "labs": ("Observation", (("category", "laboratory"), NEWEST), 600, "test results"),
    "vitals": ("Observation", (("category", "vital-signs"), NEWEST), 400, "vital signs"),
    "medicines": ("MedicationRequest", (("_sort", "-authoredon"),), 400, "medicines"),
    "conditions": ("Condition", (), 400, "conditions"),
    "allergies": ("AllergyIntolerance", (), 100, "allergies"),
    "visits": ("Encounter", (NEWEST,), 60, "visits"),
    "team": ("CareTeam", (), 40, "care team"),
}


class NoRelation(Forbidden):
    """There is no care relation between you and this patient."""


@dataclass(frozen=True)
class Chart:
    """A patient and those parts of the record that were asked for and came."""

    patient: Patient
    results: list[Result] = field(default_factory=list[Result])
    medicines: list[Medicine] = field(default_factory=list[Medicine])
    conditions: list[problems.Condition] = field(default_factory=list[problems.Condition])
    allergies: problems.Allergies | None = None
    visits: list[problems.Visit] = field(default_factory=list[problems.Visit])
    team: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    missing: tuple[str, ...] = ()
    since: datetime | None = None

    @property
    def tests(self) -> list[Series]:
        return series(self.results)

    def lacks(self, part: str) -> bool:
        return PARTS[part][3] in self.missing


@dataclass(frozen=True, slots=True)
class Found:
    """A patient in a list of found ones, and whether this clinician may open the chart."""

    patient: Patient
    is_related: bool


async def open_chart(
    portal: Portal, token: str, patient_id: str, parts: tuple[str, ...], code: str | None = None
) -> Chart:
    """The asked parts of a chart; raises Unavailable only if not even the patient can be read."""
    _check_id(patient_id)
    asked = asyncio.gather(*(_part(portal, token, patient_id, part, code) for part in parts))
    who, came = await asyncio.gather(_read(portal, token, patient_id), asked)
    by_part = dict(zip(parts, came, strict=True))
    missing = tuple(PARTS[part][3] for part, found in by_part.items() if found is None)
    people = await _people(portal, token, by_part)
    return _chart(who, by_part, people, missing, portal.outages.since("records"))


async def check_relation(portal: Portal, token: str, patient_id: str) -> None:
    """Raises NoRelation unless the clinician may open this chart."""
    _check_id(patient_id)
    if patient_id not in await related(portal, token, [patient_id]):
        # An unknown patient is unknown before it is foreign.
        await _read(portal, token, patient_id)
        raise NoRelation


async def related(portal: Portal, token: str, patient_ids: list[str]) -> set[str]:
    """Those of the patients whose charts this clinician may open: records refuses the others."""

    async def one(patient_id: str) -> str | None:
        asked: Parameters = (("patient", f"Patient/{patient_id}"),)
        search = portal.records.search(token, "CareTeam", asked, 1)
        try:
            await answered(portal, "records", search)
        except Forbidden:
            return None
        return patient_id

    answers = await asyncio.gather(*(one(p) for p in dict.fromkeys(patient_ids)))
    return {p for p in answers if p}


async def find_patients(
    portal: Portal, token: str, wanted: Wanted, *, mark: bool
) -> tuple[list[Found], bool]:
    """Patients that fit, by name, and whether there are more than are shown."""
    search = portal.records.search(token, "Patient", wanted.parameters, FOUND_MAX + 1)
    people = read_patients(kept(await answered(portal, "records", search)), portal.today())
    shown = people[:FOUND_MAX]
    mine = await related(portal, token, [p.id for p in shown]) if mark else set[str]()
    return [Found(p, p.id in mine) for p in shown], len(people) > FOUND_MAX


async def find_patient(portal: Portal, token: str, patient_id: str) -> Patient:
    _check_id(patient_id)
    return await _read(portal, token, patient_id)


async def _read(portal: Portal, token: str, patient_id: str) -> Patient:
    read = portal.records.read(token, "Patient", patient_id)
    return read_patient(await answered(portal, "records", read), portal.today())


async def _part(
    portal: Portal, token: str, patient_id: str, part: str, code: str | None
) -> list[Resource] | None:
    kind, more, most, _ = PARTS[part]
    asked = [("patient", f"Patient/{patient_id}"), *more]
    # One test is asked for by its code; everything else of the chart is asked for as always.
    if code is not None and kind == "Observation":
        if not _CODE.fullmatch(code):
            raise NotFound("There is no such test.")
        asked = [asked[0], ("code", f"{LOINC}|{code}"), NEWEST]
    try:
        return await answered(portal, "records", portal.records.search(token, kind, asked, most))
    except Unavailable:
        return None


async def _people(
    portal: Portal, token: str, by_part: Mapping[str, list[Resource] | None]
) -> dict[str, str]:
    """Names of those who cared; a page without them is still worth showing."""
    sources = [r for part in ("team", "visits") for r in by_part.get(part) or ()]
    wanted = [name.partition("/")[2] for name in problems.wanted_people(sources)]
    if not wanted:
        return {}
    asked: Parameters = (("_id", ",".join(wanted)),)
    try:
        search = portal.records.search(token, "Practitioner", asked, len(wanted))
        return problems.people_of(await answered(portal, "records", search))
    except (Unavailable, Forbidden):
        return {}


def _chart(
    who: Patient,
    by_part: Mapping[str, list[Resource] | None],
    people: Mapping[str, str],
    missing: tuple[str, ...],
    since: datetime | None,
) -> Chart:
    def part(name: str) -> list[Resource]:
        return by_part.get(name) or []

    asked_allergies = by_part.get("allergies")
    return Chart(
        patient=who,
        results=read_results([*part("labs"), *part("vitals")], who.for_ranges),
        medicines=read_medicines(part("medicines")),
        conditions=problems.read_conditions(part("conditions")),
        allergies=None if asked_allergies is None else problems.read_allergies(asked_allergies),
        visits=problems.read_visits(part("visits"), people),
        team=problems.care_team(part("team"), part("visits"), people),
        missing=missing,
        since=since if missing else None,
    )


def _check_id(patient_id: str) -> None:
    if not _ID.fullmatch(patient_id):
        raise NotFound("There is no such patient.")
