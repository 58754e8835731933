"""Claims are read from 837P: one that cannot be read is refused alone, with its place."""

from dataclasses import dataclass

from polyclinic.standards.x12.professional_claim.values import ClaimBatch
from polyclinic.standards.x12.refused import Refused


@dataclass(frozen=True, slots=True)
class ReadClaims:
    """The good claims, a batch for each transaction that could be opened; and all refusals."""

    batches: tuple[ClaimBatch, ...]
    refused: tuple[Refused, ...]


def read_claims(data: bytes) -> ReadClaims:
    """Refused only where there is no envelope; all else that is wrong stands in `refused`."""
    raise NotImplementedError
