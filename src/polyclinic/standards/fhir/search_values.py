"""The values by which a resource is found: what the R4 search parameters see in it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class TokenValue:
    """A code, identifier, contact point or boolean; `text` is its display or type's text."""

    param: str
    system: str | None
    code: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class ReferenceValue:
    """Literal (`type` and `id`), anything else absolute (`url`), or logical (`identifier`)."""

    param: str
    type: str | None
    id: str | None
    url: str | None
    identifier: tuple[str | None, str | None] | None


@dataclass(frozen=True, slots=True)
class StringValue:
    param: str
    text: str


@dataclass(frozen=True, slots=True)
class DateValue:
    """The half-open range of instants in UTC it stands for; None is an open end."""

    param: str
    low: datetime | None
    high: datetime | None


@dataclass(frozen=True, slots=True)
class NumberValue:
    """The half-open range that its significant digits stand for: 100 is [99.5, 100.5)."""

    param: str
    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class QuantityValue:
    """The range of the number, and its unit as system and code and as people write it."""

    param: str
    low: Decimal | None
    high: Decimal | None
    system: str | None
    code: str | None
    unit: str | None


@dataclass(frozen=True, slots=True)
class UriValue:
    param: str
    text: str


SearchValue = (
    TokenValue | ReferenceValue | StringValue | DateValue | NumberValue | QuantityValue | UriValue
)


def extract(resource: dict[str, Any]) -> list[SearchValue]:
    """Every value of every search parameter of its type (composites and specials excepted)."""
    return []


def patients_of(resource: dict[str, Any]) -> tuple[str, ...]:
    """The ids of the patients in whose compartment it lies, by literal `Patient/<id>` only."""
    return ()


def clinical_date(resource: dict[str, Any]) -> datetime | None:
    """The date that orders it in a chart, in UTC."""
    return None


def normalise_text(text: str) -> str:
    """Accents, case and punctuation removed: what FHIR string search compares."""
    return text
