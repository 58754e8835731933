"""Practitioners, places and kinds of visit, found by the names that other systems have for them."""

import time
from collections.abc import Sequence

from polyclinic.services.integration.actions.effecting.work import Resource, Work
from polyclinic.services.integration.domain import keeping
from polyclinic.services.integration.domain.intents import Identifier, Party
from polyclinic.services.integration.gateways import records
from polyclinic.services.integration.store import effecting as rows

REMEMBERED_SECONDS, REMEMBERED_MAX = 30.0, 10_000


async def practitioner(work: Work, parties: Sequence[Party]) -> str | None:
    """`Practitioner/<id>` of the first that is known: by the directory, else by a number."""
    numbers = [(each.system, each.value) for party in parties for each in party.identifiers]
    if (found := await _named(work, "practitioner", numbers)) is not None:
        return found
    tokens = ",".join(
        f"{records.escaped(system)}%7C{records.escaped(value)}"
        for system, value in numbers
        if system
    )
    if not tokens:
        return None
    url = f"Practitioner?identifier={tokens}&_count=2"
    listed = records.matches((await records.look(work.running, [url]))[0])
    return f"Practitioner/{listed[0]['id']}" if len(listed) == 1 else None


async def practitioners(work: Work, resources: Sequence[Resource]) -> dict[str, str]:
    """Who of those that resources name by a number is known here: for `keeping.bound`."""
    numbers = set[tuple[str, str]]().union(*map(keeping.practitioners, resources))
    found = {number: await _remembered(work, number) for number in sorted(numbers)}
    return {keeping.practitioner_key(n): name for n, name in found.items() if name is not None}


async def _remembered(work: Work, number: tuple[str, str]) -> str | None:
    """As it was half a minute ago at most: nearly every message names the same few people."""
    known, now = work.engine.practitioners, time.monotonic()
    until, name = known.get(number, (0.0, None))
    if now < until:
        return name
    name = await practitioner(work, [Party("", (Identifier(*number),))])
    if name is not None and (await records.look(work.running, [name]))[0] is None:
        name = None
    if len(known) >= REMEMBERED_MAX:
        known.clear()
    known[number] = now + REMEMBERED_SECONDS, name
    return name


async def site(work: Work, places: Sequence[Party]) -> str | None:
    """One of the clinic's own sites, where the directory knows the place."""
    numbers = [(each.system, each.value) for place in places for each in place.identifiers]
    numbers += [("", place.display) for place in places if place.display]
    return await _named(work, "place", numbers)


async def visit_type(work: Work, service: str) -> str:
    """One of the clinic's own kinds of visit, or an empty text."""
    return await _named(work, "service", [("", service)]) or "" if service else ""


async def _named(work: Work, kind: str, numbers: Sequence[tuple[str, str]]) -> str | None:
    """The directory's word for the first of these; an entry without a system is for any."""
    if not numbers:
        return None
    wanted = [*numbers, *(("", value) for system, value in numbers if system)]
    found = await rows.named(work.running.database, kind, wanted)
    return next((found[each] for each in wanted if each in found), None)
