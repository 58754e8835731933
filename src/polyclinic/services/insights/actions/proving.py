"""What is known of a model at this clinic: what it foretold, what came, and how it compares."""

from collections import defaultdict
from collections.abc import Sequence

from polyclinic.foundation import clock
from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.services.insights.domain.life.gates import Evidence
from polyclinic.services.insights.domain.life.measures import Seen
from polyclinic.services.insights.domain.life.states import Registered
from polyclinic.services.insights.store import models, scores

Where = Database | Transaction


async def settled(where: Where, row: Row) -> list[Row]:
    """What it foretold since it is watched, as far as it is known what came."""
    now = clock.now()
    return await scores.known(where, row["model"], row["version"], row["proven_from"], now)


def seen_of(rows: Sequence[Row]) -> list[Seen]:
    return [Seen(each["chance"], each["outcome"]) for each in rows]


async def evidence(where: Where, row: Row, model: Registered) -> Evidence:
    """Everything that the gates ask for."""
    rows = await settled(where, row)
    groups: dict[str, list[int]] = defaultdict(list)
    for place, each in enumerate(rows):
        for name in each["groups"]:
            groups[name].append(place)
    raised = await scores.alerts(
        where, model.model, model.version, row["proven_from"], model.threshold
    )
    rival = await _beside(where, model, rows)
    a_day = raised["alerts"] / raised["days"]
    return Evidence(seen_of(rows), rival, groups, a_day, row["membership"])


async def _beside(
    where: Where, model: Registered, rows: Sequence[Row]
) -> list[tuple[Seen, Seen]] | None:
    """Its own and the champion's chances of the same people; None where there is no champion."""
    for other in await models.list_models(where):
        if other["task"] != model.task or other["state"] != "champion":
            continue
        if other["model"] == model.model and other["version"] == model.version:
            return None
        occasions = [each["occasion"] for each in rows]
        said = await scores.chances(where, other["model"], other["version"], occasions)
        return [
            (Seen(each["chance"], each["outcome"]), Seen(said[each["occasion"]], each["outcome"]))
            for each in rows
            if each["occasion"] in said
        ]
    return None
