"""The Merkle tree of RFC 6962: leaves, nodes, roots, and proofs of inclusion and of growth.

A tree of n leaves splits at the largest power of two below n. Everything here speaks of ranges
`[start, end)` of leaves; who keeps hashes answers for a range, and `Frontier` is the least that
must be kept to let a tree grow. https://www.rfc-editor.org/rfc/rfc6962#section-2.1
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

EMPTY = hashlib.sha256(b"").digest()
Range = tuple[int, int]


class BadProof(ValueError):
    """A proof does not lead to the root that it should lead to."""


def leaf_hash(content: bytes) -> bytes:
    """The hash of a leaf; its first byte keeps it apart from every node."""
    return hashlib.sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(size: int) -> int:
    """The largest power of two below `size`, which is at least 2."""
    return 1 << (size - 1).bit_length() - 1


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over the hashes of some leaves; they lie side by side."""
    frontier = Frontier()
    for each in hashes:
        frontier.add(each)
    return frontier.root()


@dataclass(slots=True)
class Frontier:
    """The roots of the complete subtrees on a tree's right edge: one for each bit of its size."""

    size: int = 0
    peaks: list[bytes] = field(default_factory=list[bytes])

    def add(self, leaf: bytes) -> None:
        """Takes one more leaf (its hash): O(1) on average."""
        rising, size = leaf, self.size
        while size & 1:
            rising = node_hash(self.peaks.pop(), rising)
            size >>= 1
        self.peaks.append(rising)
        self.size += 1

    def root(self) -> bytes:
        if not self.peaks:
            return EMPTY
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


def peaks_of(size: int) -> list[Range]:
    """The complete subtrees that a tree of this size is made of, from left to right."""
    found: list[Range] = []
    start = 0
    for bit in range(size.bit_length() - 1, -1, -1):
        if size >> bit & 1:
            found.append((start, start + (1 << bit)))
            start += 1 << bit
    return found


def complete_parts(start: int, end: int) -> list[Range]:
    """A range as it stands in a tree (start is a multiple of its parts) in complete subtrees."""
    return [(start + a, start + b) for a, b in peaks_of(end - start)]


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The ranges whose hashes prove that a leaf is in a tree, from the leaf upwards."""
    if not 0 <= index < size:
        raise ValueError(f"A tree of {size} leaves has no leaf {index}.")
    found: list[Range] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    return found[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """The ranges whose hashes prove that the tree of `new` leaves begins with that of `old`."""
    if not 0 < old <= new:
        raise ValueError(f"A tree of {new} leaves does not begin with one of {old}.")
    found: list[Range] = []
    start, end, is_whole = 0, new, True
    while end - start > 1 and old != end:
        middle = start + split(end - start)
        if old <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start, is_whole = middle, False
    if not is_whole:
        found.append((start, end))
    return found[::-1]


def check_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Raises BadProof unless the leaf (its hash) stands at `index` of the tree under `root`."""
    if not 0 <= index < size:
        raise BadProof(f"A tree of {size} leaves has no leaf {index}.")
    ranges = inclusion_ranges(index, size)
    if len(ranges) != len(proof):
        raise BadProof(f"This proof has {len(ranges)} hashes.")
    found = leaf
    for (start, _), each in zip(ranges, proof, strict=True):
        found = node_hash(each, found) if start < index else node_hash(found, each)
    if found != root:
        raise BadProof("The proof does not lead to the root.")


def check_consistency(
    old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Raises BadProof unless the newer tree begins with the older one, which is not empty."""
    if not 0 < old <= new:
        raise BadProof(f"A tree of {new} leaves does not begin with one of {old}.")
    ranges = consistency_ranges(old, new)
    if len(ranges) != len(proof):
        raise BadProof(f"This proof has {len(ranges)} hashes.")
    parts = list(zip(ranges, proof, strict=True))
    # Where the old tree stands whole in the new one, its root is the first hash.
    if not parts or parts[0][0][0] >= old:
        parts.insert(0, ((0, old), old_root))
    (begin, _), before = parts[0]
    after = before
    for (start, _), each in parts[1:]:
        if start < begin:
            begin, before, after = start, node_hash(each, before), node_hash(each, after)
        else:
            after = node_hash(after, each)
    if before != old_root or after != new_root:
        raise BadProof("The proof does not lead to both roots.")
