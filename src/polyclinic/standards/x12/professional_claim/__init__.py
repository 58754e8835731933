"""The professional claim, ASC X12N 837P 005010X222A1: values, written and read."""

from polyclinic.standards.x12.adjustments import Adjustment
from polyclinic.standards.x12.professional_claim.checks import claim_faults
from polyclinic.standards.x12.professional_claim.reading import ReadClaims, read_claims
from polyclinic.standards.x12.professional_claim.values import (
    Address,
    BillingProvider,
    Claim,
    ClaimBatch,
    OtherPayer,
    Patient,
    Payer,
    Receiver,
    RenderingProvider,
    ServiceLine,
    Submitter,
    Subscriber,
)
from polyclinic.standards.x12.professional_claim.writing import GUIDE, unwritable, write_claims

__all__ = [
    "GUIDE", "Address", "Adjustment", "BillingProvider", "Claim", "ClaimBatch", "OtherPayer",
    "Patient", "Payer", "ReadClaims", "Receiver", "RenderingProvider", "ServiceLine", "Submitter",
    "Subscriber", "claim_faults", "read_claims", "unwritable", "write_claims",
]  # fmt: skip
