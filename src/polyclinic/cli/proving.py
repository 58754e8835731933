"""Proves an audit tree: against its signed checkpoints, itself, and the rows that it is made of.

Pure: it is given what others read. Each finding says where, which row, and what is wrong with it.
"""

import base64
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from polyclinic.standards.transparency.merkle import Frontier, leaf_hash, root_of
from polyclinic.standards.transparency.note import BadNote, Checkpoint, Verifier, open_note

WIDTH = 256  # leaves below one kept node
FINDINGS_MAX = 20
Spot = tuple[int, int, int]
Leaf = Mapping[str, Any]  # as `GET /audit/entries` says it


@dataclass(frozen=True, slots=True)
class Break:
    """Something that is not as it was: in which log, at which row, and what."""

    source: str
    row: str
    what: str


class Reads(Protocol):
    """Where leaves, nodes, sources and the services' own rows come from."""

    def entries(self) -> AsyncIterator[Leaf]: ...
    def entries_of(self, source: str) -> AsyncIterator[Leaf]: ...
    def nodes(self) -> AsyncIterator[Mapping[str, Any]]: ...
    def trail(self, source: str) -> AsyncIterator[bytes]: ...
    async def impossible(self, source: str) -> Sequence[bytes]: ...
    async def sources(self) -> Sequence[str]: ...


@dataclass(slots=True)
class Proof:
    """What was looked at, and what is broken; the first break comes first."""

    leaves: int = 0
    checkpoints: int = 0
    signed: int = 0
    rows: dict[str, int] = field(default_factory=dict[str, int])
    waiting: dict[str, int] = field(default_factory=dict[str, int])
    unread: list[str] = field(default_factory=list[str])
    breaks: list[Break] = field(default_factory=list[Break])

    def broke(self, source: str, row: object, what: str) -> None:
        if len(self.breaks) < FINDINGS_MAX:
            self.breaks.append(Break(source, str(row), what))


class NotRead(Exception):
    """A service does not let its trail be read now."""


def spot_of(text: str) -> Spot:
    generation, tx, position = map(int, text.split("."))
    return generation, tx, position


def checkpoints_of(
    proof: Proof, notes: Iterable[tuple[str, str]], verifier: Verifier
) -> dict[int, bytes]:
    """The signed roots by size. `notes` are (where it stands, note), in the order of each place."""
    roots: dict[int, bytes] = {}
    last: dict[str, tuple[int, datetime]] = {}
    for where, note in notes:
        try:
            found = Checkpoint.read(open_note(note, [verifier]))
        except BadNote as bad:
            proof.broke(where, "a checkpoint", str(bad))
            continue
        known = last.get(where)
        if known and (found.size <= known[0] or found.at < known[1]):
            proof.broke(where, f"checkpoint of {found.size}", "is out of order")
        last[where] = found.size, found.at
        if roots.setdefault(found.size, found.root) != found.root:
            proof.broke(where, f"checkpoint of {found.size}", "is one of two views of this size")
    proof.checkpoints = len(roots)
    return roots


def check_missing(proof: Proof, anchored: Iterable[int], kept: Iterable[int]) -> None:
    """Each place must have what the other has, as far as the shorter one reaches."""
    files, table = set(anchored), set(kept)
    if files:
        for size in sorted(table - files):
            if size < max(files):
                proof.broke("anchors", f"checkpoint of {size}", "is missing in the anchor files")
        for size in sorted(files - table):
            proof.broke("audit.checkpoint", f"checkpoint of {size}", "was removed")


async def check_tree(proof: Proof, reads: Reads, roots: Mapping[int, bytes]) -> dict[str, Spot]:
    """Leaves against their bytes, roots and nodes; answers how far each source reaches."""
    tree, whole, ends = Frontier(), list[bytes](), dict[str, Spot]()
    expected = 0
    async for leaf in reads.entries():
        if leaf["seq"] != expected:
            missing = f"{expected} to {leaf['seq'] - 1}" if leaf["seq"] > expected else expected
            proof.broke("audit.entry", missing, "is missing")
        expected = leaf["seq"] + 1
        body = base64.b64decode(leaf["body"])
        hashed = leaf_hash(body)
        if hashed.hex() != leaf["leaf"] or not _fits(leaf, body):
            proof.broke("audit.entry", leaf["seq"], "was changed")
        tree.add(bytes.fromhex(leaf["leaf"]))
        whole.append(bytes.fromhex(leaf["leaf"]))
        source, spot = leaf["source"], spot_of(leaf["spot"])
        if spot <= ends.get(source, (0, 0, 0)):
            proof.broke("audit.entry", leaf["seq"], "is out of order")
        ends[source] = spot
        proof.rows[source] = proof.rows.get(source, 0) + 1
        _check_root(proof, tree, roots)
    proof.leaves = tree.size
    for size in sorted(size for size in roots if size > tree.size):
        proof.broke("audit.entry", f"{tree.size} to {size - 1}", "was cut off: it was signed")
        break
    await _check_nodes(proof, reads, whole)
    return ends


