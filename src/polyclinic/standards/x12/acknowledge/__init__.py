"""Acknowledgments: TA1 of a file, 999 of its groups and transactions, 277CA of its claims."""

from polyclinic.standards.x12.acknowledge.claims import write_claim_reports
from polyclinic.standards.x12.acknowledge.claims_reading import (
    ReadClaimReports,
    read_claim_reports,
)
from polyclinic.standards.x12.acknowledge.structure import acknowledge
from polyclinic.standards.x12.acknowledge.structure_files import (
    read_acknowledgments,
    write_acknowledgments,
)
from polyclinic.standards.x12.acknowledge.values import (
    Acknowledgments,
    ClaimAnswer,
    ClaimReport,
    ClaimStatus,
    ElementError,
    GroupAcknowledgment,
    InterchangeAcknowledgment,
    SegmentError,
    TransactionAcknowledgment,
)

__all__ = [
    "Acknowledgments", "ClaimAnswer", "ClaimReport", "ClaimStatus", "ElementError",
    "GroupAcknowledgment", "InterchangeAcknowledgment", "ReadClaimReports", "SegmentError",
    "TransactionAcknowledgment", "acknowledge", "read_acknowledgments", "read_claim_reports",
    "write_acknowledgments", "write_claim_reports",
]  # fmt: skip
