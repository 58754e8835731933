"""`polyclinic up`: everything in one process, on a PostgreSQL of its own, until Ctrl-C."""

import asyncio
import os
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec

from polyclinic.assembly.process import Process, assemble, serve
from polyclinic.assembly.services import SERVICES, named
from polyclinic.cli.datafolder import DataFolder, operator_seed, outside
from polyclinic.cli.operator import Operator
from polyclinic.cli.partners import demo_partners
from polyclinic.cli.seeding import bill_demo_patients, seed_with_progress
from polyclinic.cli.waiting import first_of, until_stopped
from polyclinic.demo.people import sign_ins
from polyclinic.foundation import settings, telemetry
from polyclinic.foundation.errors import Problem
from polyclinic.foundation.postgres import EmbeddedPostgres
from polyclinic.foundation.serving import check_port
from polyclinic.foundation.settings import Platform
from polyclinic.foundation.vault import RootKey

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Wanted:
    """What was typed after `up`."""

    data: Path
    port: int
    seed: str | None
    services: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return self.services or tuple(service.name for service in SERVICES)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"


async def up(wanted: Wanted) -> int:
    """Runs until it is told to stop, and then leaves no process behind."""
    named(wanted.names)
    check_port(HOST, wanted.port)
    await until_stopped(_run(wanted))
    _say("Stopped.")
    return 0


async def _run(wanted: Wanted) -> None:
    folder = DataFolder(wanted.data.absolute())
    kept = settings.load(Platform, None, os.environ).backup_folder
    archive = outside(folder.path, Path(kept)) if kept else None
    server = EmbeddedPostgres(folder.path, archive=archive, say=_say)
    try:
        # The key comes before the database: a kill in between leaves a key without data, never
        # data without its key.
        root = folder.open_keys(is_new=await server.hold())
        url = await server.start()
        async with _partners(wanted, folder) as settings_of_demo:
            anchors = {"POLYCLINIC_AUDIT_ANCHOR_FILE": str(folder.anchor_file)}
            environ = {**anchors, **settings_of_demo, **os.environ}
            async with _assembled(wanted, folder, url, environ) as process:
                bills = await _seed(wanted, folder, process, root)
                await first_of(_serve(wanted, folder, process), server.lost(), bills)
    finally:
        await server.stop()


@asynccontextmanager
async def _partners(wanted: Wanted, folder: DataFolder) -> AsyncGenerator[dict[str, str], None]:
    """A demo clinic has an insurer and a card gateway of its own; somebody's own clinic has not."""
    if not _is_demo(wanted, folder) or "billing" not in wanted.names:
        yield {}
        return
    async with demo_partners(folder.path, wanted.url) as settings_of_demo:
        yield settings_of_demo


def _is_demo(wanted: Wanted, folder: DataFolder) -> bool:
    return wanted.seed == "demo" or (wanted.seed is None and folder.seeding != "none")


@asynccontextmanager
async def _assembled(
    wanted: Wanted, folder: DataFolder, url: str, environ: Mapping[str, str]
) -> AsyncGenerator[Process, None]:
    with folder.open_log() as log:
        telemetry.log_to(log)
        platform = msgspec.structs.replace(
            settings.load(Platform, None, environ),
            database_url=url,
            key_file=str(folder.key_file),
        )
        async with assemble(platform, wanted.names, environ) as process:
            yield process


async def _seed(
    wanted: Wanted, folder: DataFolder, process: Process, root: RootKey
) -> Coroutine[Any, Any, None]:
    """Only what was asked for, or what was begun: never into a folder of somebody's own data.

    Answers what is left to do while the platform already serves.
    """
    said = folder.seeding
    asked = wanted.seed or ("none" if said == "none" else "demo")
    if asked == "none" and said is None:
        folder.note_seeding("none")
    if asked == "none" or said == "done":
        return _nothing_more()
    if not {"identity", "records"} <= set(wanted.names):
        _say("The demo clinic needs identity and records; it is left out.")
        return _nothing_more()
    folder.note_seeding("begun")
    async with _operator(wanted, process, root) as operator:
        await seed_with_progress(operator)
    folder.note_seeding("done")
    return _bill_patients(wanted, process, root) if "billing" in wanted.names else _nothing_more()


def _operator(wanted: Wanted, process: Process, root: RootKey) -> Operator:
    transport = httpx.ASGITransport(process.edge)  # pyright: ignore[reportArgumentType]
    return Operator(wanted.url, operator_seed(root), transport)


async def _bill_patients(wanted: Wanted, process: Process, root: RootKey) -> None:
    """The demo's insurer takes some seconds to decide; nobody has to wait for that."""
    try:
        async with _operator(wanted, process, root) as operator:
            await bill_demo_patients(operator)
    except Problem as problem:
        # The clinic is there all the same; only some of its bills are not.
        _say(f"The demo clinic's bills are not complete: {problem.message}")
    await _nothing_more()


async def _nothing_more() -> None:
    await asyncio.Event().wait()


async def _serve(wanted: Wanted, folder: DataFolder, process: Process) -> None:
    def ready() -> None:
        folder.announce(wanted.url, wanted.names)
        _welcome(wanted, folder)

    try:
        await serve(process, HOST, wanted.port, ready)
    finally:
        folder.withdraw()


def _welcome(wanted: Wanted, folder: DataFolder) -> None:
    _say(f"\npolyclinic is ready: {wanted.url}\n")
    if folder.seeding == "done" and "portal" in wanted.names:
        _say("Demo sign-ins:")
        rows = [(each.title, each.user, each.password, each.note) for each in sign_ins()]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
            _say("  " + "  ".join((*cells, row[3])))
        _say("")
    if "records" in wanted.names:
        _say(f"FHIR R4:   {wanted.url}/fhir (for a token: polyclinic token --help)")
    _say(f"Root key:  {folder.key_file}")
    _say("           Keep a copy elsewhere: losing it loses everything.")
    _say("Ctrl-C stops everything.")


def _say(line: str) -> None:
    print(line, flush=True)