def _check_root(proof: Proof, tree: Frontier, roots: Mapping[int, bytes]) -> None:
    """Only the first checkpoint that does not fit says something new."""
    if (root := roots.get(tree.size)) is None:
        return
    if root == tree.root():
        proof.signed = tree.size
    elif not any(each.what.startswith("is not what") for each in proof.breaks):
        rows = f"{proof.signed} to {tree.size - 1}"
        proof.broke("audit.entry", rows, "is not what was signed: one of these was rewritten")


def _fits(leaf: Leaf, body: bytes) -> bool:
    """Whether the columns that searches use say what the hashed bytes say."""
    said = json.loads(body)
    place = f"{said['generation']}.{said['tx']}.{said['position']}"
    actor = said.get("actor") or said.get("account_id") or said.get("client_id") or ""
    at = datetime.fromisoformat(said["at"]) == datetime.fromisoformat(leaf["at"])
    told = (leaf["source"], leaf["spot"], leaf["patient"], leaf["actor"])
    return at and told == (said["source"], place, said.get("patient"), actor)


async def _check_nodes(proof: Proof, reads: Reads, leaves: list[bytes]) -> None:
    """The kept nodes are those of the leaves, and all are there."""
    wanted: dict[tuple[int, int], str] = {}
    level, below = 0, leaves
    while len(below) >= WIDTH:
        level += 1
        count = len(below) // WIDTH
        below = [root_of(below[n * WIDTH : (n + 1) * WIDTH]) for n in range(count)]
        wanted |= {(level, n): each.hex() for n, each in enumerate(below)}
    async for node in reads.nodes():
        place = node["level"], node["position"]
        expected = wanted.pop(place, None)
        # What was gathered meanwhile has nodes that this run has not met.
        if expected is None and (node["position"] + 1) * WIDTH ** node["level"] > len(leaves):
            continue
        if expected != node["hash"]:
            proof.broke("audit.node", f"{place[0]}/{place[1]}", "was changed or inserted")
    for place in sorted(wanted):
        proof.broke("audit.node", f"{place[0]}/{place[1]}", "is missing")


async def check_source(proof: Proof, reads: Reads, source: str, end: Spot) -> None:
    """A service's own rows beside their leaves, as far as they were taken in before (`end`)."""
    leaves = reads.entries_of(source)
    leaf = await _next(leaves, end)
    async for row in reads.trail(source):
        said = json.loads(row)
        spot: Spot = said["generation"], said["tx"], said["position"]
        while leaf is not None and spot_of(leaf["spot"]) < spot:
            proof.broke(source, leaf["spot"], "was removed")
            leaf = await _next(leaves, end)
        if spot > end:
            proof.waiting[source] = proof.waiting.get(source, 0) + 1
        elif leaf is None or spot_of(leaf["spot"]) != spot:
            proof.broke(source, ".".join(map(str, spot)), "was inserted")
        else:
            _compare(proof, source, leaf, row)
            leaf = await _next(leaves, end)
    while leaf is not None:
        proof.broke(source, leaf["spot"], "was removed")
        leaf = await _next(leaves, end)
    for row in await reads.impossible(source):
        said = json.loads(row)
        place = f"{said['generation']}.{said['tx']}.{said['position']}"
        proof.broke(source, place, "was inserted: its transaction has not been")


async def _next(leaves: AsyncIterator[Leaf], end: Spot) -> Leaf | None:
    """The next leaf that was there when the tree was looked at."""
    leaf = await anext(leaves, None)
    return leaf if leaf is not None and spot_of(leaf["spot"]) <= end else None


def _compare(proof: Proof, source: str, leaf: Leaf, row: bytes) -> None:
    body = base64.b64decode(leaf["body"])
    if body != row:
        before, now = json.loads(body), json.loads(row)
        names = sorted(n for n in {*before, *now} if before.get(n) != now.get(n))
        proof.broke(source, leaf["spot"], f"was changed: {', '.join(names)}")


async def prove(proof: Proof, reads: Reads, roots: Mapping[int, bytes]) -> None:
    """All of it: the tree, then each source."""
    ends = await check_tree(proof, reads, roots)
    for source in sorted({*await reads.sources(), *ends}):
        try:
            await check_source(proof, reads, source, ends.get(source, (0, 0, 0)))
        except NotRead:
            proof.unread.append(source)
    # A row that can be named says more than a range.
    proof.breaks.sort(key=lambda each: each.what.startswith("is not what"))
