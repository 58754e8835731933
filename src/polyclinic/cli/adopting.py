"""`polyclinic adopt`: what records kept of a service's types moves to the service, added later.

First everything is copied and read back; only when the digests over all of it agree does records
let go. Wherever it is interrupted, nothing is lost and nothing is double: a rerun finishes it.
"""

import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from polyclinic.assembly.services import named
from polyclinic.cli.datafolder import write_private
from polyclinic.cli.operator import Operator, said
from polyclinic.fhirserver.adoption.moving import (
    Adopted,
    Batch,
    Count,
    Counts,
    Left,
    LetGo,
    Moved,
    Named,
    Names,
    Page,
)
from polyclinic.foundation.errors import Problem

ACTING = ("adopt", "system/*.cruds")
JSON = {"Content-Type": "application/json"}
SHOWN_MAX = 20  # of what stays; all of it is in the report
T = TypeVar("T")


class Stopped(Problem):
    """The adoption stopped; nothing is lost, and running it again goes on."""


class NotInstalled(Problem):
    """That service is not part of this installation."""


class DigestsDiffer(Stopped):
    """What arrived is not what records has; records let go of nothing."""


@dataclass
class Move:
    """A service and the types that it owns, on their way."""

    operator: Operator
    name: str
    kinds: tuple[str, ...]
    adopted: int = 0
    already: int = 0
    versions: int = 0
    let_go: int = 0
    left: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    # Over the digests of all that moves, in order: as records has it, and as the owner has it.
    sent: Any = field(default_factory=sha256)
    arrived: Any = field(default_factory=sha256)

    async def pages(self, query: str, bar: "Shown") -> AsyncIterator[list[Moved]]:
        """All that records has, type by type; what does not open is noted and left out."""
        for kind in self.kinds:
            after = -1
            while True:
                path = f"/records/adoptable/{kind}?after={after}&{query}"
                page = _read(await self.operator.get(path, ACTING), Page)
                if page.last == after:
                    break
                after = page.last
                self.leave([Left(x.type, x.id, x.problem) for x in page.resources if x.problem])
                if sound := [each for each in page.resources if not each.problem]:
                    yield sound
                bar.advance(len(page.resources))

    async def ask(self, path: str, body: Batch | Names, kind: type[T]) -> T:
        content = msgspec.json.encode(body)
        answer = await self.operator.post(path, content, JSON, ACTING)
        if answer.status_code == 404:
            raise NotInstalled(f"The {self.name} service does not answer at {path}: {said(answer)}")
        return _read(answer, kind)

    def leave(self, left: Sequence[Left]) -> None:
        self.left.update({(each.type, each.id): each.reason for each in left})

    def compare(self, page: Sequence[Moved], owned: Sequence[Named]) -> None:
        """Adds a page to both digests; what the owner did not take is in neither."""
        found = {(each.type, each.id): each.digest for each in owned}
        for each in page:
            if (where := (each.type, each.id)) in self.left:
                continue
            self.sent.update(f"{each.type}/{each.id} {each.digest}\n".encode())
            self.arrived.update(f"{each.type}/{each.id} {found.get(where)}\n".encode())
            self.versions += each.count


