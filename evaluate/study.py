"""A question to data: whose cases, split how, which candidates, what must come out."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from polyclinic.services.insights.domain.learning.cases import Cases
from polyclinic.services.insights.domain.learning.fitting import Fitting
from polyclinic.services.insights.domain.learning.judging import Use
from polyclinic.services.insights.domain.learning.procedure import Apart
from polyclinic.services.insights.domain.learning.shipping import Naming

SEED = 20_240_601


@dataclass(frozen=True)
class Round:
    """Masks: who is learned from, who is calibrated on (None: across those), who is asked."""

    learn: np.ndarray
    window: np.ndarray | None
    ask: np.ndarray


@dataclass(frozen=True)
class Goal:
    """A number that must be reached in a subset, by the best candidate or by the chosen one."""

    words: str
    of: str  # "best" or "chosen"
    measure: str
    subset: str
    limit: float
    at_least: bool = True


@dataclass(frozen=True)
class Study:
    """`subsets` maps names to masks of all cases; "all" is always there. `groups` as well. Those of
    `apart` are calibrated apart from the rest."""

    id: str
    title: str
    split: str
    reference: str
    cases: Cases
    rounds: list[Round]
    candidates: Mapping[str, Fitting]
    use: Use
    goals: list[Goal]
    data: Mapping[str, str]
    notes: list[str]
    subsets: Mapping[str, np.ndarray] = field(default_factory=dict)
    groups: list[tuple[str, np.ndarray]] = field(default_factory=list)
    naming: Naming | None = None
    compared: tuple[str, str] | None = None
    apart: Apart | None = None


class Absent(Exception):
    """The data set is not at hand."""


Build = Callable[[Path], list[Study]]


def found(folder: Path, name: str) -> Path:
    """The file; raises Absent with its name."""
    path = folder / name
    if not path.is_file():
        raise Absent(f"{name} is not in the folder of data")
    return path


def hashes(*files: Path) -> dict[str, str]:
    """SHA-256 of each file by its name."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def bands(values: np.ndarray, name: str, edges: list[float]) -> list[tuple[str, np.ndarray]]:
    """Groups of a number: `age 40-64` and its like."""
    low = [-np.inf, *edges]
    high = [*edges, np.inf]
    found_: list[tuple[str, np.ndarray]] = []
    for a, b in zip(low, high, strict=True):
        words = f"{name} < {b:g}" if a == -np.inf else f"{name} >= {a:g}"
        words = f"{name} {a:g}-{b - 1:g}" if np.isfinite(a) and np.isfinite(b) else words
        found_.append((words, (values >= a) & (values < b)))
    return found_


def codes(column: np.ndarray, name: str) -> list[tuple[str, np.ndarray]]:
    """Groups of a code."""
    kinds = sorted({value for value in column if value is not None})
    return [(f"{name} {kind}", column == kind) for kind in kinds]
