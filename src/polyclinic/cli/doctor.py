"""`polyclinic doctor`: how an installation is, from inside and out, and what to do next."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from polyclinic.assembly.services import SERVICES
from polyclinic.cli.datafolder import DataFolder
from polyclinic.cli.doctor_inside import BAD, Finding, Ward, look_inside
from polyclinic.cli.doctor_outside import look_outside
from polyclinic.foundation import settings
from polyclinic.foundation.backup.restoring import connected
from polyclinic.foundation.postgres import running_address
from polyclinic.foundation.settings import Platform


async def doctor(data: Path, backups: Path | None, url: str | None) -> int:
    """Prints a line a check; 1 when any is bad. With `url` only the outside of that address."""
    folder = DataFolder(data)
    bad = 0
    if url is None:
        bad += await _show("Inside", _inside(folder, backups))
    address, names = (url, ()) if url else _announced(folder)
    if address is not None:
        offered = names or tuple(service.name for service in SERVICES)
        bad += await _show("Outside", look_outside(address, offered))
    print("All is well." if not bad else f"{bad} to mend.")
    return 1 if bad else 0


async def _inside(folder: DataFolder, backups: Path | None) -> AsyncIterator[Finding]:
    named = backups or settings.load(Platform, None, os.environ).backup_folder
    kept = Path(named) if named else None
    async with AsyncExitStack() as stack:
        url = running_address(folder.path)
        connection = None
        if url is not None:
            try:
                connection = await stack.enter_async_context(connected(url))
            except (asyncpg.PostgresError, OSError, TimeoutError) as refused:
                why = type(refused).__name__
                yield Finding("database", BAD, f"it refuses us: {why}", "see database-down.md")
        async for found in look_inside(Ward(folder, kept, connection, url, datetime.now(UTC))):
            yield found


def _announced(folder: DataFolder) -> tuple[str | None, tuple[str, ...]]:
    """Where the folder's platform answers, and which services it has."""
    try:
        note = json.loads(folder.running_file.read_text())
        return str(note["url"]), tuple(map(str, note["services"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None, ()


async def _show(title: str, findings: AsyncIterator[Finding]) -> int:
    print(title)
    bad = 0
    async for found in findings:
        bad += found.state == BAD
        then = f" -> {found.then}" if found.then else ""
        print(f"  {found.state:<5} {found.what:<14} {found.word}{then}")
    return bad
