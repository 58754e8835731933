"""Writes the name frequencies that the blind index of names is smoothed with.

Run `.venv/bin/python scripts/make_name_frequencies.py`; it reads the 1990 US Census tables in
the PyPI package `names` and writes `src/polyclinic/fhirserver/data/name_frequencies.tsv.zst`.
"""

from collections import Counter
from importlib.resources import files
from pathlib import Path

import zstandard

from polyclinic.fhirserver.name_frequency import PREFIX_LENGTHS, UNIT, normalised

TARGET = Path(__file__).parents[1] / "src/polyclinic/fhirserver/data/name_frequencies.tsv.zst"
# The finest tau that docs/reference/security.md weighs is 3e-5; what is rarer than 2e-5 has one
# salt either way and need not be stored.
RAREST = 2e-5


def main() -> None:
    lines: list[str] = []
    for kind, frequencies in (("family", families()), ("given", givens())):
        lines += section(kind, frequencies)
        for length in PREFIX_LENGTHS:
            lines += section(f"{kind}{length}", prefixes(frequencies, length))
    text = "\n".join(lines) + "\n"
    TARGET.write_bytes(zstandard.ZstdCompressor(level=22).compress(text.encode()))
    print(f"{TARGET.name}: {len(lines)} lines, {TARGET.stat().st_size} bytes")


def families() -> Counter[str]:
    return census("dist.all.last", 1.0)


def givens() -> Counter[str]:
    """Half of the people are taken to be women; the census counts the sexes apart."""
    return census("dist.female.first", 0.5) + census("dist.male.first", 0.5)


def census(table: str, share: float) -> Counter[str]:
    frequencies: Counter[str] = Counter()
    for line in files("names").joinpath(table).read_text().splitlines():
        name, percent = line.split()[:2]
        frequencies[normalised(name)] += float(percent) / 100 * share
    return frequencies


def prefixes(frequencies: Counter[str], length: int) -> Counter[str]:
    summed: Counter[str] = Counter()
    for name, frequency in frequencies.items():
        if len(name) >= length:
            summed[name[:length]] += frequency
    return summed


def section(kind: str, frequencies: Counter[str]) -> list[str]:
    kept = sorted(text for text, frequency in frequencies.items() if frequency >= RAREST)
    return [f"={kind}", *(f"{text}\t{round(frequencies[text] / UNIT)}" for text in kept)]


if __name__ == "__main__":
    main()
