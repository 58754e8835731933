"""`polyclinic audit verify`: reads the tree, the anchors and the services' rows."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec

from polyclinic.cli.operator import Operator, said
from polyclinic.cli.proving import Leaf, NotRead, Proof, check_missing, checkpoints_of, prove
from polyclinic.foundation.errors import Invalid, Unavailable
from polyclinic.standards.transparency.note import BadNote, Verifier, notes_of

ACTING = ("audit-verify", "system/audit.trails")
ACCOUNTING = ("audit-accounting", "system/*.cruds")


async def verify(operator: Operator, anchors: Sequence[Path], key: str | None) -> int:
    """Prints what was proven; the exit code is 1 when it is broken, 3 when not all was read."""
    async with operator:
        reads = Platform(operator)
        stated = await reads.key()
        verifier = _verifier(key, anchors, stated)
        proof = Proof()
        if str(verifier) != stated:
            proof.broke("audit", "its key", "is not the one that is trusted here")
        in_files = [(str(f), note) for f in anchors for note in notes_of(_content(f))]
        in_table = [("audit.checkpoint", note) for note in await reads.notes()]
        filed = checkpoints_of(proof, in_files, verifier)
        roots = checkpoints_of(proof, [*in_files, *in_table], verifier) if in_table else filed
        kept = checkpoints_of(Proof(), in_table, verifier)
        check_missing(proof, filed, kept)
        await prove(proof, reads, roots)
    return show(proof, anchors)


async def account(operator: Operator, patient: str, low: str | None, high: str | None) -> int:
    """Prints the accounting of disclosures of a patient (45 CFR 164.528), the oldest first."""
    asked = {"patient": patient, "from": low, "to": high}
    body = msgspec.json.encode({name: value for name, value in asked.items() if value})
    headers = {"content-type": "application/json"}
    async with operator:
        answer = await operator.post("/audit/accounting", body, headers, ACCOUNTING)
    if answer.status_code != 200:
        raise Invalid(f"No accounting: {said(answer)}")
    found = answer.json()
    print(f"Disclosures from {found['from']} to {found['to']}: {len(found['lines'])}.")
    for line in found["lines"]:
        series = line["series"]
        more = f"; {series['count']} in all, the last on {series['last']}" if series else ""
        address = f", {line['address']}" if line["address"] else ""
        print(f"{line['day']}  {line['recipient']}{address}: {line['what']}. {line['purpose']}")
        print(f"            {line['basis']}, made by {line['made_by']}{more}")
    return 0


def show(proof: Proof, anchors: Sequence[Path]) -> int:
    """Says it on standard output, the first break first."""
    print(f"{proof.leaves:,} rows, {proof.checkpoints} checkpoints, signed up to {proof.signed:,}.")
    for source in sorted({*proof.rows, *proof.waiting}):
        waits = proof.waiting.get(source, 0)
        more = f", {waits} not taken in yet" if waits else ""
        print(f"  {source}: {proof.rows.get(source, 0):,} rows{more}")
    if not anchors:
        print("No anchor file was given: who holds the database's key could have rewritten all.")
    for source in proof.unread:
        print(f"Not compared: {source} does not answer.")
    for found in proof.breaks:
        print(f"BROKEN: {found.source}, row {found.row}: {found.what}.")
    if proof.breaks:
        return 1
    if proof.unread:
        return 3
    print("Nothing is broken.")
    return 0


def _verifier(key: str | None, anchors: Sequence[Path], stated: str) -> Verifier:
    """The key that is given, else the one beside an anchor file, else the platform's word."""
    beside = [file for each in anchors if (file := each.with_suffix(".key")).exists()]
    text = key or (_content(beside[0]) if beside else stated)
    if not key and not beside:
        print(
            "The key is the platform's own word; compare it with one that you kept (--audit-key)."
        )
    try:
        return Verifier.read(text)
    except BadNote as bad:
        raise Invalid(str(bad), place="audit-key") from bad


def _content(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as refused:
        raise Invalid(f"{file} cannot be read.", place="anchors") from refused


class Platform:
    """A running platform as `prove` wants to read it."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator

    async def key(self) -> str:
        return (await self._get("/audit/key"))["key"]

    async def notes(self) -> list[str]:
        found: list[str] = []
        after = 0
        while page := (await self._get("/audit/checkpoints", after=after))["checkpoints"]:
            found += [each["note"] for each in page]
            after = page[-1]["size"]
        return found

    async def sources(self) -> list[str]:
        return (await self._get("/audit/sources"))["sources"]

    async def entries(self) -> AsyncIterator[Leaf]:
        after = -1
        while page := (await self._get("/audit/entries", after=after))["entries"]:
            for each in page:
                yield each
            after = page[-1]["seq"]

    async def entries_of(self, source: str) -> AsyncIterator[Leaf]:
        after = "0.0.0"
        while page := (await self._get("/audit/entries", source=source, after=after))["entries"]:
            for each in page:
                yield each
            after = page[-1]["spot"]

    async def nodes(self) -> AsyncIterator[Any]:
        level, position = 0, -1
        while page := (await self._get("/audit/nodes", level=level, position=position))["nodes"]:
            for each in page:
                yield each
            level, position = page[-1]["level"], page[-1]["position"]

    async def trail(self, source: str) -> AsyncIterator[bytes]:
        service, _, name = source.partition(".")
        after, more = "0.0.0", True
        while more:
            path = f"/{service}/trails/{name}?after={after}"
            answer = await self._operator.get(path, ACTING)
            if answer.status_code != 200:
                raise NotRead
            page = msgspec.json.decode(answer.content, type=_Page)
            for row in page.rows:
                yield bytes(row)
            after, more = page.last, page.more

    async def impossible(self, source: str) -> list[bytes]:
        service, _, name = source.partition(".")
        answer = await self._operator.get(f"/{service}/trails/{name}/impossible", ACTING)
        if answer.status_code != 200:
            raise NotRead
        return [bytes(row) for row in msgspec.json.decode(answer.content, type=_Rows).rows]

    async def _get(self, path: str, **asked: object) -> Any:
        query = f"?{urlencode(asked)}" if asked else ""
        answer = await self._operator.get(path + query, ACTING)
        if answer.status_code != 200:
            raise Unavailable(f"The audit service does not answer: {said(answer)}")
        return answer.json()


class _Page(msgspec.Struct, frozen=True):
    last: str
    more: bool
    rows: tuple[msgspec.Raw, ...]


class _Rows(msgspec.Struct, frozen=True):
    rows: tuple[msgspec.Raw, ...]
