"""The story's part about data: rows move while the clinic works, and what is written goes back."""

import asyncio
import sqlite3
import time
from importlib import resources
from typing import Any

from polyclinic.cli import migrating
from polyclinic.cli.migration_stage import Stage
from polyclinic.demo.legacy import kept
from polyclinic.foundation import ids
from polyclinic.foundation.errors import Unavailable
from polyclinic.services.migration.domain.crossing import resource_id

SYSTEM = "harbor-street"
PAIRS = ("patients", "allergies", "problems", "meds", "labs")
PATIENCE_SECONDS = 120
_SOURCE = f"/migration/sources/{SYSTEM}"
SUBSTANCE = "Adhesive tape"


async def move(stage: Stage) -> None:
    """Patients first, then what is about them; both ways, so that nothing is lost by going back."""
    document = (resources.files("polyclinic.demo.legacy") / "moving.yaml").read_text()
    url = f"sqlite:///{stage.legacy / kept.FILE}"
    await migrating.post(stage.leader, "/migration/sources", {"document": document, "url": url})
    for pair in PAIRS:
        said = {"direction": "both"}
        await migrating.post(stage.leader, f"{_SOURCE}/pairs/{pair}/direction", said)
    begun = time.monotonic()
    shown = await _when(stage, lambda shown: all(p["filled"] for p in shown["pairs"]))
    moved = sum(pair["moved"] for pair in shown["pairs"])
    stage.say(f"{moved:,} rows moved in {time.monotonic() - begun:.0f} s.")
    for row in shown["quarantine"]:
        where = f"{row['pair']}.{row['place']}" if row["place"] else row["pair"]
        stage.say(f"put aside: {row['count']} × {where}: {row['reason']}")


async def compare(stage: Stage) -> None:
    """Row by row and column by column."""
    report = await migrating.post(stage.leader, f"{_SOURCE}/reconciliations", {})
    rows = sum(pair["rows"] for pair in report["pairs"])
    stage.say(f"{rows:,} rows compared: divergence {report['divergence']}.")


async def come_back(stage: Stage) -> None:
    """An allergy that is noted in polyclinic stands in the old clinic, too."""
    database = sqlite3.connect(f"file:{stage.legacy / kept.FILE}?mode=ro", uri=True)
    try:
        (key,) = database.execute(
            "SELECT id FROM patients WHERE del_flag = 'N' AND first_nm <> '' ORDER BY id LIMIT 1"
        ).fetchone()
        patient = resource_id(SYSTEM, "patients", key)
        await migrating.put_fhir(stage.leader, _allergy(patient))
        until = time.monotonic() + PATIENCE_SECONDS
        query = "SELECT count(*) FROM allergies WHERE substance = ?"
        while not database.execute(query, (SUBSTANCE,)).fetchone()[0]:
            if time.monotonic() > until:
                raise Unavailable("What was written in polyclinic did not come back.")
            await asyncio.sleep(0.1)
    finally:
        database.close()
    stage.say("An allergy was noted in polyclinic; the old clinic has it, once.")
    await _when(stage, lambda _: True)
    await compare(stage)


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
    ("Do both sides say the same?", compare),
    ("What is written here goes back", come_back),
)
