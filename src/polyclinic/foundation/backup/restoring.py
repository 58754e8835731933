"""A restore: a proven copy, recovered to a moment in a new folder, with nothing erased come back.

Never over a living folder, and whole or absent: it is made beside its place and renamed at the end.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from polyclinic.foundation.backup import shredding
from polyclinic.foundation.backup.catalog import SEGMENT_BYTES, LogIncomplete, Taken, position
from polyclinic.foundation.backup.provider import Provider
from polyclinic.foundation.backup.tools import Progress
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.postgres import EmbeddedPostgres, archiving
from polyclinic.foundation.postgres.configuration import UNLOCKED
from polyclinic.foundation.postgres.place import Place, prepare
from polyclinic.foundation.starting import CannotStart
from polyclinic.foundation.vault import RootKey

# How PostgreSQL words it when the log ends before the moment that was asked for.
ENDED_EARLY = "recovery ended before configured recovery target was reached"
# A piece of the log begins with so many bytes before its first record.
SEGMENT_HEADER = 40


class WrongKey(Invalid):
    """The root key does not open this data."""


class FolderTaken(Invalid):
    """The folder for the restored data exists."""


@dataclass(frozen=True)
class Wanted:
    """What to restore, and where: `moment` None is everything that is kept."""

    moment: datetime | None
    data: Path
    root: RootKey
    # Puts beside the database what belongs there before the folder gets its name.
    furnish: Callable[[Path, Taken], None] | None = None


@dataclass(frozen=True)
class Hearing:
    """Who hears how it goes: a sentence for each step, and how far a long one is."""

    say: Callable[[str], None]
    progress: Progress


@dataclass(frozen=True)
class Restored:
    """What came back."""

    taken: Taken
    destroyed: int  # keys that were destroyed again
    opened: int  # sampled keys that the root key opens
    last: datetime | None  # the newest transaction that is in it
    seconds: float


async def restore(provider: Provider, wanted: Wanted, hearing: Hearing) -> Restored:
    """Raises before anything is written when a copy, the log or the key is not as it must be."""
    began = time.monotonic()
    catalog = provider.catalog
    if wanted.data.exists():
        raise FolderTaken(
            f"{wanted.data} exists; a restore goes into a new folder, never over a living one.",
            place="data",
        )
    taken = catalog.before(wanted.moment)
    hearing.say(f"The backup {taken.label} is proven against its manifest.")
    await provider.verify(taken, hearing.progress)
    _check_log(provider, taken, wanted.moment)
    ledger = await look_ahead(provider, wanted, hearing)
    unfinished = wanted.data.with_name(f"{wanted.data.name}.unfinished-{secrets.token_hex(4)}")
    async with _removed_unless_done(unfinished):
        hearing.say(f"It is recovered {_until(wanted.moment)}.")
        async with recovered(provider, taken, wanted.moment, unfinished, hearing) as url:
            found = await _make_fit(url, ledger, wanted.root)
            last = await _last(url)
        if wanted.furnish is not None:
            await asyncio.to_thread(wanted.furnish, unfinished, taken)
        unfinished.rename(wanted.data)
    return Restored(taken, *found, last, time.monotonic() - began)


async def look_ahead(provider: Provider, wanted: Wanted, hearing: Hearing) -> shredding.Ledger:
    """Which keys were destroyed up to the end of what is kept: the newest copy knows."""
    if wanted.moment is None:
        return {}
    newest = provider.catalog.newest()
    hearing.say("Which keys were destroyed since then is looked up in the newest backup.")
    await provider.verify(newest, hearing.progress)
    provider.catalog.check_log(newest)
    scratch = wanted.data.with_name(f"{wanted.data.name}.ahead-{secrets.token_hex(4)}")
    try:
        async with (
            recovered(provider, newest, None, scratch, hearing) as url,
            connected(url) as connection,
        ):
            return await shredding.read_ledger(connection)
    finally:
        await asyncio.to_thread(remove, scratch)


@asynccontextmanager
async def recovered(
    provider: Provider, taken: Taken, moment: datetime | None, data: Path, hearing: Hearing
) -> AsyncGenerator[str, None]:
    """A server on a recovered copy in a new data folder; nobody else comes to it."""
    place = await asyncio.to_thread(prepare, data)
    await provider.lay_out(taken, place.cluster, hearing.progress)
    await asyncio.to_thread(_own, place)
    settings = {
        **archiving.recovery_settings(place, provider.catalog.folder),
        "archive_mode": "off",
        "hot_standby": "off",  # nobody looks before the moment is reached
        "recovery_target_action": "promote",
        "recovery_target_timeline": "latest",
    }
    if moment is not None:
        settings["recovery_target_time"] = f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00"
    server = EmbeddedPostgres(data, settings=settings, access=UNLOCKED)
    try:
        url = await server.start()
        if moment is None:
            _check_reached(provider, place)
        await _set_password(url, place)
        yield url
    except CannotStart as refused:
        if ENDED_EARLY not in refused.message:
            raise
        raise LogIncomplete(
            f"The log that is kept ends before {_until(moment)[6:]}: a piece of it is missing or "
            "damaged, or nothing was written after that moment. Without --to everything comes back."
        ) from refused
    finally:
        await server.stop()


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator[Any, None]:
    """One connection without a deadline for its statements."""
    connection: Any = await asyncpg.connect(url, timeout=30)
    try:
        yield connection
    finally:
        await connection.close()


def remove(data: Path) -> None:
    """A scratch folder and what of it may lie elsewhere (see postgres/place.py)."""
    note = data / "postgres" / "place"
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(Path(note.read_text()))
    shutil.rmtree(data, ignore_errors=True)


@asynccontextmanager
async def _removed_unless_done(unfinished: Path) -> AsyncGenerator[None, None]:
    try:
        yield
    except BaseException:
        await asyncio.to_thread(remove, unfinished)
        raise


def _own(place: Place) -> None:
    """Gives the copy to the server's user, and a password that nobody has had."""
    (place.cluster / "recovery.signal").touch(mode=0o600)
    if place.owner is not None:
        for path in (place.cluster, *place.cluster.rglob("*")):
            os.chown(path, place.owner.uid, place.owner.gid, follow_symlinks=False)
    place.cluster.chmod(0o700)
    handle = os.open(place.password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as writer:
        writer.write(secrets.token_hex(24))
        writer.flush()
        os.fsync(handle)


async def _set_password(url: str, place: Place) -> None:
    async with connected(url) as connection:
        # Hexadecimal, and no statement is ever logged (postgres/configuration.py).
        password = place.password_file.read_text()
        await connection.execute(f"ALTER ROLE polyclinic PASSWORD '{password}'")


async def _make_fit(url: str, ledger: shredding.Ledger, root: RootKey) -> tuple[int, int]:
    """Destroys what was destroyed, then sees whether the key opens what is left."""
    async with connected(url) as connection:
        destroyed = await shredding.replay(connection, ledger)
        opened, refused = await shredding.check_keys(connection, root)
    if refused:
        raise WrongKey(
            f"The root key does not open this data ({refused} of {opened + refused} keys tried "
            "stay closed): it is another installation's, or another generation's."
        )
    return destroyed, opened


async def _last(url: str) -> datetime | None:
    """The newest transaction that was replayed; the checkpoint makes the new timeline known."""
    async with connected(url) as connection:
        await connection.execute("CHECKPOINT")
        return await connection.fetchval("SELECT pg_last_xact_replay_timestamp()")


def _check_log(provider: Provider, taken: Taken, moment: datetime | None) -> None:
    reaches = provider.catalog.reaches()
    if moment is None:
        provider.catalog.check_log(taken)
    elif reaches is None or reaches < moment:
        until = f"ends at {reaches.isoformat()}" if reaches else "is empty"
        raise LogIncomplete(
            f"The log that is kept {until}, before {moment.isoformat()}. "
            "Without --to everything comes back.",
            place="to",
        )


def _check_reached(provider: Provider, place: Place) -> None:
    """Without a moment recovery ends at the first gap, and says nothing about it."""
    begun = max((place.cluster / "pg_wal").glob("*.history"), default=None)
    segments = provider.catalog.segments()
    if begun is None or not segments:
        return
    # Its last row says where the timeline that was followed was left.
    reached = begun.read_text().split("\n\n")[-1].split("\t")[1]
    first = int(segments[-1][8:16], 16) << 32 | int(segments[-1][16:], 16) * SEGMENT_BYTES
    if position(reached) <= first + SEGMENT_HEADER:
        raise LogIncomplete(
            f"Recovery ended at {reached}, before the last piece that is kept ({segments[-1]}): "
            "a piece of the log is damaged."
        )


def _until(moment: datetime | None) -> str:
    return "until the end of what is kept" if moment is None else f"until {moment.isoformat()}"
