"""Vectors of other programs, where they are at hand, and how they name what we name otherwise."""

import csv
import functools
import json
from pathlib import Path

import pytest

from polyclinic.services.insights.domain.calculators import Quantity, compute, registry

FOLDER = Path(__file__).parents[5] / "shared" / "data" / "insights" / "vectors"


def vectors(name):
    """The file's path; skips where the shared data is not beside this clone."""
    if not FOLDER.is_dir():
        pytest.skip("the vectors of other programs are not beside this clone")
    return FOLDER / name


def rows(name):
    with vectors(name).open(newline="") as file:
        return list(csv.DictReader(file))


@functools.cache
def _clincalc():
    return json.loads(vectors("clincalc_oracle_vectors.json").read_text())


def clincalc(name):
    """(inputs, output) of each of its vectors; at least twenty."""
    found = _clincalc()[name]["vectors"]
    assert len(found) >= 20, name
    return [(each["inputs"], each["output"]) for each in found]


def stated(name, values):
    """Plain values in the calculator's own units, as its inputs are given."""
    calculator = registry()[name]
    gates = [gate.input for gate in calculator.gates]
    wanted = {each.name: each for each in (*calculator.inputs, *gates)}
    return {
        key: Quantity(float(value), wanted[key].unit) if wanted[key].is_number else value
        for key, value in values.items()
    }


def score(name, **values):
    return compute(registry()[name], stated(name, values))
