"""Roots and proofs of the tree, out of the leaves and nodes that are kept."""

from collections.abc import Sequence

from polyclinic.foundation.database import Database, Transaction
from polyclinic.services.audit.domain.entries import WIDTH
from polyclinic.services.audit.store import tree
from polyclinic.standards.transparency import merkle
from polyclinic.standards.transparency.merkle import Range

_LEVEL_BITS = WIDTH.bit_length() - 1


async def complete(tx: Transaction, old: int, new: int) -> None:
    """Keeps the nodes that became complete while the tree grew from `old` to `new` leaves."""
    level = 0
    while new >= WIDTH:
        for position in range(old // WIDTH, new // WIDTH):
            below = await tree.list_hashes(tx, level, position * WIDTH, (position + 1) * WIDTH)
            await tree.add_node(tx, level + 1, position, merkle.root_of(below))
        old, new, level = old // WIDTH, new // WIDTH, level + 1


async def root(where: Database | Transaction, size: int) -> bytes:
    """The root of the first `size` leaves: one short query for each level of 256."""
    return await _hash_of(where, (0, size)) if size else merkle.EMPTY


async def hashes(where: Database | Transaction, ranges: Sequence[Range]) -> list[bytes]:
    """The hashes of ranges of a proof."""
    return [await _hash_of(where, each) for each in ranges]


async def _hash_of(where: Database | Transaction, wanted: Range) -> bytes:
    """Of a range as it stands in the tree: its complete parts, joined from the right."""
    found: bytes | None = None
    for part in reversed(merkle.complete_parts(*wanted)):
        left = await _complete_hash(where, part)
        found = left if found is None else merkle.node_hash(left, found)
    assert found is not None
    return found


async def _complete_hash(where: Database | Transaction, part: Range) -> bytes:
    height = (part[1] - part[0]).bit_length() - 1
    level = height // _LEVEL_BITS
    scale = level * _LEVEL_BITS
    below = await tree.list_hashes(where, level, part[0] >> scale, part[1] >> scale)
    return merkle.root_of(below)
