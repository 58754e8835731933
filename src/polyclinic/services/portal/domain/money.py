"""Money as people read and write it: whole minor units in, the currency's own way out."""

import re
from dataclasses import dataclass

from polyclinic.foundation.errors import Invalid

# ISO 4217: currencies whose minor unit is not a hundredth.
_DIGITS = {"JPY": 0, "KRW": 0, "ISK": 0, "CLP": 0, "VND": 0, "KWD": 3, "BHD": 3, "TND": 3}
# Signs that mean one currency only, to those who read English in its country.
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹", "KRW": "₩", "ILS": "₪"}
# What people put around a number: its sign, its letters, spaces, and a comma for each thousand.
_TYPED = re.compile(r"[^0-9.,-]*((?:[0-9]{1,9}|[0-9]{1,3}(?:,[0-9]{3}){1,3}))(?:\.([0-9]*))?\D*",
                    re.ASCII)  # fmt: skip
_TYPED_MAX = 30


@dataclass(frozen=True, slots=True)
class Currency:
    """How one currency is written."""

    code: str

    @property
    def digits(self) -> int:
        return _DIGITS.get(self.code, 2)

    @property
    def sign(self) -> str:
        return _SIGNS.get(self.code, "")

    def words(self, amount: int) -> str:
        """$1,234.50; ¥1,200; CHF 80.00; a minus stands before the sign."""
        before = self.sign or f"{self.code}\N{NO-BREAK SPACE}"
        return f"{'−' if amount < 0 else ''}{before}{self.plain(abs(amount), ',')}"

    def plain(self, amount: int, thousands: str = "") -> str:
        """1234.50, as it stands in a field."""
        whole, rest = divmod(amount, 10**self.digits)
        text = f"{whole:,}".replace(",", thousands)
        return f"{text}.{rest:0{self.digits}}" if self.digits else text

    def read(self, typed: str) -> int:
        """42, 42.5, $1,234.50 → minor units; raises Invalid for what is no amount above nothing."""
        shape = _TYPED.fullmatch(typed.strip()) if len(typed) <= _TYPED_MAX else None
        rest = (shape[2] or "") if shape else ""
        if shape is None or "-" in typed or "−" in typed or len(rest) > self.digits:
            example = self.plain(4250 if self.digits == 2 else 42)
            raise Invalid(f"Enter an amount, such as {example}.", place="other")
        whole = int(shape[1].replace(",", ""))
        amount = whole * 10**self.digits + int(rest.ljust(self.digits, "0") or "0")
        if amount == 0:
            raise Invalid("Enter more than nothing.", place="other")
        return amount
