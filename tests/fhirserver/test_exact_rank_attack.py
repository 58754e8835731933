"""The exact-rank attack on the blind index of names (docs/reference/security.md).

The attacker holds the index column and the true distribution, knows the scheme, ranks the index
terms by how many records carry them, and matches them with the values ranked by how many records
each of their terms is expected to carry. What counts is the share of the records whose value is
told rightly, against the blind guess that everybody has the commonest one.
"""

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.resources import files

import pytest

from polyclinic.fhirserver.name_frequency import normalised, salts

PATIENTS = 200_000
TAU = 1e-4

Term = Callable[[str, str, int], int]
Salts = Callable[[str, str], int]


def keyed_term(kind: str, text: str, salt: int) -> int:
    written = f"{kind}\0{text}\0{salt}".encode()
    return int.from_bytes(hashlib.blake2b(written, digest_size=8, key=b"k" * 32).digest())


def smoothed(kind: str, text: str) -> int:
    return salts(kind, text, TAU)


def unsmoothed(kind: str, text: str) -> int:
    return 1


def census(table: str) -> dict[str, float]:
    lines = files("names").joinpath(table).read_text().splitlines()
    return {normalised(line.split()[0]): float(line.split()[1]) / 100 for line in lines}


def prefixes(names: dict[str, float], length: int) -> dict[str, float]:
    summed: Counter[str] = Counter()
    for name, share in names.items():
        if len(name) >= length:
            summed[name[:length]] += share
    return dict(summed)


def drawn(values: dict[str, float], seed: int) -> list[str]:
    return random.Random(seed).choices(list(values), weights=list(values.values()), k=PATIENTS)


def index_column(kind: str, people: list[str], term: Term, spread: Salts) -> list[int]:
    dice = random.Random(7)
    return [term(kind, text, dice.randrange(spread(kind, text))) for text in people]


def expected_terms(kind: str, values: dict[str, float], spread: Salts) -> Iterator[str]:
    """The value behind each term, the term expected on most records first."""
    each = {
        text: (share / spread(kind, text), spread(kind, text)) for text, share in values.items()
    }
    for text in sorted(each, key=lambda text: -each[text][0]):
        yield from [text] * each[text][1]


def share_recovered(
    kind: str, people: list[str], values: dict[str, float], spread: Salts, term: Term = keyed_term
) -> float:
    column = index_column(kind, people, term, spread)
    ranked = (found for found, _ in Counter(column).most_common())
    guess = dict(zip(ranked, expected_terms(kind, values, spread), strict=False))
    told = sum(guess.get(found) == text for found, text in zip(column, people, strict=True))
    return told / len(people)


def blind_guess(people: list[str]) -> float:
    return Counter(people).most_common(1)[0][1] / len(people)


def columns() -> list[tuple[str, str, int]]:
    tables = (("family", "dist.all.last"), ("given", "dist.female.first"))
    return [
        (kind + (str(length) if length else ""), table, length)
        for kind, table in tables
        for length in (0, 3, 4, 5)
    ]


@pytest.mark.parametrize(("kind", "table", "length"), columns())
def test_ranking_the_terms_tells_no_more_than_the_blind_guess(kind, table, length):
    values = census(table)
    values = prefixes(values, length) if length else values
    people = drawn(values, seed=2026)
    assert share_recovered(kind, people, values, smoothed) <= blind_guess(people)


def test_the_attack_works_on_an_index_that_is_not_smoothed():
    values = census("dist.all.last")
    people = drawn(values, seed=2026)
    assert share_recovered("family", people, values, unsmoothed) > 3 * blind_guess(people)
