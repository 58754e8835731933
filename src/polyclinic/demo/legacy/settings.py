"""Where the old clinic keeps its file, how much is in it, and what goes wrong in it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from polyclinic.foundation import clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`faults` are names of faults.py, or a trouble with its share: `errors:0.05`."""

    data: Path
    rows: int = 4000
    seed: int = 1998
    today: date | None = None
    faults: tuple[str, ...] = ()
    control: bool = True
    clock: Callable[[], datetime] = clock.now
