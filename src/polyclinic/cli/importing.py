"""`polyclinic import`: sends files to records, a few at once, and says exactly what was refused.

A rerun is harmless: the platform knows each unit by its content and takes it once.
"""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import httpx
import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from polyclinic.cli.datafolder import write_private
from polyclinic.cli.operator import Operator, said
from polyclinic.cli.units import Reading, Unit, measure, read_units
from polyclinic.foundation.errors import Problem

CLIENT, SCOPE = "import", "system/*.cruds"
IN_FLIGHT = 4
SHOWN_MAX = 20  # refusals on the screen; all of them are in the report


class Refusal(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that was not taken: where it stands and why."""

    text: str
    line: int | None = None
    entry: int | None = None
    place: str | None = None


Refused = dict[str, object]


class Answer(msgspec.Struct, frozen=True):
    """What records says to a unit."""

    status: str
    resources: int = 0
    refused: list[Refusal] = []


@dataclass
class Outcome:
    """What became of everything so far."""

    imported: int = 0
    already: int = 0
    resources: int = 0
    refused: dict[str, list[Refused]] = field(default_factory=dict[str, list[Refused]])
    left_out: dict[str, list[Refused]] = field(default_factory=dict[str, list[Refused]])
    broken: list[Refused] = field(default_factory=list[Refused])

    def count(self, unit: Unit, answer: Answer) -> None:
        """A unit's latest answer is the one that counts."""
        self.refused.pop(unit.hash, None)
        if answer.status not in ("imported", "already"):
            found = answer.refused or [Refusal("no reason was given")]
            self.refused[unit.hash] = [_placed(unit, refusal) for refusal in found]
            return
        if answer.refused:
            # The rest of the unit was kept, now or before: these will not be sent again.
            self.left_out[unit.hash] = [_placed(unit, each) for each in answer.refused]
        if answer.status == "already":
            self.already += 1
        else:
            self.imported += 1
            self.resources += answer.resources

    @property
    def reasons(self) -> list[Refused]:
        several = (*self.refused.values(), *self.left_out.values())
        return [reason for reasons in several for reason in reasons] + self.broken


def _placed(unit: Unit, refusal: Refusal) -> Refused:
    """A refusal with its source, and with the line as it is numbered in the whole file."""
    shown: Refused = {"source": unit.source, **msgspec.to_builtins(refusal)}
    if refusal.line is not None and 0 < refusal.line <= len(unit.lines):
        shown["line"] = unit.lines[refusal.line - 1]
    return shown


async def import_paths(operator: Operator, paths: Sequence[Path]) -> int:
    """Imports everything there; 1 when anything at all was refused."""
    files, reading = await asyncio.to_thread(measure, paths)
    outcome = Outcome()
    began = time.monotonic()
    try:
        async with operator:
            # Asked first, so that a wrong key is one sentence and not a failure of each unit.
            await operator.token(CLIENT, SCOPE)
            await _send_all(operator, read_units(files, reading), outcome, reading)
            await _send_again(operator, files, outcome)
    finally:
        outcome.broken = [{"source": name, "text": why} for name, why in reading.broken]
        _tell(outcome, len(reading.passed_over), time.monotonic() - began)
    return 1 if outcome.reasons else 0


async def _send_again(operator: Operator, files: list[Path], outcome: Outcome) -> None:
    """Sends what was refused once more, as long as that helps: a unit may need a later one."""
    before = -1
    while outcome.refused and outcome.imported > max(before, 0):
        before = outcome.imported
        again = set(outcome.refused)
        reading = Reading(total=sum(file.stat().st_size for file in files))
        units = (unit for unit in read_units(files, reading) if unit.hash in again)
        await _send_all(operator, units, outcome, reading)


class _Shown:
    """The progress bar: bytes of disk read, and resources a second."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._began = time.monotonic()
        self._bar = Progress(
            TextColumn("Importing"),
            BarColumn(),
            DownloadColumn(),
            TextColumn("{task.fields[pace]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task("import", total=max(reading.total, 1), pace="")

    def __enter__(self) -> "_Shown":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def update(self, outcome: Outcome) -> None:
        seconds = max(time.monotonic() - self._began, 0.001)
        pace = f"{outcome.resources / seconds:,.0f} resources/s"
        self._bar.update(self._task, completed=self._reading.done, pace=pace)


async def _send_all(
    operator: Operator, units: Iterator[Unit], outcome: Outcome, reading: Reading
) -> None:
    """A few units at once; the disk is read by one thread at a time, only as fast as we send."""
    turn = asyncio.Lock()
    shown = _Shown(reading)

    async def send_some() -> None:
        while True:
            async with turn:
                unit = await asyncio.to_thread(next, units, None)
            if unit is None:
                return
            outcome.count(unit, await _send(operator, unit))
            shown.update(outcome)

    try:
        with shown:
            async with asyncio.TaskGroup() as group:
                for _ in range(IN_FLIGHT):
                    group.create_task(send_some())
    except* Problem as several:
        raise _first(several) from several


def _first(several: BaseExceptionGroup[Problem]) -> Problem:
    found = several.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found


async def _send(operator: Operator, unit: Unit) -> Answer:
    headers = {
        "Content-Type": unit.kind,
        "X-Content-Hash": unit.hash,
        "X-Source": quote(unit.source, safe=" ()+,'@!&=~"),  # header values are ASCII
    }
    answer = await operator.post("/records/import", unit.content, headers, (CLIENT, SCOPE))
    return read_answer(answer)


def read_answer(answer: httpx.Response) -> Answer:
    """What records said; a whole unit that it would not look at is one refusal."""
    try:
        return msgspec.json.decode(answer.content, type=Answer)
    except msgspec.DecodeError:
        if answer.status_code >= 500 or answer.status_code in (401, 403, 404):
            raise Problem(f"The import stopped: {said(answer)}") from None
        return Answer("refused", 0, [Refusal(said(answer))])


def _tell(outcome: Outcome, passed_over: int, seconds: float) -> None:
    reasons = outcome.reasons
    pace = outcome.resources / max(seconds, 0.001)
    print(f"  imported      {outcome.imported:>8,} units, {outcome.resources:,} resources")
    print(f"  already there {outcome.already:>8,} units")
    print(f"  refused       {len(outcome.refused):>8,} units, {len(reasons):,} reasons")
    if outcome.left_out:
        print(f"  in part       {len(outcome.left_out):>8,} units, kept without what was refused")
    if passed_over:
        print(f"  passed over   {passed_over:>8,} files of other kinds")
    print(f"  {seconds:,.1f} s, {pace:,.0f} resources/s")
    if not reasons:
        return
    for reason in reasons[:SHOWN_MAX]:
        print(f"  {_sentence(reason)}")
    report = Path(f"import-report-{time.strftime('%Y%m%d-%H%M%S')}.json").absolute()
    write_private(report, json.dumps({"refused": reasons}, indent=1) + "\n")
    hidden = len(reasons) - SHOWN_MAX
    more = f" ({hidden:,} more than shown)" if hidden > 0 else ""
    print(f"The whole list{more}: {report}")


def _sentence(refusal: Refused) -> str:
    where = [str(refusal["source"])]
    where += [f"{word} {refusal[word]}" for word in ("line", "entry") if word in refusal]
    if "place" in refusal:
        where.append(str(refusal["place"]))
    return f"{', '.join(where)}: {refusal['text']}"
