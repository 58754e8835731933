"""The story's part about data: rows move while the clinic works, and what is written goes back."""

import asyncio
import sqlite3
import time
from datetime import datetime, timedelta
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

from polyclinic.cli import migrating
from polyclinic.cli.migration_stage import Stage
from polyclinic.demo.legacy import kept, words
from polyclinic.foundation import clock, ids
from polyclinic.foundation.errors import Unavailable
from polyclinic.services.migration.domain.crossing import resource_id

SYSTEM = "harbor-street"
PAIRS = ("patients", "allergies", "problems", "meds", "labs")
PATIENCE_SECONDS = 120
_SOURCE = f"/migration/sources/{SYSTEM}"
SUBSTANCE = "Adhesive tape"
# As moving.yaml says of the old clinic's clock and clinicians.
ZONE = ZoneInfo("America/New_York")
CLINICIAN, CLINICIAN_THERE = "Practitioner/harbor-kim", 1
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")


async def move(stage: Stage) -> None:
    """Patients first, then what is about them; both ways, so that nothing is lost by going back."""
    document = (resources.files("polyclinic.demo.legacy") / "moving.yaml").read_text()
    url = f"sqlite:///{stage.legacy / kept.FILE}"
    await migrating.post(stage.leader, "/migration/sources", {"document": document, "url": url})
    await _both_ways(stage, PAIRS)


async def move_bookings(stage: Stage) -> None:
    """The week first: a booking takes somebody's time, and here they must have some."""
    for code, last, first, _, _ in words.PROVIDERS:
        name = [{"family": last, "given": [first]}]
        identifier = [{"system": "urn:harbor:provider", "value": code}]
        about = {"id": f"harbor-{last.lower()}", "name": name, "identifier": identifier}
        await migrating.put_fhir(stage.leader, {"resourceType": "Practitioner", **about})
    for code, name, _, _ in words.SITES:
        about = {"id": f"harbor-{code.lower()}", "name": name}
        await migrating.put_fhir(stage.leader, {"resourceType": "Location", **about})
    await migrating.put(stage.leader, "/appointments/setup", _week())
    await _both_ways(stage, ("appts",))


async def _both_ways(stage: Stage, pairs: tuple[str, ...]) -> None:
    for pair in pairs:
        said = {"direction": "both"}
        await migrating.post(stage.leader, f"{_SOURCE}/pairs/{pair}/direction", said)
    begun = time.monotonic()
    shown = await _when(stage, lambda shown: all(each["filled"] for each in _of(shown, pairs)))
    moved = sum(each["moved"] for each in _of(shown, pairs))
    stage.say(f"{moved:,} rows moved in {time.monotonic() - begun:.0f} s.")
    for row in shown["quarantine"]:
        if row["pair"] in pairs:
            where = f"{row['pair']}.{row['place']}" if row["place"] else row["pair"]
            stage.say(f"put aside: {row['count']} × {where}: {row['reason']}")


def _of(shown: Any, pairs: tuple[str, ...]) -> list[Any]:
    return [each for each in shown["pairs"] if each["name"] in pairs]


def _week() -> dict[str, Any]:
    """The hours in which the old clinic sees people."""
    zone, visit = ZONE.key, {"id": "visit", "name": "Visit", "minutes": 15}
    hours = {"from": "08:00", "to": "17:00", "visit_types": ["visit"]}
    return {
        "visit_types": [visit],
        "sites": [
            {"id": code.lower(), "name": name, "time_zone": zone,
             "location": f"Location/harbor-{code.lower()}"}
            for code, name, _, _ in words.SITES
        ],
        "clinicians": [
            {"practitioner": f"Practitioner/harbor-{last.lower()}", "time_zone": zone,
             "rules": [{"weekday": day, "site": site.lower(), **hours} for day in WEEKDAYS]}
            for _, last, _, _, site in words.PROVIDERS
        ],
    }  # fmt: skip


async def compare(stage: Stage) -> None:
    """Row by row and column by column."""
    report = await migrating.post(stage.leader, f"{_SOURCE}/reconciliations", {})
    rows = sum(pair["rows"] for pair in report["pairs"])
    stage.say(f"{rows:,} rows compared: divergence {report['divergence']}.")


async def come_back(stage: Stage) -> None:
    """An allergy noted and a visit booked in polyclinic stand in the old clinic, too."""
    database = sqlite3.connect(f"file:{stage.legacy / kept.FILE}?mode=ro", uri=True)
    try:
        (key,) = database.execute(
            "SELECT id FROM patients WHERE del_flag = 'N' AND first_nm <> '' ORDER BY id LIMIT 1"
        ).fetchone()
        patient = resource_id(SYSTEM, "patients", key)
        await migrating.put_fhir(stage.leader, _allergy(patient))
        at = _tuesday()
        await migrating.post(stage.leader, "/appointments/bookings", _booking(patient, at))
        there = ("SELECT count(*) FROM allergies WHERE substance = ?", (SUBSTANCE,))
        await _stands(database, *there)
        query = "SELECT count(*) FROM appts WHERE pat_id = ? AND prov_id = ? AND start_dt = ?"
        await _stands(database, query, (key, CLINICIAN_THERE, f"{at:%Y-%m-%d %H:%M}"))
    finally:
        database.close()
    stage.say("An allergy was noted and a visit booked in polyclinic; the old clinic has both.")
    await _when(stage, lambda _: True)
    await compare(stage)


async def _stands(database: sqlite3.Connection, query: str, values: tuple[Any, ...]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not database.execute(query, values).fetchone()[0]:
        if time.monotonic() > until:
            raise Unavailable("What was written in polyclinic did not come back.")
        await asyncio.sleep(0.1)


def _tuesday() -> datetime:
    """A day on which the clinic is open, later than those on which the old one has booked."""
    day = clock.today() + timedelta(weeks=9)
    day += timedelta(days=(1 - day.weekday()) % 7)
    return datetime(day.year, day.month, day.day, 10, tzinfo=ZONE)


def _booking(patient: str, at: datetime) -> dict[str, Any]:
    return {
        "visit_type": "visit",
        "practitioner": CLINICIAN,
        "patient": f"Patient/{patient}",
        "start": at.isoformat(),
        "reason": "Skin check",
    }


def _allergy(patient: str) -> dict[str, Any]:
    codes = "http://terminology.hl7.org/CodeSystem/allergyintolerance-"
    return {
        "resourceType": "AllergyIntolerance",
        "id": ids.new_id(),
        "clinicalStatus": {"coding": [{"system": f"{codes}clinical", "code": "active"}]},
        "verificationStatus": {"coding": [{"system": f"{codes}verification", "code": "confirmed"}]},
        "code": {"text": SUBSTANCE},
        "patient": {"reference": f"Patient/{patient}"},
    }


async def _when(stage: Stage, is_so: Any) -> Any:
    until = time.monotonic() + PATIENCE_SECONDS
    while not is_so(shown := await migrating.get(stage.leader, _SOURCE)):
        if time.monotonic() > until:
            raise Unavailable("The rows did not move in time.")
        await asyncio.sleep(0.3)
    return shown


CHAPTERS = (
    ("Rows move while the old clinic works", move),
    ("Bookings move, too", move_bookings),
    ("Do both sides say the same?", compare),
    ("What is written here goes back", come_back),
)
