"""Money is whole minor units (cents) of one currency; nothing here ever is a float."""

import re
from decimal import Decimal

from polyclinic.foundation.errors import Invalid

AMOUNT_MAX = 10**13  # a hundred thousand million dollars: beyond it something is wrong
# ISO 4217: currencies whose minor unit is not a hundredth.
_DIGITS = {"JPY": 0, "KRW": 0, "ISK": 0, "CLP": 0, "VND": 0, "KWD": 3, "BHD": 3, "TND": 3}
_PLAIN = re.compile(r"-?[0-9]{1,15}(?:\.([0-9]+))?", re.ASCII)


def digits(currency: str) -> int:
    return _DIGITS.get(currency, 2)


def minor(text: str, currency: str, place: str) -> int:
    """`12.5` → 1250 (USD); raises Invalid for anything that is no plain amount."""
    shape = _PLAIN.fullmatch(text.strip())
    if shape is None or len(shape[1] or "") > digits(currency):
        raise Invalid("An amount looks like 125.50.", place=place)
    return checked(int(Decimal(text.strip()).scaleb(digits(currency))), place)


def plain(amount: int, currency: str) -> str:
    """1250 → `12.50` (USD)."""
    return f"{Decimal(amount).scaleb(-digits(currency)):.{digits(currency)}f}"


def decimal(amount: int, currency: str) -> Decimal:
    """1250 → 12.50 (USD), as FHIR writes money."""
    return Decimal(plain(amount, currency))


def checked(amount: int, place: str) -> int:
    if abs(amount) > AMOUNT_MAX:
        raise Invalid("That amount cannot be right.", place=place)
    return amount


def positive(amount: int, place: str) -> int:
    if amount <= 0:
        raise Invalid("An amount is more than nothing.", place=place)
    return checked(amount, place)


def share(amount: int, basis_points: int) -> int:
    """A part of an amount, half a unit rounded away from nothing (as people round)."""
    whole = abs(amount) * basis_points
    rounded = (whole + 5000) // 10000
    return rounded if amount >= 0 else -rounded


def split(total: int, parts: int) -> list[int]:
    """Parts that differ by one unit at most and add up exactly; the first are the larger ones."""
    each, rest = divmod(total, parts)
    return [each + (1 if n < rest else 0) for n in range(parts)]
