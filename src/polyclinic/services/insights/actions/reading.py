"""One person's chart, read in one go: who it is, what scores are made of, what was said before."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from polyclinic.services.insights.actions.state import Engine
from polyclinic.services.insights.domain import asking
from polyclinic.services.insights.domain.calculators import Calculator, wanted
from polyclinic.services.insights.gateways import charts

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Read:
    """`patient` none: there is none, or none for whoever asked. `former` are assessments by id;
    `consents` are read in our own name only: whoever looks may not be shown them."""

    patient: Json | None
    resources: list[Json]
    former: dict[str, Json]
    consents: list[Json] = field(default_factory=list[Json])


async def read(
    engine: Engine, patient: str, due: Iterable[Calculator], now: datetime, token: str = ""
) -> Read:
    """In insights' own name, or as the holder of a token; raises Unavailable."""
    urls = [*asking.urls_of(patient, wanted(due), now.date()), asking.assessments_url(patient)]
    urls += [] if token else [asking.consents_url(patient)]
    looked = await charts.look(engine.running, urls, token)
    consents = [] if token else charts.matches(looked.pop())
    former = {each["id"]: each for each in charts.matches(looked.pop())}
    found = [each for bundle in looked[1:] for each in charts.matches(bundle)]
    if looked[0] is None:
        return Read(None, [], former, consents)
    resources = asking.as_one_persons(patient, found)
    resources += await _medications(engine, resources, token)
    return Read(looked[0], resources, former, consents)


async def _medications(engine: Engine, resources: Sequence[Json], token: str) -> list[Json]:
    names = asking.medications_of(resources)
    seen = await charts.look(engine.running, names, token)
    return [each for each in seen if each is not None]
