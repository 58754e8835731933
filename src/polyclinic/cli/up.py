"""`polyclinic up`: everything in one process, on a PostgreSQL of its own, until Ctrl-C."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec

from polyclinic.assembly.process import Process, assemble, check_port, serve
from polyclinic.assembly.services import SERVICES, named
from polyclinic.cli.datafolder import DataFolder, operator_seed
from polyclinic.cli.operator import Operator
from polyclinic.cli.seeding import seed_with_progress
from polyclinic.cli.waiting import first_of, until_stopped
from polyclinic.demo.people import sign_ins
from polyclinic.foundation import settings, telemetry
from polyclinic.foundation.postgres import EmbeddedPostgres
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
    server = EmbeddedPostgres(folder.path, say=_say)
    try:
        # The key comes before the database: a kill in between leaves a key without data, never
        # data without its key.
        root = folder.open_keys(is_new=await server.hold())
        url = await server.start()
        async with _assembled(wanted, folder, url) as process:
            await _seed(wanted, folder, process, root)
            await first_of(_serve(wanted, folder, process), server.lost())
    finally:
        await server.stop()


@asynccontextmanager
async def _assembled(wanted: Wanted, folder: DataFolder, url: str) -> AsyncGenerator[Process, None]:
    with folder.open_log() as log:
        telemetry.log_to(log)
        platform = msgspec.structs.replace(
            settings.load(Platform, None, os.environ),
            database_url=url,
            key_file=str(folder.key_file),
        )
        async with assemble(platform, wanted.names, os.environ) as process:
            yield process


async def _seed(wanted: Wanted, folder: DataFolder, process: Process, root: RootKey) -> None:
    """Only what was asked for, or what was begun: never into a folder of somebody's own data."""
    said = folder.seeding
    asked = wanted.seed or ("none" if said == "none" else "demo")
    if asked == "none" and said is None:
        folder.note_seeding("none")
    if asked == "none" or said == "done":
        return
    if not {"identity", "records"} <= set(wanted.names):
        _say("The demo clinic needs identity and records; it is left out.")
        return
    folder.note_seeding("begun")
    transport = httpx.ASGITransport(process.edge)  # pyright: ignore[reportArgumentType]
    async with Operator(wanted.url, operator_seed(root), transport) as operator:
        await seed_with_progress(operator)
    folder.note_seeding("done")


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