class Shown:
    """The progress bar: resources, of all that there were at the beginning."""

    def __init__(self, what: str, total: int) -> None:
        self._bar = Progress(
            TextColumn(what),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task(what, total=total)

    def __enter__(self) -> "Shown":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance(self, count: int) -> None:
        self._bar.advance(self._task, count)


async def adopt(operator: Operator, name: str, *, dry_run: bool) -> int:
    """Moves it all; 1 when something stays with records, and why."""
    (service,) = named((name,))
    if not service.owns:
        print(f"Nothing to adopt: {name} owns no type of resource.")
        return 0
    async with operator:
        # Asked first, so that a wrong key is one sentence.
        await operator.token(*ACTING)
        counts = await _counts(operator, name, service.owns)
        there = sum(each.resources for each in counts.values())
        if not there:
            print(f"Nothing to adopt: records keeps no {', '.join(service.owns)}.")
            return 0
        move = Move(operator, name, tuple(kind for kind in counts if counts[kind].resources))
        _tell_counts(counts)
        if dry_run:
            await _try(move, there)
        else:
            await _copy(move, there)
            await _let_go(move, there)
    _tell(move, dry_run=dry_run)
    return 1 if move.left else 0


async def _counts(operator: Operator, name: str, kinds: Sequence[str]) -> dict[str, Count]:
    answer = await operator.get(f"/records/adoptable?types={','.join(kinds)}", ACTING)
    if answer.status_code == 404:
        raise NotInstalled("There is no records service here, so there is nothing to adopt.")
    found = _read(answer, Counts).types
    if strangers := [kind for kind, each in found.items() if each.owner != name]:
        raise NotInstalled(
            f"The {name} service is not part of this installation as records knows it, so records "
            f"serves {', '.join(strangers)} itself. Start {name}, and records beside it, first."
        )
    return found


async def _try(move: Move, there: int) -> None:
    """What the owner would say, without keeping anything."""
    with Shown("Looking", there) as bar:
        async for page in move.pages("bodies=yes", bar):
            path = f"/{move.name}/adopt?dry-run=true"
            said_so = await move.ask(path, Batch(page), Adopted)
            _count(move, said_so)


async def _copy(move: Move, there: int) -> None:
    """Records keeps everything meanwhile; the owner says what it read back from its own rows."""
    with Shown("Copying", there) as bar:
        async for page in move.pages("bodies=yes", bar):
            said_so = await move.ask(f"/{move.name}/adopt", Batch(page), Adopted)
            _count(move, said_so)
            move.compare(page, said_so.digests)
    if move.sent.digest() != move.arrived.digest():
        raise DigestsDiffer


def _count(move: Move, said_so: Adopted) -> None:
    move.adopted += said_so.adopted
    move.already += said_so.already
    move.leave(said_so.left)


async def _let_go(move: Move, there: int) -> None:
    """Asks the owner once more what it has, and records to let go of exactly that."""
    with Shown("Letting go", there) as bar:
        async for page in move.pages("bodies=no", bar):
            going = [each for each in page if (each.type, each.id) not in move.left]
            names = Names([Named(each.type, each.id, each.count) for each in going])
            owned = (await move.ask(f"/{move.name}/adopted", names, Names)).resources
            there_now = {(each.type, each.id) for each in owned}
            new = [each for each in going if (each.type, each.id) not in there_now]
            move.leave([Left(x.type, x.id, "It came while this ran; run it again.") for x in new])
            done = await move.ask("/records/let-go", Names(owned), LetGo)
            move.let_go += done.let_go
            move.leave(done.kept)


def _read(answer: httpx.Response, kind: type[T]) -> T:
    if answer.status_code != 200:
        raise Stopped(f"The adoption stopped: {said(answer)} Run it again to go on.")
    return msgspec.json.decode(answer.content, type=kind)


def _tell_counts(counts: dict[str, Count]) -> None:
    for kind, each in counts.items():
        if each.resources:
            print(f"  {kind:<24}{each.resources:>10,} resources {each.versions:>10,} versions")


def _tell(move: Move, *, dry_run: bool) -> None:
    word = "would move" if dry_run else "adopted"
    print(f"  {word:<24}{move.adopted:>10,} resources")
    print(f"  {'there already':<24}{move.already:>10,} resources")
    if not dry_run:
        print(f"  {'let go by records':<24}{move.let_go:>10,} resources")
        proof = f"{move.versions:,} versions, the same on both sides"
        print(f"  digest {move.arrived.hexdigest()[:16]} over {proof}")
    print(f"  {'stay with records':<24}{len(move.left):>10,} resources")
    if not move.left:
        return
    listed = [{"resource": f"{a}/{b}", "why": why} for (a, b), why in move.left.items()]
    for each in listed[:SHOWN_MAX]:
        print(f"  {each['resource']}: {each['why']}")
    report = Path(f"adopt-report-{time.strftime('%Y%m%d-%H%M%S')}.json").absolute()
    write_private(report, json.dumps({"left": listed}, indent=1) + "\n")
    print(f"The whole list: {report}")
