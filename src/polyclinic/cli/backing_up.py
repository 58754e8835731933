"""`polyclinic backup`: a copy of a data folder's database, beside the log that `up` keeps."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from polyclinic.cli.datafolder import DataFolder, outside
from polyclinic.foundation import settings
from polyclinic.foundation.backup.builtin import BuiltIn
from polyclinic.foundation.backup.catalog import Catalog
from polyclinic.foundation.backup.restoring import Hearing, connected
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.postgres import EmbeddedPostgres, archiving, running_address
from polyclinic.foundation.postgres.place import own_folder, prepare, wheel_binaries
from polyclinic.foundation.settings import Platform
from polyclinic.foundation.starting import CannotStart
from polyclinic.foundation.vault import RootKey


class Steps:
    """The long steps of a command on standard error: what is done, how far it is."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._task: TaskID | None = None

    def __enter__(self) -> "Steps":
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._finish()
        self._bar.stop()

    @property
    def hearing(self) -> Hearing:
        return Hearing(self.say, self.progress)

    def say(self, sentence: str) -> None:
        self._finish()
        self._task = self._bar.add_task(sentence, total=1.0)

    def progress(self, share: float) -> None:
        if self._task is not None:
            self._bar.update(self._task, completed=share)

    def _finish(self) -> None:
        if self._task is not None:
            self._bar.update(self._task, completed=1.0)
            self._bar.stop_task(self._task)


async def back_up(data: Path, backups: Path | None, *, incremental: bool) -> int:
    """Takes one copy, of a platform at work or of one that is stopped."""
    folder = DataFolder(data)
    kept = outside(folder.path, named(backups))
    began = time.monotonic()
    with Steps() as steps:
        async with at_work(folder, kept, steps) as url:
            provider = builtin(kept, steps)
            steps.say("The database is copied.")
            note = {"seed": folder.seeding or "none", "key": _fingerprint(folder)}
            taken = await provider.take(url, note, incremental=incremental, progress=steps.progress)
            steps.say("The copy is proven against its manifest.")
            await provider.verify(taken, steps.progress)
            archives = await _archives(url)
    print(f"{taken.label}: {taken.kind}, {shown(taken.size)}, {time.monotonic() - began:.1f} s.")
    if not archives:
        print("The log is not kept: only the end of this copy can be restored. Set")
        print(f"POLYCLINIC_BACKUP_FOLDER={kept} and start `up` again.")
    print("The root key is not in it: polyclinic key escrow.")
    return 0


def show_kept(backups: Path | None) -> int:
    """Lists the copies, and how far the log reaches."""
    catalog = Catalog(named(backups))
    rows = catalog.all()
    for taken in rows:
        builds = f" on {taken.parent}" if taken.parent else ""
        print(f"{taken.label}  {taken.kind}{builds}  {shown(taken.size)}  {taken.ended:%F %T}Z")
    if not rows:
        print(f"There is no backup in {catalog.folder}.")
        return 1
    segments = catalog.segments()
    print(f"The log: {len(segments)} pieces{f', up to {segments[-1]}' if segments else ''}.")
    catalog.check_log(rows[0])
    return 0


def named(backups: Path | None) -> Path:
    """The folder of backups: the one that was named, else the setting's."""
    found = backups or settings.load(Platform, None, os.environ).backup_folder
    if found is None:
        raise Invalid("Name the folder of backups: --backups DIR, or POLYCLINIC_BACKUP_FOLDER.")
    return Path(found).absolute()


def builtin(kept: Path, steps: Steps) -> BuiltIn:
    return BuiltIn(Catalog(kept), wheel_binaries(), steps.say)


@asynccontextmanager
async def at_work(folder: DataFolder, kept: Path, steps: Steps) -> AsyncGenerator[str, None]:
    """The address of the folder's database: as it runs, else started for the time of the work."""
    if not (folder.path / "postgres").is_dir():
        raise CannotStart(f"There is no database in {folder.path}.")
    url = await asyncio.to_thread(running_address, folder.path)
    if url is not None:
        await asyncio.to_thread(_claim, folder, kept)
        yield url
        return
    steps.say("The database is started for the backup.")
    server = EmbeddedPostgres(folder.path, archive=kept)
    try:
        yield await server.start()
    finally:
        await server.stop()


def _claim(folder: DataFolder, kept: Path) -> None:
    place = prepare(folder.path)
    archiving.claim(kept, place)
    own_folder(kept / "wal", place.owner)


async def _archives(url: str) -> bool:
    async with connected(url) as connection:
        return await connection.fetchval("SHOW archive_mode") == "on"


def _fingerprint(folder: DataFolder) -> str:
    return RootKey.read(folder.key_file).fingerprint if folder.key_file.exists() else ""


def shown(size: int) -> str:
    return f"{size / (1 << 20):,.1f} MB"
