"""The remittance advice, ASC X12N 835 005010X221A1: values, read, checked and written."""

from polyclinic.standards.x12.adjustments import Adjustment
from polyclinic.standards.x12.remittance.values import (
    REVERSAL,
    ClaimPayment,
    Procedure,
    ProviderAdjustment,
    Remittance,
    ServicePayment,
)

__all__ = [
    "REVERSAL", "Adjustment", "ClaimPayment", "Procedure", "ProviderAdjustment", "Remittance",
    "ServicePayment",
]  # fmt: skip
