"""PostgreSQL's own tools as a provider: pg_basebackup, pg_verifybackup, pg_combinebackup."""

import asyncio
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from polyclinic.foundation.backup.catalog import Catalog, Taken
from polyclinic.foundation.backup.tools import (
    Progress,
    ToolFailed,
    run_tool,
    unseen,
    without_password,
)
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.starting import CannotStart, refused_by_disk

INCREMENTAL_SINCE = 170000  # the server_version_num that learned `pg_basebackup --incremental`


class Damaged(Invalid):
    """A file of the backup is not as it was taken."""


@dataclass(frozen=True)
class BuiltIn:
    """Copies in a folder; `binaries` are of the server's major version, `say` hears a sentence."""

    catalog: Catalog
    binaries: Path
    say: Callable[[str], None]

    async def take(
        self, url: str, note: dict[str, str], *, incremental: bool, progress: Progress = unseen
    ) -> Taken:
        """Takes a full copy where an incremental one was asked for and cannot be, and says why."""
        server = await _ask(url)
        parent = self._parent(server) if incremental else None
        base = self.catalog.folder / "base"
        label = f"{server.now:%Y%m%dT%H%M%S%f}"[:-3] + "Z"
        fresh = base / f"unfinished-{label}"
        try:
            base.mkdir(mode=0o700, exist_ok=True)
            for broken in base.glob("unfinished-*"):
                shutil.rmtree(broken)
            try:
                await self._copy(url, fresh, parent, progress)
            except ToolFailed as refused:
                if parent is None:
                    raise
                # Such as summaries of the log that were thrown away since the copy before.
                self.say(
                    f"An incremental backup is not possible: {refused.message} A full one is taken."
                )
                shutil.rmtree(fresh, ignore_errors=True)
                parent = None
                await self._copy(url, fresh, None, progress)
            taken = await _describe(fresh, label, parent, server, (await _ask(url)).now)
            taken = msgspec.structs.replace(taken, **note)
            _write(fresh / "backup.json", msgspec.json.encode(taken))
            fresh.rename(base / label)
            _sync(base)
        except OSError as refused:
            raise refused_by_disk(refused, base) from refused
        return taken

    def _parent(self, server: "_Server") -> Taken | None:
        """What an incremental copy builds on; None, with the reason said, when there is none."""
        found = [each for each in self.catalog.all() if each.timeline == server.timeline]
        why = None
        if server.version_num < INCREMENTAL_SINCE:
            why = f"PostgreSQL {server.version} cannot; 17 and newer can"
        elif not server.summarizes:
            why = "the server does not summarize its log (`summarize_wal`)"
        elif not found:
            why = "there is no backup to build on"
        if why is None:
            return found[-1]
        self.say(f"An incremental backup is not possible: {why}. A full one is taken.")
        return None

    async def _copy(self, url: str, to: Path, parent: Taken | None, progress: Progress) -> None:
        address, password = without_password(url)
        words: list[str | Path] = [
            "--pgdata",
            to / "data",
            "--wal-method=stream",
            "--checkpoint=fast",
        ]
        words += ["--manifest-checksums=SHA256", "--progress", "--no-password", "--dbname", address]
        if parent is not None:
            words += ["--incremental", self._data(parent) / "backup_manifest"]
        await run_tool(
            self.binaries / "pg_basebackup", *words, password=password, progress=progress
        )

    async def verify(self, taken: Taken, progress: Progress = unseen) -> None:
        for each in self.catalog.chain(taken):
            try:
                await run_tool(
                    self.binaries / "pg_verifybackup", "--exit-on-error", "--progress",
                    self._data(each), progress=progress,
                )  # fmt: skip
            except ToolFailed as found:
                raise Damaged(f"The backup {each.label} is damaged: {found.message}") from found

    async def lay_out(self, taken: Taken, cluster: Path, progress: Progress = unseen) -> None:
        chain = [self._data(each) for each in self.catalog.chain(taken)]
        try:
            if len(chain) == 1:
                # pg_combinebackup wants two at least.
                await asyncio.to_thread(shutil.copytree, chain[0], cluster, symlinks=True)
            else:
                tool = self.binaries / "pg_combinebackup"
                await run_tool(tool, "--output", cluster, *chain)
        except OSError as refused:
            raise refused_by_disk(refused, cluster) from refused
        progress(1.0)

    def _data(self, taken: Taken) -> Path:
        return self.catalog.place_of(taken) / "data"


@dataclass(frozen=True)
class _Server:
    now: datetime
    version: str
    version_num: int
    summarizes: bool
    timeline: int


async def _ask(url: str) -> _Server:
    """What decides which kind of copy there can be."""
    try:
        connection: Any = await asyncpg.connect(url, timeout=30)
    except (asyncpg.PostgresError, OSError, TimeoutError) as refused:
        why = getattr(refused, "message", None) or type(refused).__name__
        raise CannotStart(f"The database cannot be reached: {why}.") from refused
    try:
        row = await connection.fetchrow(
            "SELECT clock_timestamp(), current_setting('server_version'), "
            "current_setting('server_version_num')::int, "
            "coalesce(current_setting('summarize_wal', true), 'off') = 'on', "
            "(SELECT timeline_id FROM pg_control_checkpoint())"
        )
    finally:
        await connection.close()
    return _Server(*row)


class _Range(
    msgspec.Struct, rename={"timeline": "Timeline", "start": "Start-LSN", "stop": "End-LSN"}
):
    timeline: int
    start: str
    stop: str


class _Manifest(msgspec.Struct, rename={"ranges": "WAL-Ranges"}):
    ranges: list[_Range]


async def _describe(
    fresh: Path, label: str, parent: Taken | None, server: _Server, ended: datetime
) -> Taken:
    manifest = (fresh / "data" / "backup_manifest").read_bytes()
    ranges = msgspec.json.decode(manifest, type=_Manifest).ranges
    return Taken(
        label=label,
        kind="full" if parent is None else "incremental",
        parent=parent.label if parent else None,
        began=server.now,
        ended=ended,
        timeline=ranges[-1].timeline,
        start=ranges[0].start,
        stop=ranges[-1].stop,
        server=server.version,
        size=await asyncio.to_thread(_size, fresh),
    )


def _size(folder: Path) -> int:
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file())


def _write(file: Path, content: bytes) -> None:
    with file.open("wb") as writer:
        writer.write(content)
        writer.flush()
        os.fsync(writer.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
