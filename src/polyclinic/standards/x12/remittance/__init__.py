"""The remittance advice, ASC X12N 835 005010X221A1: values, read, checked and written."""

from polyclinic.standards.x12.adjustments import Adjustment
from polyclinic.standards.x12.remittance.reading import GUIDE, ReadRemittances, read_remittances
from polyclinic.standards.x12.remittance.values import (
    REVERSAL,
    ClaimPayment,
    Procedure,
    ProviderAdjustment,
    Remittance,
    ServicePayment,
)
from polyclinic.standards.x12.remittance.writing import write_remittances

__all__ = [
    "GUIDE", "REVERSAL", "Adjustment", "ClaimPayment", "Procedure", "ProviderAdjustment",
    "ReadRemittances", "Remittance", "ServicePayment", "read_remittances", "write_remittances",
]  # fmt: skip
