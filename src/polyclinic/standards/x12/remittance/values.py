"""What a remittance says, as values; amounts in minor units, positions where a check needs them."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from polyclinic.standards.x12.adjustments import Adjustment

REVERSAL = "22"  # CLP02: a former payment taken back, with negative amounts


@dataclass(frozen=True, slots=True)
class Procedure:
    """A service code with its modifiers; `qualifier` says of which list (HC, AD, N4, NU …)."""

    code: str
    modifiers: tuple[str, ...] = ()
    qualifier: str = "HC"


@dataclass(frozen=True, slots=True)
class ServicePayment:
    """One service as the payer decided it: SVC with its dates, adjustments and remarks."""

    procedure: Procedure  # as adjudicated
    charge: int
    paid: int
    units: Decimal = Decimal(1)
    submitted: Procedure | None = None  # SVC06, where the payer changed what we had sent
    submitted_units: Decimal | None = None
    service_date: date | None = None
    service_end: date | None = None
    control_number: str = ""  # REF*6R, as our claim named the line
    allowed: int | None = None  # AMT*B6
    adjustments: tuple[Adjustment, ...] = ()
    remarks: tuple[str, ...] = ()  # LQ*HE: RARC codes

    @property
    def claimed(self) -> Procedure:
        """The service as we had sent it."""
        return self.submitted or self.procedure


@dataclass(frozen=True, slots=True)
class ClaimPayment:
    """One claim as the payer decided it: CLP with all below."""

    claim_id: str  # CLP01: our CLM01
    status: str  # CLP02
    charge: int
    paid: int
    patient_responsibility: int = 0
    filing_indicator: str = "12"  # CLP06: 12 PPO, HM HMO, MB Medicare B, MC Medicaid …
    payer_control_number: str = ""  # CLP07
    place_of_service: str = ""
    frequency: str = ""
    patient_last_name: str = ""
    patient_first_name: str = ""
    member_id: str = ""
    service_from: date | None = None
    service_to: date | None = None
    received_on: date | None = None
    adjustments: tuple[Adjustment, ...] = ()
    lines: tuple[ServicePayment, ...] = ()
    remarks: tuple[str, ...] = ()  # MOA03 to 07, MIA05 and 20 to 23

    @property
    def is_reversal(self) -> bool:
        return self.status == REVERSAL


@dataclass(frozen=True, slots=True)
class ProviderAdjustment:
    """Money beside the claims: PLB. A positive amount lowers the payment."""

    provider_id: str
    fiscal_year_end: date
    reason: str  # WO overpayment recovered, FB forward balance, L6 interest, 72 refund …
    reference: str
    amount: int


@dataclass(frozen=True, slots=True)
class Remittance:
    """One 835 transaction. Posted once: (trace_number, payer_id, group_control_number)."""

    payer_name: str
    payer_id: str  # TRN03, the originating company
    payee_name: str
    trace_number: str  # TRN02: the check or transfer number
    paid: int  # BPR02, negative when BPR03 says debit
    method: str  # BPR04: CHK, NON, and ACH, BOP, FWT, whose accounts we neither keep nor write
    payment_date: date  # BPR16; where a payer leaves it out, the day of the file
    claims: tuple[ClaimPayment, ...]
    provider_adjustments: tuple[ProviderAdjustment, ...] = ()
    production_date: date | None = None  # DTM*405
    payee_npi: str = ""
    payee_tax_id: str = ""
    payer_address: tuple[str, str, str, str] = ("", "", "", "")  # line, city, state, ZIP code
    payer_contact: str = ""
    payer_telephone: str = ""
    handling: str = "I"  # BPR01: I payment with remittance, H notification only
    # Where it stood in its file; the same advice sent again is the same value.
    control_number: str = field(default="", compare=False)  # ST02
    group_control_number: str = field(default="", compare=False)  # GS06
