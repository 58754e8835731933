"""The exact-rank attack on the blind index of names (docs/reference/security.md).

The attacker holds the index column and the true distribution, knows the scheme, ranks the index
terms by how many records carry them, and matches them with the values ranked by how many records
each of their terms is expected to carry. What counts is the share of the records whose value is
told rightly, against the blind guess that everybody has the commonest one.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files

import pytest

from polyclinic.fhirserver.name_frequency import salts
from polyclinic.fhirserver.terms import PREFIXES, TAU, Terms
from polyclinic.foundation.vault import RootKey, Vault
from polyclinic.standards.fhir.search_values import normalise_text

PATIENTS = 200_000
Salts = Callable[[str, str], int]


@pytest.fixture(scope="module")
def terms(tmp_path_factory):
    root = RootKey.create(tmp_path_factory.mktemp("keys") / "root.key")
    return Terms(Vault(root, "records"))


@cache
def census(param: str) -> dict[str, float]:
    table = {"family": "dist.all.last", "given": "dist.female.first"}[param]
    lines = files("names").joinpath(table).read_text().splitlines()
    return {normalise_text(line.split()[0]): float(line.split()[1]) / 100 for line in lines}


@cache
def people(param: str) -> list[str]:
    names = census(param)
    return random.Random(2026).choices(list(names), weights=list(names.values()), k=PATIENTS)


@cache
def stored(terms: Terms, param: str) -> list[list[int]]:
    """What the index holds of everybody: by length of the beginning, the whole name last."""
    return [terms.stored_text("Patient", param, name) for name in people(param)]


def column(terms: Terms, param: str, length: int) -> list[tuple[int, str]]:
    """One column of the index beside the truth; who has a shorter name is not in it."""
    if not length:
        return [
            (found[-1], name)
            for found, name in zip(stored(terms, param), people(param), strict=True)
        ]
    place = PREFIXES.index(length)
    return [
        (found[place], name[:length])
        for found, name in zip(stored(terms, param), people(param), strict=True)
        if len(name) >= length
    ]


def distribution(param: str, length: int) -> dict[str, float]:
    if not length:
        return census(param)
    summed: Counter[str] = Counter()
    for name, share in census(param).items():
        if len(name) >= length:
            summed[name[:length]] += share
    return dict(summed)


def smoothed(kind: str, text: str) -> int:
    return salts(kind, text, TAU)


def unsmoothed(kind: str, text: str) -> int:
    return 1


def expected_terms(kind: str, values: dict[str, float], spread: Salts) -> Iterator[str]:
    """The value behind each term, the term expected on most records first."""
    counted = {text: spread(kind, text) for text in values}
    for text in sorted(values, key=lambda text: -values[text] / counted[text]):
        yield from [text] * counted[text]


def share_recovered(
    kind: str, index: list[tuple[int, str]], values: dict[str, float], spread: Salts
) -> float:
    ranked = (found for found, _ in Counter(found for found, _ in index).most_common())
    guess = dict(zip(ranked, expected_terms(kind, values, spread), strict=False))
    return sum(guess.get(found) == text for found, text in index) / len(index)


def blind_guess(index: list[tuple[int, str]]) -> float:
    return Counter(text for _, text in index).most_common(1)[0][1] / len(index)


@pytest.mark.parametrize("length", [0, *PREFIXES])
@pytest.mark.parametrize("param", ["family", "given"])
def test_ranking_the_terms_tells_no_more_than_the_blind_guess(terms, param, length):
    kind = f"{param}{length or ''}"
    index = column(terms, param, length)
    recovered = share_recovered(kind, index, distribution(param, length), smoothed)
    assert recovered <= blind_guess(index)


@pytest.mark.parametrize("length", [0, *PREFIXES])
def test_no_term_of_a_common_name_stands_out(terms, length):
    """Each is expected on at most a share tau of the people; chance adds a little."""
    index = column(terms, "family", length)
    # The census table covers 79.6 % of the people, so shares within it are larger by a quarter.
    expected = TAU / 0.796 * PATIENTS
    assert max(Counter(found for found, _ in index).values()) < 3 * expected


def test_the_attack_works_on_an_index_that_is_not_smoothed():
    index = [(hash(name), name) for name in people("family")]
    recovered = share_recovered("family", index, census("family"), unsmoothed)
    assert recovered > 3 * blind_guess(index)
