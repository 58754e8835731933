"""Takes in what the services logged: each row becomes a leaf, once, in the order of its trail."""

from collections.abc import Sequence

from polyclinic.foundation import telemetry
from polyclinic.foundation.errors import Problem
from polyclinic.services.audit.actions import hashing, signing
from polyclinic.services.audit.actions.state import Engine
from polyclinic.services.audit.domain.entries import Entry, entries_of
from polyclinic.services.audit.store import tree

PAGES_A_TURN = 20  # so that one busy trail does not keep the others waiting


async def gather(engine: Engine) -> int:
    """One turn over all trails; answers how many rows were new."""
    if await signing.is_broken(engine):
        return 0  # nothing is added to a tree that is no longer the signed one: it is evidence
    count = 0
    for service in engine.trails.services():
        try:
            count += await _gather_service(engine, service)
        except Problem as problem:
            # A service that is away is asked again in the next turn; the others do not wait.
            telemetry.log("trail not read", kind=service, error=type(problem).__name__)
    return count


async def _gather_service(engine: Engine, service: str) -> int:
    if service not in engine.named:
        engine.named[service] = await engine.trails.named(service)
    count = 0
    for trail in engine.named[service]:
        count += await _gather_trail(engine, service, trail)
    return count


async def _gather_trail(engine: Engine, service: str, trail: str) -> int:
    source, count = f"{service}.{trail}", 0
    for _ in range(PAGES_A_TURN):
        after = await tree.find_last_spot(engine.database, source)
        page = await engine.trails.page(service, trail, after)
        if not page.rows:
            break
        count += await take_in(engine, source, after, entries_of(source, after, page.rows))
        if not page.more:
            break
    return count


async def take_in(
    engine: Engine, source: str, after: tuple[int, int, int], entries: Sequence[Entry]
) -> int:
    """Adds leaves in one transaction; none when another replica was quicker."""
    async with engine.database.transaction() as tx:
        size = await tree.lock_tree(tx)
        if await tree.find_last_spot(tx, source) != after:
            return 0
        await tree.add_entries(tx, size, source, entries)
        await hashing.complete(tx, size, size + len(entries))
    engine.gauges.size.set(size + len(entries))
    await signing.sign_when_many(engine, size + len(entries))
    return len(entries)
