"""What a calculator asks of a chart: one value, by codes, unit, look-back and aggregator."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "age", "sex", "region", "quantity", "choice", "condition", "medicine", "stay", "visits", "given"
]
# How several values within the look-back become one.
Take = Literal["latest", "mean-of-2"]
Number = float | int
Answer = float | str | bool


@dataclass(frozen=True, slots=True)
class Range:
    """Both ends belong to it."""

    low: float
    high: float

    def holds(self, number: float) -> bool:
        return self.low <= number <= self.high


@dataclass(frozen=True, slots=True)
class Codes:
    """Where a value may be found: LOINC, SNOMED CT, ICD-10 and ATC by prefix, INN or brand by name.

    `other_names` are those of other medicines: what bears one is known, and not this.
    """

    loinc: tuple[str, ...] = ()
    snomed: tuple[str, ...] = ()
    icd10: tuple[str, ...] = ()
    atc: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    other_names: tuple[str, ...] = ()

    def shown(self) -> tuple[str, ...]:
        """`loinc 2160-0`, for a person who would like to add what is missing."""
        return tuple(
            f"{system} {code}"
            for system in ("loinc", "snomed", "icd10", "atc")
            for code in getattr(self, system)
        )


@dataclass(frozen=True, slots=True)
class Input:
    """One value that a formula needs. `unit` is a UCUM code; `kind` says where it comes from.

    quantity: an Observation's number, or the number that `answers` gives to a coded one. choice:
    a coded Observation, by `answers`. condition, medicine: whether the lists name one. stay,
    visits: the latest or earlier Encounters. region: by the country of the patient's address.
    given: only a person can judge it. `derived` names a calculator and its value instead.
    """

    name: str
    words: str
    kind: Kind
    unit: str = ""
    codes: Codes = Codes()
    # choice: the answer -> the codes that mean it; a number's name for scored answers ("2").
    answers: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    analyte: str = ""
    analytes: Mapping[str, str] = field(default_factory=dict[str, str])
    look_back_days: int | None = None
    take: Take = "latest"
    plausible: Range | None = None
    valid: Range | None = None
    optional: bool = False
    # condition: whether one that is over still counts (a stroke does, an infection does not).
    ever: bool = False
    derived: tuple[str, str] | None = None
    whole: bool = False
    # quantity: only what was measured at this age or later counts.
    from_age: int | None = None

    @property
    def is_number(self) -> bool:
        if self.kind in ("stay", "given"):
            return bool(self.unit)
        return self.kind in ("age", "quantity", "visits")

    @property
    def is_flag(self) -> bool:
        """Whether it is answered by yes or no."""
        if self.is_number or self.kind in ("sex", "region"):
            return False
        return set(self.answers) <= {"yes", "no"}
