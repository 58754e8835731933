"""What was learned becomes a model with a name, and a record of how it came to be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from polyclinic.services.insights.domain.learning.cases import Cases
from polyclinic.services.insights.domain.learning.procedure import Learned
from polyclinic.services.insights.domain.models import Model, Table, dump, load


class NotAdditive(ValueError):
    """Trees that ask more than twice, and two calibrations, have no plain form: nothing is shipped
    of them."""


@dataclass(frozen=True, slots=True)
class Naming:
    """What the model is called, which task makes its features, and how far it looks."""

    id: str
    version: str
    task: str
    title: str
    horizon_days: float


def shipped(learned: Learned, naming: Naming, record: Mapping[str, Any]) -> Model:
    """The plain form, checked by reading it back; raises NotAdditive."""
    plain = learned.fitted.plain
    if plain is None or learned.of_others is not None:
        raise NotAdditive(NotAdditive.__doc__)
    named = msgspec.structs.replace(
        plain, **{name: getattr(naming, name) for name in Naming.__slots__},
        calibration=learned.calibration, record=dict(record),
    )  # fmt: skip
    return load(dump(named))


def suppressed(model: Model, cases: Cases, least: int) -> list[str]:
    """Codes that fewer persons have than may be shown: a shipped model names none of them."""
    found: list[str] = []
    for term in model.terms:
        for axis in term.axes if isinstance(term, Table) else ():
            for code in axis.codes or ():
                having = cases.columns[axis.feature] == code
                if code != "?" and len(set(cases.person[having].tolist())) < least:
                    found.append(f"{axis.feature}={code}")
    return found
