"""What one partner answers the other about a file, its groups, transactions and claims."""

from dataclasses import dataclass, field
from datetime import date

from polyclinic.standards.x12.refused import Refused


@dataclass(frozen=True, slots=True)
class InterchangeAcknowledgment:
    """TA1: `status` is A, E or R; `code` is TA105, 000 when nothing is wrong."""

    control_number: str
    day: str  # ISA09, as it stood
    time: str  # ISA10
    status: str = "A"
    code: str = "000"


@dataclass(frozen=True, slots=True)
class ElementError:
    """IK4: the element's X12 number and IK403."""

    element: int
    code: str


@dataclass(frozen=True, slots=True)
class SegmentError:
    """IK3: the segment, its number in the transaction (ST is 1), IK304, and its elements."""

    segment: str
    number: int
    code: str
    elements: tuple[ElementError, ...] = ()


@dataclass(frozen=True, slots=True)
class TransactionAcknowledgment:
    """AK2 to IK5: `status` is A, E (taken, with errors) or R; `codes` are IK502 to IK506."""

    set_id: str
    control_number: str
    convention: str = ""
    status: str = "A"
    codes: tuple[str, ...] = ()
    errors: tuple[SegmentError, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupAcknowledgment:
    """AK1 to AK9: `status` is A, E, P (in part) or R; `codes` are AK905 to AK909."""

    functional_id: str
    control_number: str
    version: str
    status: str
    included: int
    received: int
    accepted: int
    codes: tuple[str, ...] = ()
    transactions: tuple[TransactionAcknowledgment, ...] = ()


@dataclass(frozen=True, slots=True)
class Acknowledgments:
    """The TA1 and 999 answers of one file; `refused` is what of the answer cannot be read."""

    interchanges: tuple[InterchangeAcknowledgment, ...]
    groups: tuple[GroupAcknowledgment, ...]
    refused: tuple[Refused, ...] = ()


@dataclass(frozen=True, slots=True)
class ClaimStatus:
    """STC01: a category (A1 received, A2 taken, A3 returned, A7 …), a status number, whose."""

    category: str
    code: str
    entity: str = ""


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """What became of one claim at the payer's door."""

    claim_id: str  # our CLM01
    is_accepted: bool
    statuses: tuple[ClaimStatus, ...]  # one to three
    charge: int
    decided_on: date
    patient_last_name: str
    patient_first_name: str
    member_id: str
    service_from: date
    provider_name: str
    provider_npi: str
    service_to: date | None = None
    payer_control_number: str = ""  # REF*1K
    message: str = ""  # STC12


@dataclass(frozen=True, slots=True)
class ClaimReport:
    """One 277CA transaction; `batch_reference` is the BHT03 of the claims it answers."""

    payer_name: str
    payer_id: str
    receiver_name: str
    receiver_id: str
    reference: str
    batch_reference: str
    received_on: date
    decided_on: date
    answers: tuple[ClaimAnswer, ...]
    control_number: str = field(default="", compare=False)
