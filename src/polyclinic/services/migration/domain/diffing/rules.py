"""What is compared in an answer: fields by name, what they mean, and how much hangs on them."""

from typing import Literal, NamedTuple

import msgspec

Kind = Literal[
    "id", "text", "code", "date", "time", "number", "quantity", "range", "money", "flag", "list"
]  # fmt: skip
# 1 identity, allergy, medication, dose; 2 appointment, balance; 3 demographic; 4 cosmetic.
Severity = Literal[1, 2, 3, 4]


class Field(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value by its path (`contact.phone`); `candidate` is its path on the other side.

    Where neither is there, `also` says other paths of the same value, with the unit of each.

    quantity  "5.4 mmol/L", {"value", "unit"}, or a bare number in `unit` (`candidate_unit`);
              `unit_path` names the field beside it that holds the unit; `analyte` allows mg/dL
              against mmol/L, or `analytes` by what stands at `analyte_path`
    range     two such numbers, `70-99`
    code      `codes` translates what either side writes into one of the two
    time      without an offset it is the wall clock of `zone`; `tolerance` in seconds
    money     "12.50" or, with `unit: cents`, 1250
    list      items matched by the fields named in `key` (whole items without one), in any order
              unless `ordered`; `fields` says what an item holds
    """

    path: str
    kind: Kind = "text"
    severity: Severity = 4
    candidate: str = ""
    unit: str = ""
    candidate_unit: str = ""
    unit_path: str = ""
    also: dict[str, str] = {}
    analyte: str = ""
    analyte_path: str = ""
    analytes: dict[str, str] = {}
    codes: dict[str, str] = {}
    zone: str = "UTC"
    tolerance: float = 0.0
    ordered: bool = False
    key: tuple[str, ...] = ()
    fields: tuple["Field", ...] = ()

    def path_of(self, *, candidate: bool) -> str:
        return self.candidate or self.path if candidate else self.path


class Comparison(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the answers of a route are compared; what is in `ignore` is not looked at.

    An answer that is a list is compared as the field `items` of an object. What no field names is
    compared as it is, at severity 4. `status` is how much it matters that one side finds what the
    other does not.
    """

    fields: tuple[Field, ...] = ()
    ignore: tuple[str, ...] = ()
    status: Severity = 2


class Difference(NamedTuple):
    """One place where the two do not mean the same. Its values are a patient's, never logged."""

    path: str
    kind: str
    severity: int
    legacy: object
    candidate: object
