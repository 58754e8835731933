"""The tree is RFC 6962's: roots and proofs are those of its own definitions."""

import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from merkle_oracle import mth, path, proof

from polyclinic.standards.transparency.merkle import (
    EMPTY,
    BadProof,
    Frontier,
    check_consistency,
    check_inclusion,
    complete_parts,
    consistency_ranges,
    inclusion_ranges,
    leaf_hash,
    node_hash,
    peaks_of,
    root_of,
)

# The inputs and roots that the reference implementations of Certificate Transparency are tried
# with (RFC 6962's authors; the tree of eight leaves is also the figure of section 2.1.3).
INPUTS = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
leaves = st.lists(st.binary(max_size=8), min_size=1, max_size=70)


def hashes(inputs):
    return [leaf_hash(each) for each in inputs]


def of_ranges(inputs, ranges):
    return [root_of(hashes(inputs[start:end])) for start, end in ranges]


def test_roots_are_those_of_the_known_trees():
    assert root_of([]) == EMPTY == hashlib.sha256(b"").digest()
    for size, root in enumerate(ROOTS, start=1):
        assert root_of(hashes(INPUTS[:size])).hex() == root


def test_a_tree_of_three_leaves_by_hand():
    a, b, c = hashes([b"a", b"b", b"c"])
    assert root_of([a, b, c]) == node_hash(node_hash(a, b), c)
    assert inclusion_ranges(0, 3) == [(1, 2), (2, 3)]
    assert inclusion_ranges(2, 3) == [(0, 2)]


def test_the_proofs_of_the_figure_in_the_rfc():
    """Section 2.1.3, a tree of seven leaves: audit paths, and growth from 3, 4 and 6 leaves."""
    assert inclusion_ranges(0, 7) == [(1, 2), (2, 4), (4, 7)]
    assert inclusion_ranges(3, 7) == [(2, 3), (0, 2), (4, 7)]
    assert inclusion_ranges(4, 7) == [(5, 6), (6, 7), (0, 4)]
    assert inclusion_ranges(6, 7) == [(4, 6), (0, 4)]
    assert consistency_ranges(3, 7) == [(2, 3), (3, 4), (0, 2), (4, 7)]
    assert consistency_ranges(4, 7) == [(4, 7)]
    assert consistency_ranges(6, 7) == [(4, 6), (6, 7), (0, 4)]


@given(leaves)
def test_the_root_is_that_of_the_definition(inputs):
    assert root_of(hashes(inputs)) == mth(inputs)
    frontier = Frontier()
    for size, leaf in enumerate(hashes(inputs), start=1):
        frontier.add(leaf)
        assert frontier.root() == mth(inputs[:size])
        assert len(frontier.peaks) == len(peaks_of(size)) == size.bit_count()


@given(leaves, st.data())
def test_a_proof_of_inclusion_is_the_audit_path_and_is_accepted(inputs, data):
    index = data.draw(st.integers(0, len(inputs) - 1))
    made = of_ranges(inputs, inclusion_ranges(index, len(inputs)))
    assert made == path(index, inputs)
    check_inclusion(leaf_hash(inputs[index]), index, len(inputs), made, mth(inputs))


@given(leaves, st.data())
def test_a_proof_of_growth_is_that_of_the_definition_and_is_accepted(inputs, data):
    old = data.draw(st.integers(1, len(inputs)))
    made = of_ranges(inputs, consistency_ranges(old, len(inputs)))
    assert made == proof(old, inputs)
    check_consistency(old, len(inputs), made, mth(inputs[:old]), mth(inputs))


@given(leaves, st.data())
def test_a_proof_with_anything_changed_is_refused(inputs, data):
    index = data.draw(st.integers(0, len(inputs) - 1))
    size, root = len(inputs), mth(inputs)
    made = path(index, inputs)
    wrong = data.draw(st.sampled_from(["leaf", "root", "longer", "shorter", "hash"]))
    leaf = leaf_hash(inputs[index])
    if wrong == "leaf":
        leaf = leaf_hash(inputs[index] + b"!")
    elif wrong == "root":
        root = hashlib.sha256(root).digest()
    elif wrong == "longer":
        made = [*made, leaf]
    elif made and wrong == "shorter":
        made = made[:-1]
    elif made:
        made = [hashlib.sha256(made[0]).digest(), *made[1:]]
    else:
        size = 2
    with pytest.raises(BadProof):
        check_inclusion(leaf, index, size, made, root)


@given(leaves, st.data())
def test_a_rewritten_beginning_has_no_proof_of_growth(inputs, data):
    old = data.draw(st.integers(1, len(inputs)))
    changed = data.draw(st.integers(0, old - 1))
    other = [*inputs[:changed], inputs[changed] + b"!", *inputs[changed + 1 :]]
    with pytest.raises(BadProof):
        check_consistency(old, len(inputs), proof(old, inputs), mth(other[:old]), mth(inputs))
    with pytest.raises(BadProof):
        check_consistency(old, len(inputs), proof(old, other), mth(inputs[:old]), mth(other))


def test_what_cannot_be_proven_is_refused_by_name():
    with pytest.raises(ValueError, match="no leaf 3"):
        inclusion_ranges(3, 3)
    with pytest.raises(ValueError, match="does not begin with one of 0"):
        consistency_ranges(0, 3)
    with pytest.raises(BadProof, match="4 hashes"):
        check_consistency(3, 7, [], EMPTY, EMPTY)


@given(st.integers(1, 1 << 40))
def test_complete_parts_cover_a_range_without_gaps(size):
    parts = complete_parts(0, size)
    assert parts[0][0] == 0
    assert parts[-1][1] == size
    assert all(a[1] == b[0] for a, b in itertools.pairwise(parts))
    assert all(
        (end - start).bit_count() == 1 and start % (end - start) == 0 for start, end in parts
    )
