"""What is shipped is a draft at every clinic: it can be proposed, and says nothing before."""

import msgspec

from polyclinic.services.insights.actions import modelling
from polyclinic.services.insights.actions.modelling import Draft
from polyclinic.services.insights.actions.state import Engine
from polyclinic.services.insights.domain.life.introduced import introduced
from polyclinic.services.insights.store import models

AUTHOR = "polyclinic"


async def introduce(engine: Engine) -> list[str]:
    """Takes up what this clinic does not have yet, and says which; what became of the others here
    stays as it is. Processes that start at once take turns."""
    taken: list[str] = []
    for each in introduced():
        name = (each.model.id, each.model.version)
        async with engine.database.transaction() as tx:
            await models.lock_task(tx, each.model.task)
            if await models.find_model(tx, *name) is not None:
                continue
            draft = Draft(
                msgspec.Raw(each.content), dict(each.record), each.threshold, each.fallback
            )
            await modelling.add(engine, tx, draft, AUTHOR)
            taken.append("/".join(name))
    return taken
