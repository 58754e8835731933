"""Takes a spreadsheet of patients: each row becomes a message, or is told with line and column."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from polyclinic.foundation.errors import Invalid, Problem
from polyclinic.foundation.work import in_thread
from polyclinic.services.integration.actions import channels
from polyclinic.services.integration.actions.state import Asker, Came, Engine
from polyclinic.services.integration.domain import access, sheets
from polyclinic.services.integration.domain.channels import Channel
from polyclinic.services.integration.domain.sheet_files import Cells, rows

REFUSED_SHOWN = 1_000
# How many rows are on their way at once; they share statements.
TOGETHER = 64


class Refusal(msgspec.Struct, frozen=True):
    """A row that is no person: where, and what is wrong there."""

    line: int
    column: str
    text: str


class Report(msgspec.Struct, frozen=True):
    """What became of a sheet. `again`: rows that came before; `refused` lists a thousand."""

    rows: int
    good: int
    taken: int
    again: int
    bad: int
    refused: tuple[Refusal, ...]
    dry_run: bool


async def take(engine: Engine, asker: Asker, name: str, content: bytes, *, dry_run: bool) -> Report:
    """Raises Invalid where the sheet as a whole cannot be read; a bad row holds up no other.

    A dry run reads and checks everything and keeps nothing.
    """
    channel = (await channels.need(engine, name)).channel
    access.check_sender(asker.caller, channel.clients)
    return await take_in(engine, channel, "http", content, dry_run=dry_run)


async def take_in(
    engine: Engine, channel: Channel, way: str, content: bytes, *, dry_run: bool = False
) -> Report:
    """The same for whoever may hand in on this channel."""
    if channel.format != "rows":
        raise Invalid("This channel takes no spreadsheets.", place="format")
    good, refused, count = await in_thread(_checked, channel, content)
    taken = again = 0
    for start in range(0, 0 if dry_run else len(good), TOGETHER):
        part = good[start : start + TOGETHER]
        received = await asyncio.gather(
            *(engine.receive(Came(channel.name, way, _raw(cells))) for cells in part)
        )
        taken += sum(not each.again for each in received)
        again += sum(each.again for each in received)
    return Report(
        count, len(good), taken, again, len(refused), tuple(refused[:REFUSED_SHOWN]), dry_run
    )


def _checked(channel: Channel, content: bytes) -> tuple[list[Cells], list[Refusal], int]:
    """Rows that are persons, and what is wrong with the others."""
    columns = sheets.columns_of(channel)
    good: list[Cells] = []
    refused: list[Refusal] = []
    count = 0
    for line, cells in rows(content, channel.charset):
        count += 1
        if count == 1 and (lacking := sheets.missing(columns, cells)):
            raise Invalid("The sheet has no such column.", place=lacking[0])
        try:
            sheets.translation(cells, channel)
        except Problem as problem:
            refused.append(Refusal(line, problem.place or "", problem.message))
        else:
            good.append(cells)
    return good, refused, count


def _raw(cells: Cells) -> bytes:
    """The same row is the same bytes, wherever it stands in a sheet."""
    return msgspec.json.encode(dict(sorted(cells.items())))


def as_value(report: Report) -> dict[str, Any]:
    value: dict[str, Any] = msgspec.to_builtins(report)
    return value


def shown(refused: Sequence[Refusal]) -> str:
    """Refusals as lines of text, for the file beside a sheet that was dropped."""
    return "".join(f"line {each.line}: {each.column}: {each.text}\n" for each in refused)
