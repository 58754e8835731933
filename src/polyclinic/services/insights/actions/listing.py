"""The worklist as its reader may see it: records says whom each line is about, or nothing."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from polyclinic.foundation import ids
from polyclinic.foundation.database import Row
from polyclinic.services.insights.actions.state import Asker, Engine
from polyclinic.services.insights.domain import access, alerts
from polyclinic.services.insights.domain.calculators import registry
from polyclinic.services.insights.gateways import charts
from polyclinic.services.insights.store import exposures, worklist
from polyclinic.services.insights.store.exposures import Exposure

Json = dict[str, Any]
# Whoever cares for few people may have to look far down; further than this nobody looks.
PAGE, PAGES_MAX = 200, 25


async def listed(engine: Engine, asker: Asker) -> Json:
    """What is accepted, then as many as the clinic has places for: people with their lines."""
    access.check_clinician(asker.caller)
    capacity = engine.settings.capacity
    taken = await worklist.taken(engine.database)
    places = max(capacity - taken, 0)
    percent = await exposures.hold_out(engine.database)
    found: list[Json] = []
    seen: list[Exposure] = []
    cut, offset = True, 0
    for _ in range(PAGES_MAX):
        rows = await worklist.lines(engine.database, PAGE, offset)
        people = _whole([list(each) for _, each in groupby(rows, itemgetter("subject"))], len(rows))
        offset += sum(map(len, people))
        shown = [each for each in people if _is_shown(engine, asker, each, percent, seen)]
        for person in await _resolved(engine, asker, shown):
            if person["accepted"] or places > 0:
                places -= 0 if person["accepted"] else 1
                found.append(person)
                seen += [_exposure(engine, asker, line, "") for line in person.pop("rows")]
        if len(rows) < PAGE or places <= 0:
            cut = False
            break
    await exposures.add_daily(engine.database, seen)
    return {"capacity": capacity, "taken": taken, "people": found, "cut": cut}


def _whole(people: list[list[Row]], count: int) -> list[list[Row]]:
    """Without the last of a full page: the rest of them may stand on the next, and a person stands
    once. Nobody alone fills a page."""
    return people[:-1] if count == PAGE and len(people) > 1 else people


def _is_shown(
    engine: Engine, asker: Asker, lines: Sequence[Row], percent: int, seen: list[Exposure]
) -> bool:
    """Whoever belongs to the group that is shown nothing is noted and left out."""
    subject = lines[0]["subject"]
    if not alerts.is_held_out(engine.digest(subject), percent):
        return True
    if any(line["urgency"] >= alerts.CRITICAL for line in lines):
        return True
    seen += [_exposure(engine, asker, line, "hold-out") for line in lines]
    return False


def _exposure(engine: Engine, asker: Asker, line: Row, held: str) -> Exposure:
    return Exposure(
        ids.new_uuid(), engine.viewer(asker.name), line["subject"], line["method"],
        line["version"], line["band"], "worklist", held,
    )  # fmt: skip


async def _resolved(engine: Engine, asker: Asker, people: Sequence[Sequence[Row]]) -> list[Json]:
    """With names and reasons, in the order of the list; who may not be seen is not there."""
    if not people:
        return []
    wanted = ",".join(str(line["id"]) for lines in people for line in lines)
    form = {"_id": wanted, "_count": "1000"}
    found = await charts.search(engine.running, "RiskAssessment", form, asker.token)
    told = {each["id"]: each for each in found if each.get("status") == "final"}
    names = {each["subject"]["reference"].partition("/")[2] for each in told.values()}
    if not names:
        return []
    form = {"_id": ",".join(sorted(names)), "_count": "1000"}
    known = await charts.search(engine.running, "Patient", form, asker.token)
    patients = {each["id"]: each for each in known}
    drawn = (_person(lines, told, patients) for lines in people)
    return [each for each in drawn if each is not None]


def _person(lines: Sequence[Row], told: dict[str, Json], patients: dict[str, Json]) -> Json | None:
    seen = [(line, told[str(line["id"])]) for line in lines if str(line["id"]) in told]
    if not seen:
        return None
    who = seen[0][1]["subject"]["reference"].partition("/")[2]
    if who not in patients:
        return None
    patient = patients[who]
    return {
        "patient": {
            "id": who,
            **{name: patient[name] for name in ("name", "birthDate", "gender") if name in patient},
        },
        "benefit": lines[0]["best"],
        "accepted": any(line["is_taken"] for line, _ in seen),
        "lines": [_line(line, assessment) for line, assessment in seen],
        "rows": [line for line, _ in seen],
    }


def _line(line: Row, assessment: Json) -> Json:
    """A line as records tells it; of ours is only its place and what was decided."""
    calculator = registry().get(line["method"])
    deciding = next(
        (each for each in assessment["prediction"] if "qualitativeRisk" in each),
        assessment["prediction"][0],
    )
    return {
        "assessment": assessment["id"],
        "method": line["method"],
        "version": line["version"],
        "title": calculator.title if calculator else assessment["method"].get("text", ""),
        "prediction": deciding,
        "basis": [each["reference"] for each in assessment.get("basis") or ()],
        "action": {"id": line["action"], "text": assessment.get("mitigation", "")},
        "urgency": ("info", "warning", "critical")[line["urgency"]],
        "assessed": assessment.get("occurrenceDateTime"),
        "state": "accepted" if line["is_taken"] else "open",
        "owner": line["owner"] if line["is_taken"] else None,
        "due": line["due"] if line["is_taken"] else None,
    }


async def is_visible(engine: Engine, asker: Asker, assessment: UUID) -> bool:
    """Whether records shows it to whoever asks."""
    [found] = await charts.look(engine.running, [f"RiskAssessment/{assessment}"], asker.token)
    return found is not None
