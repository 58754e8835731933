"""Reads another service's feed and brings about effects, each exactly once and in order."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, LiteralString

import msgspec

from polyclinic.foundation import clock, ids, telemetry, tracing
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Invalid, NotFound, Problem, Unavailable
from polyclinic.foundation.events import Told
from polyclinic.foundation.service import Reaction, Running
from polyclinic.foundation.work import meanwhile

WAIT_SECONDS = 15
LEASE_SECONDS = 40
TRIES = 5
TRY_FIRST_SECONDS = 0.05
PAUSE_FIRST_SECONDS, PAUSE_MAX_SECONDS = 0.2, 5.0
BATCH = 100

_LEASE: LiteralString = """
    INSERT INTO reading AS r (source, reader, until)
    VALUES ($1, $2, now() + make_interval(secs => $3))
    ON CONFLICT (source) DO UPDATE SET reader = excluded.reader, until = excluded.until
    WHERE r.reader = excluded.reader OR r.until < now() OR r.reader IS NULL
    RETURNING epoch, seq"""
_NEW: LiteralString = """
    INSERT INTO inbox (event) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING RETURNING event"""
_MOVE: LiteralString = """
    UPDATE reading SET seq = $3, epoch = $4 WHERE source = $1 AND reader = $2 RETURNING true"""
_LET_GO: LiteralString = "UPDATE reading SET reader = NULL WHERE source = $1 AND reader = $2"
_BURY: LiteralString = """
    INSERT INTO dead_letter (event, source, kind, told, reason, tries)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (event) DO UPDATE
    SET reason = excluded.reason, tries = excluded.tries, done = NULL"""
_PARK: LiteralString = """
    INSERT INTO dead_letter (event, source, kind, told, reason, tries)
    VALUES ($1, $2, $3, $4, 'Malformed', 1) ON CONFLICT (event) DO NOTHING RETURNING true"""
_DEAD: LiteralString = """
    SELECT event, at, source, kind, reason, tries FROM dead_letter
    WHERE done IS NULL ORDER BY at DESC LIMIT 200"""


class LeaseLost(Problem):
    """Another replica reads this feed now."""


class _CloudEvent(msgspec.Struct, frozen=True):
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    sequence: int
    data: msgspec.Raw
    traceparent: str = ""


class _Page(msgspec.Struct, frozen=True):
    epoch: str
    last: int
    events: list[msgspec.Raw]  # read one by one: a malformed one must not hold up the others


@dataclass(frozen=True, slots=True)
class _Malformed:
    """What stands in a feed but is no event: it is put aside as it came."""

    event: uuid.UUID
    kind: str
    raw: bytes


class Reader:
    """Follows one source for one service."""

    def __init__(self, running: Running, source: str, reactions: Sequence[Reaction]) -> None:
        self._running, self._source = running, source
        self._react = {reaction.kind: reaction.react for reaction in reactions}
        self._kinds = ",".join(
            sorted(f"{each.kind}:{each.about}" if each.about else each.kind for each in reactions)
        )
        self._me = ids.new_uuid()

    async def follow(self) -> None:
        """Reads for ever; waits longer each time the source does not answer."""
        pause = PAUSE_FIRST_SECONDS
        while True:
            try:
                if await self.turn(WAIT_SECONDS):
                    pause = PAUSE_FIRST_SECONDS
                    continue
            except Problem as problem:
                telemetry.log("feed not read", kind=self._source, error=type(problem).__name__)
            except Exception as bug:  # noqa: BLE001 - the reader outlives every bug of a reaction
                telemetry.log_bug("feed not read", bug, kind=self._source)
            await asyncio.sleep(pause)
            pause = min(pause * 2, PAUSE_MAX_SECONDS)

    async def turn(self, wait: int) -> bool:
        """One page and its effects; False when there is no use in asking again at once."""
        row = await self._running.database.fetchrow(_LEASE, self._source, self._me, LEASE_SECONDS)
        if row is None:
            return False
        kept, asked = (row["epoch"], row["seq"]), time.monotonic()
        page = await self._fetch(row["seq"], wait)
        if (page.epoch, page.last) == kept and time.monotonic() - asked < wait / 2:
            return False  # a source that stops lets go of who waits; asked on and on, it would not
        if page.epoch != row["epoch"]:
            # A restored source counts anew: all of it is read again, what is known has no effect.
            page = await self._fetch(0, 0)
        found = [_read(self._source, raw) for raw in page.events]
        for each in found:
            if isinstance(each, _Malformed):
                await self._park(each)
        events = [each for each in found if isinstance(each, Told)]
        for start in range(0, len(events), BATCH):
            told = events[start : start + BATCH]
            await self._effect(told, page.epoch)
            kept = (page.epoch, told[-1].seq)
        # Effects carry the mark along; another commit is for what nobody here reacts to.
        if (page.epoch, page.last) != kept:
            async with self._running.database.transaction() as tx:
                await self._move(tx, page.last, page.epoch)
        return True

    async def let_go(self) -> None:
        """Lets another replica read at once."""
        with contextlib.suppress(Problem):
            await self._running.database.execute(_LET_GO, self._source, self._me)

    async def _fetch(self, after: int, wait: int) -> _Page:
        token = await self._running.tokens.get()
        answer = await self._running.peers.send(
            self._source,
            "GET",
            f"/{self._source}/events",
            params={"after": after, "wait": wait, "kinds": self._kinds},
            headers={"authorization": f"Bearer {token}"},
            timeout=wait + 15,
        )
        if answer.status_code == 401:
            self._running.tokens.forget()
        if answer.status_code != 200:
            raise Unavailable(f"The feed of {self._source} does not answer.", place=self._source)
        return msgspec.json.decode(answer.content, type=_Page)

    async def _effect(self, told: list[Told], epoch: str) -> None:
        """All together when all goes well; else each alone, the hopeless ones kept apart."""
        try:
            await self._together(told, epoch)
        except (LeaseLost, Unavailable):
            raise
        except Exception as bug:  # noqa: BLE001 - whatever a reaction raises, its neighbours go on
            telemetry.log_bug("reaction failed", bug, kind=self._source, count=len(told))
            for each in told:
                await self._alone(each, epoch)

    async def _together(self, told: list[Told], epoch: str) -> None:
        async with self._running.database.transaction() as tx:
            rows = await tx.fetch(_NEW, [uuid.UUID(each.id) for each in told])
            new = {str(row["event"]) for row in rows}
            fresh = [each for each in told if each.id in new]
            with tracing.effects(self._running.service.name, self._source, fresh):
                for kind, run in groupby(fresh, lambda each: each.kind):
                    await self._react[kind](self._running, tx, list(run))
            await self._move(tx, told[-1].seq, epoch)
        for each in told:
            lag = (clock.now() - each.at).total_seconds()
            self._running.metrics.event_lag.labels(
                self._running.service.name, self._source
            ).observe(max(lag, 0.0))

    async def _alone(self, each: Told, epoch: str) -> None:
        reason = ""
        for attempt in range(TRIES):
            try:
                await self._together([each], epoch)
            except (LeaseLost, Unavailable):
                raise
            except Exception as bug:  # noqa: BLE001 - its kind becomes the dead letter's reason
                reason = type(bug).__name__
                await asyncio.sleep(TRY_FIRST_SECONDS * 2**attempt)
            else:
                return
        async with self._running.database.transaction() as tx:
            packed = msgspec.json.encode(each)
            event = uuid.UUID(each.id)
            await tx.execute(_BURY, event, self._source, each.kind, packed, reason, TRIES)
            await self._move(tx, each.seq, epoch)
        telemetry.log("dead letter", kind=each.kind, reason=reason)
        self._running.metrics.dead_letters.labels(self._running.service.name, self._source).inc()

    async def _park(self, odd: _Malformed) -> None:
        """Puts aside what cannot be read; no second try would read it better."""
        values = (odd.event, self._source, odd.kind, odd.raw)
        if await self._running.database.fetchval(_PARK, *values):
            telemetry.log("dead letter", kind=odd.kind, reason="Malformed")
            name = self._running.service.name
            self._running.metrics.dead_letters.labels(name, self._source).inc()

    async def _move(self, tx: Transaction, seq: int, epoch: str) -> None:
        if not await tx.fetchval(_MOVE, self._source, self._me, seq, epoch):
            raise LeaseLost

    async def again(self, event: uuid.UUID) -> None:
        """Tries a dead letter once more; raises what the reaction raises."""
        async with self._running.database.transaction() as tx:
            row = await tx.fetchrow(
                "SELECT told FROM dead_letter WHERE event = $1 AND done IS NULL FOR UPDATE", event
            )
            if row is None:
                raise NotFound("There is no such dead letter, or it was dealt with.")
            told = _kept(self._source, row["told"])
            if await tx.fetch(_NEW, [event]):
                await self._react[told.kind](self._running, tx, [told])
            await tx.execute("UPDATE dead_letter SET done = now() WHERE event = $1", event)


def _read(source: str, raw: msgspec.Raw) -> Told | _Malformed:
    try:
        event = msgspec.json.decode(raw, type=_CloudEvent)
        return Told(
            id=str(uuid.UUID(event.id)), source=event.source, seq=event.sequence, kind=event.type,
            subject=event.subject, at=event.time, data=msgspec.Raw(bytes(event.data)),
            trace=event.traceparent,
        )  # fmt: skip
    except ValueError:  # msgspec's own errors are ValueErrors too
        said: dict[str, object] = {}
        with contextlib.suppress(msgspec.ValidationError):
            said = msgspec.json.decode(raw, type=dict[str, object])
        kind = said.get("type")
        named = kind[:64] if isinstance(kind, str) and kind.isidentifier() else "unknown"
        # Its own id may be what is wrong with it; the same bytes always get the same name.
        event_id = uuid.uuid5(uuid.NAMESPACE_URL, f"{source}|{bytes(raw)!r}")
        return _Malformed(event_id, named, bytes(raw))


def _kept(source: str, told: bytes) -> Told:
    """A dead letter as it was put aside, or what is malformed read by a newer release."""
    try:
        return msgspec.json.decode(told, type=Told)
    except msgspec.ValidationError:
        read = _read(source, msgspec.Raw(told))
        if isinstance(read, _Malformed):
            raise Invalid("This event cannot be read; its source has to say it anew.") from None
        return read


async def dead_letters(running: Running) -> list[dict[str, Any]]:
    """What waits for a person: kinds and reasons, never contents."""
    return [dict(row) for row in await running.database.fetch(_DEAD)]


async def source_of(running: Running, event: uuid.UUID) -> str:
    """Whose event a dead letter is; empty when there is no such letter."""
    query = "SELECT source FROM dead_letter WHERE event = $1 AND done IS NULL"
    return await running.database.fetchval(query, event) or ""


@asynccontextmanager
async def readers(running: Running) -> AsyncGenerator[dict[str, Reader], None]:
    """Follows every source that the service reacts to and that is part of the installation."""
    by_source: dict[str, list[Reaction]] = {}
    for reaction in running.service.reactions:
        by_source.setdefault(reaction.source, []).append(reaction)
    known = {name: Reader(running, name, found) for name, found in by_source.items()}
    present = [known[name] for name in known if name in running.peers.names()]
    try:
        async with meanwhile(*(reader.follow() for reader in present)):
            yield known
    finally:
        for reader in present:
            await reader.let_go()
