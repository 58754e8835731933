"""The insurer's rules as values, read from YAML; an unreadable rule names its place."""

from collections.abc import Mapping
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec
import yaml

from polyclinic.foundation.errors import Invalid

RULES_FILE = Path(__file__).parent / "rules.yaml"


class When(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a rule is about; every word that is said must fit. `*` stands for anything."""

    code: str = "*"
    member_id: str = "*"
    diagnosis: str = "*"
    days_late: int = 0


class Return(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A claim comes back at the door, with a claim status category and number."""

    when: When
    category: str
    status: str
    message: str = ""


class Denial(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line is not paid, with a CARC reason and RARC remarks."""

    when: When
    group: str
    reason: str
    remarks: tuple[str, ...] = ()


class Share(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the patient pays: a copay for the claim, then a part of what is left."""

    copay: int = 0
    coinsurance_percent: int = 0


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All rules; amounts in cents."""

    id: str
    name: str
    address: tuple[str, str, str, str]
    contact: str
    allowed: Mapping[str, int]
    default_percent: int
    patient: Share
    returned: tuple[Return, ...] = ()
    denied: tuple[Denial, ...] = ()


class Asked(msgspec.Struct, frozen=True):
    """A line as the rules look at it."""

    code: str
    member_id: str
    diagnoses: tuple[str, ...]
    days_late: int


def fits(when: When, asked: Asked) -> bool:
    return (
        fnmatchcase(asked.code, when.code)
        and fnmatchcase(asked.member_id, when.member_id)
        and (when.diagnosis == "*" or any(fnmatchcase(d, when.diagnosis) for d in asked.diagnoses))
        and asked.days_late >= when.days_late
    )


def read_rules(file: Path = RULES_FILE) -> Rules:
    """Reads the rules; raises Invalid with the place of what does not fit."""
    try:
        said: dict[str, Any] = yaml.safe_load(file.read_text())
        allowed = dict(said.pop("allowed"))
        patient = said.pop("patient", {})
        said["default_percent"] = allowed.pop("default_percent", 100)
        said["allowed"] = {code: _cents(amount) for code, amount in allowed.items()}
        said["patient"] = {**patient, "copay": _cents(patient.get("copay", 0))}
        said["denied"] = [*said.get("denied", []), *said.pop("asked", [])]
        return msgspec.convert(said, Rules)
    except (msgspec.ValidationError, yaml.YAMLError, KeyError, TypeError, ArithmeticError) as bad:
        raise Invalid(f"{file.name} cannot be read: {bad}.", place=file.name) from bad


def _cents(amount: object) -> int:
    return int((Decimal(str(amount)) * 100).to_integral_exact())
