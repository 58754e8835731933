"""Signs how the tree stands, and brings it to the anchor file, unless somebody changed the tree."""

import asyncio
import logging

from polyclinic.foundation import clock, telemetry
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Conflict
from polyclinic.services.audit.actions import hashing
from polyclinic.services.audit.actions.state import Engine
from polyclinic.services.audit.store import tree
from polyclinic.standards.transparency.note import BadNote, Checkpoint, open_note

ANCHORED_AT_ONCE = 1000
CHECK_SECONDS = 5.0


class Broken(Conflict):
    """The tree is not what was signed before: nothing more is signed or taken in."""


async def sign(engine: Engine) -> Checkpoint | None:
    """Signs what is new; None when nothing is. Raises Broken."""
    made: Checkpoint | None = None
    async with engine.database.transaction() as tx:
        size = await tree.lock_tree(tx)
        last = await _last(engine, tx)
        await _check(engine, tx, size, [last, *_anchored(engine)])
        if size > (last.size if last else 0):
            # A clock that was put back does not make the log go back in time.
            at = max(clock.now(), last.at) if last else clock.now()
            origin = engine.settings.origin
            made = Checkpoint(origin, size, await hashing.root(tx, size), at)
            await tree.add_checkpoint(tx, size, at, engine.signer.sign(made.text()))
            engine.gauges.signed.set(size)
    engine.gauges.broken.set(0)
    await _anchor(engine)
    return made


async def sign_when_many(engine: Engine, size: int) -> None:
    """Signs at once when a thousand rows or so came since the last time."""
    last = await tree.find_last_checkpoint(engine.database)
    if size - (last["size"] if last else 0) >= engine.settings.checkpoint_rows:
        await sign(engine)


async def is_broken(engine: Engine) -> bool:
    """Whether the tree no longer begins with what was signed; looked at every few seconds."""
    now = asyncio.get_running_loop().time()
    if now < engine.sound_until:
        return False
    try:
        async with engine.database.transaction() as tx:
            size = await tree.lock_tree(tx)
            await _check(engine, tx, size, [await _last(engine, tx), *_anchored(engine)])
    except Broken:
        return True
    engine.sound_until = now + CHECK_SECONDS
    return False


async def _last(engine: Engine, tx: Transaction) -> Checkpoint | None:
    row = await tree.find_last_checkpoint(tx)
    return _read(engine, row["note"]) if row else None


def _anchored(engine: Engine) -> list[Checkpoint]:
    """The last checkpoint of the anchor file, if there is one."""
    note = engine.anchors.last() if engine.anchors else None
    return [_read(engine, note)] if note else []


def _read(engine: Engine, note: str) -> Checkpoint:
    try:
        return Checkpoint.read(open_note(note, [engine.signer.verifier]))
    except BadNote as bad:
        raise _broken(engine, "signature") from bad


async def _check(
    engine: Engine, tx: Transaction, size: int, signed: list[Checkpoint | None]
) -> None:
    for each in filter(None, signed):
        if each.size > size:
            raise _broken(engine, "shorter")
        if await hashing.root(tx, each.size) != each.root:
            raise _broken(engine, "root")


def _broken(engine: Engine, reason: str) -> Broken:
    telemetry.log("audit tree broken", logging.ERROR, service="audit", reason=reason)
    engine.gauges.broken.set(1)
    return Broken()


async def _anchor(engine: Engine) -> None:
    """Adds to the file whatever was signed since; a crash in between is made up for."""
    if engine.anchors is None:
        return
    note = engine.anchors.last()
    after = _read(engine, note).size if note else 0
    while rows := await tree.list_checkpoints(engine.database, after, ANCHORED_AT_ONCE):
        engine.anchors.add([row["note"] for row in rows])
        engine.anchors.pin(str(engine.signer.verifier))
        after = rows[-1]["size"]
