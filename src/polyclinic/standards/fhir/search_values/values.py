"""The values by which a resource is found, one kind for each way of matching."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct


class TokenValue(Struct, frozen=True, gc=False):
    """A code, identifier, contact point or boolean; `text` is its display or its concept's text.

    `kinds`: of an identifier, the (system, code) of its type.
    """

    param: str
    system: str | None
    code: str | None
    text: str | None
    kinds: tuple[tuple[str | None, str | None], ...] = ()


class ReferenceValue(Struct, frozen=True, gc=False):
    """Relative (`type` and `id`), absolute or canonical (`url`), logical (`identifier`)."""

    param: str
    type: str | None
    id: str | None
    url: str | None
    identifier: tuple[str | None, str | None] | None


class StringValue(Struct, frozen=True, gc=False):
    """A text as written; compare it by `normalise_text`."""

    param: str
    text: str


class DateValue(Struct, frozen=True, gc=False):
    """The half-open range of instants in UTC that it stands for; None is an open end."""

    param: str
    low: datetime | None
    high: datetime | None


class NumberValue(Struct, frozen=True, gc=False):
    """A number (both ends the same) or a range; precision belongs to what is asked, not to this."""

    param: str
    low: Decimal | None
    high: Decimal | None


class QuantityValue(Struct, frozen=True, gc=False):
    """A number or range like NumberValue, and its unit as a code and as people write it."""

    param: str
    low: Decimal | None
    high: Decimal | None
    system: str | None
    code: str | None
    unit: str | None


class UriValue(Struct, frozen=True, gc=False):
    """A uri, url, oid or canonical, exactly as written."""

    param: str
    text: str


class CompositeValue(Struct, frozen=True, gc=False):
    """One element's values for each component; any of each part belongs to any of the others."""

    param: str
    parts: tuple[tuple["SearchValue", ...], ...]


SearchValue = (
    TokenValue
    | ReferenceValue
    | StringValue
    | DateValue
    | NumberValue
    | QuantityValue
    | UriValue
    | CompositeValue
)
