"""How many salts a name's index term has, so that common names do not stand out in the index.

Frequency smoothing ("weak randomisation" after Pouliot, Griffy and Wright): a value v that a
share f(v) of the people has is spread over H(v) = ceil(f(v)/tau) terms; a record takes one of
them at random, a query asks for all. No term is then expected on more than a share tau of the
records, so the rank order of the terms' counts no longer tells the names.

f comes from the 1990 US Census; `data/README.md` tells how the table is made.
"""

import math
import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files

import zstandard

PREFIX_LENGTHS = (3, 4, 5)
# The census gives percents with three decimals, and given names are the mean of two tables.
UNIT = 0.5e-5
_KINDS = ("family", "given", "name")


def normalised(text: str) -> str:
    """Casefolded letters and single spaces; marks and apostrophes go, hyphens part words."""
    bare = unicodedata.normalize("NFKD", text.casefold())
    spaced = (" " if c.isspace() or unicodedata.category(c) == "Pd" else c for c in bare)
    return " ".join("".join(c for c in spaced if c == " " or c.isalpha()).split())


def frequency(kind: str, text: str) -> float:
    """The share of people with this name; `text` is normalised. 0.0 when it is rare.

    `kind` is `family`, `given` or `name` (either of the two), with 3, 4 or 5 behind it for the
    prefix of that length (`family3`). The census writes O'Connor and De la Cruz as one word, so
    spaces do not count; a prefix that gets shorter by that stands for all that begin so, which is
    too many rather than too few.
    """
    length = int(kind[-1]) if kind[-1].isdigit() else 0
    joined = text.replace(" ", "")
    steps = _beginning(kind, joined) if len(joined) < length else frequencies(kind).get(joined, 0)
    return steps * UNIT


def salts(kind: str, text: str, tau: float) -> int:
    """H(v) = ceil(f(v)/tau): how many terms the value is spread over; 1 when it is rare."""
    # The small number keeps 1e-4/1e-4 at one salt in spite of binary fractions.
    return max(1, math.ceil(frequency(kind, text) / tau - 1e-9))


@cache
def frequencies(kind: str) -> Mapping[str, int]:
    """Every common value of a kind with its frequency in steps of `UNIT`."""
    if kind not in _kinds():
        raise ValueError(f"{kind} is not a kind of name that is smoothed.")
    if not kind.startswith("name"):
        return _tables()[kind]
    length = kind.removeprefix("name")
    family, given = _tables()[f"family{length}"], _tables()[f"given{length}"]
    return {text: family.get(text, 0) + given.get(text, 0) for text in family.keys() | given.keys()}


@lru_cache(1024)
def _beginning(kind: str, start: str) -> int:
    return sum(steps for text, steps in frequencies(kind).items() if text.startswith(start))


@cache
def _kinds() -> frozenset[str]:
    return frozenset(f"{kind}{length}" for kind in _KINDS for length in ("", *PREFIX_LENGTHS))


@cache
def _tables() -> dict[str, dict[str, int]]:
    packed = files("polyclinic.fhirserver").joinpath("data/name_frequencies.tsv.zst").read_bytes()
    text = zstandard.ZstdDecompressor().decompress(packed).decode()
    tables: dict[str, dict[str, int]] = {}
    table: dict[str, int] = {}
    for line in text.splitlines():
        if line.startswith("="):
            table = tables.setdefault(line[1:], {})
        else:
            name, _, steps = line.partition("\t")
            table[name] = int(steps)
    return tables
