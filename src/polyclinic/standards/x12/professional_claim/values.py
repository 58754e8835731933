"""What a professional claim says, as values; amounts in minor units, codes as they are billed."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from polyclinic.standards.x12.adjustments import Adjustment


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address; a billing provider's needs a street and a ZIP code of nine digits."""

    line: str
    city: str
    state: str
    postal_code: str
    second_line: str = ""


@dataclass(frozen=True, slots=True)
class Submitter:
    """Who sends the file: 1000A."""

    name: str
    id: str
    contact: str
    telephone: str  # ten digits


@dataclass(frozen=True, slots=True)
class Receiver:
    """Whom the file is for, a payer or a clearing house: 1000B."""

    name: str
    id: str


@dataclass(frozen=True, slots=True)
class BillingProvider:
    """Who is to be paid: 2010AA; `tax_id` is the EIN, nine digits."""

    name: str
    npi: str
    tax_id: str
    address: Address
    taxonomy: str = ""


@dataclass(frozen=True, slots=True)
class Payer:
    """Who is asked to pay: 2010BB."""

    name: str
    id: str


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Whose insurance it is: 2000B and 2010BA. Sex is F, M or U.

    Birth date, sex and address are sent only where the subscriber is the one treated.
    """

    last_name: str
    first_name: str
    member_id: str
    birth_date: date | None = None
    sex: str = "U"
    address: Address | None = None
    middle_name: str = ""
    group_number: str = ""
    filing_indicator: str = "CI"  # SBR09: CI commercial, MB Medicare B, MC Medicaid …


@dataclass(frozen=True, slots=True)
class Patient:
    """The one treated, where the insurance is somebody else's: 2010CA."""

    last_name: str
    first_name: str
    birth_date: date
    sex: str
    address: Address
    relationship: str = "19"  # PAT01: 01 spouse, 19 child, 20 employee, 21 unknown, G8 other
    middle_name: str = ""


@dataclass(frozen=True, slots=True)
class RenderingProvider:
    """Who treated: 2310B, where it is not the billing provider."""

    last_name: str
    first_name: str
    npi: str
    taxonomy: str = ""


@dataclass(frozen=True, slots=True)
class OtherPayer:
    """Another insurance of the patient and what it has done already: 2320 and 2330."""

    payer: Payer
    subscriber_last_name: str
    subscriber_first_name: str
    member_id: str
    sequence: str = "P"  # SBR01 of the other: P primary, S secondary, T tertiary
    relationship: str = "18"
    group_number: str = ""
    filing_indicator: str = "CI"
    paid: int | None = None
    paid_on: date | None = None  # required by payers as soon as the other has decided
    adjustments: tuple[Adjustment, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """One service: 2400. `diagnoses` are 1-based places in the claim's list, at most four."""

    code: str
    charge: int
    service_date: date
    diagnoses: tuple[int, ...] = (1,)
    modifiers: tuple[str, ...] = ()
    units: Decimal = Decimal(1)
    control_number: str = ""  # REF*6R: what the remittance names the line by
    service_end: date | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim: 2300. `claim_id` is opaque, at most 20 characters, unique at the sender."""

    claim_id: str
    total: int
    billing_provider: BillingProvider
    subscriber: Subscriber
    payer: Payer
    diagnoses: tuple[str, ...]  # ICD-10-CM with or without the point; written without
    lines: tuple[ServiceLine, ...]
    patient: Patient | None = None
    place_of_service: str = "11"
    frequency: str = "1"  # 1 original, 7 replacement, 8 void
    original_reference: str = ""  # the payer's control number of the claim replaced or voided
    onset_date: date | None = None
    prior_authorization: str = ""
    rendering_provider: RenderingProvider | None = None
    payer_sequence: str = "P"
    other_payers: tuple[OtherPayer, ...] = ()


@dataclass(frozen=True, slots=True)
class ClaimBatch:
    """The claims of one file, from one submitter to one receiver; `reference` is BHT03."""

    submitter: Submitter
    receiver: Receiver
    reference: str
    claims: tuple[Claim, ...]
