"""What must hold of a claim before it is written: everything that is wrong, not the first only."""

import re
from collections.abc import Iterator
from datetime import date

from polyclinic.standards.x12.adjustments import GROUPS
from polyclinic.standards.x12.professional_claim.values import (
    BillingProvider,
    Claim,
    ClaimBatch,
    OtherPayer,
    ServiceLine,
)
from polyclinic.standards.x12.refused import NOWHERE, Refused

CLAIM_ID_LENGTH_MAX = 20
DIAGNOSES_MAX = 12
LINES_MAX = 50
MODIFIERS_MAX = 4
POINTERS_MAX = 4
OTHER_PAYERS_MAX = 10
# The guide has amounts of at most ten digits, cents among them.
CHARGE_MAX = 10**10 - 1

_ICD10 = re.compile(r"[A-Z][0-9][0-9A-Z](?:\.?[0-9A-Z]{1,4})?").fullmatch
_CODE = re.compile(r"[A-Z0-9]{5}").fullmatch
_MODIFIER = re.compile(r"[A-Z0-9]{2}").fullmatch
_ZIP = re.compile(r"[0-9]{5}(?:-?[0-9]{4})?").fullmatch
_ZIP_FULL = re.compile(r"[0-9]{5}-?[0-9]{4}").fullmatch
_NPI = re.compile(r"[12][0-9]{9}").fullmatch
_TAX_ID = re.compile(r"[0-9]{2}-?[0-9]{7}").fullmatch
_TWO_DIGITS = re.compile(r"[0-9]{2}").fullmatch
_EARLIEST = date(1900, 1, 1)

Fault = tuple[str, int, str, str]  # segment, element, code, text


def claim_faults(claim: Claim) -> tuple[Refused, ...]:
    """Each with the segment and the element it would stand in; empty when it may be written."""
    faults = [
        *_of_the_claim(claim), *_of_the_people(claim), *_of_the_diagnoses(claim),
        *_of_the_billing_provider(claim.billing_provider), *_of_the_sums(claim),
    ]  # fmt: skip
    for number, line in enumerate(claim.lines, 1):
        faults.extend(_of_a_line(claim, line, number))
    for other in claim.other_payers:
        faults.extend(_of_another_payer(other))
    return tuple(
        Refused(tag, element, NOWHERE, code, text, claim.claim_id)
        for tag, element, code, text in faults
    )


def batch_faults(batch: ClaimBatch) -> tuple[Refused, ...]:
    """Of the file as a whole."""
    faults: list[Refused] = []
    if not batch.claims:
        faults.append(Refused("CLM", 0, NOWHERE, "IK304-3", "The file holds no claim."))
    if not re.fullmatch(r"[0-9]{10}", batch.submitter.telephone):
        text = "The submitter's telephone number is not ten digits."
        faults.append(Refused("PER", 4, NOWHERE, "IK403-6", text))
    seen: set[str] = set()
    for claim in batch.claims:
        if claim.claim_id in seen:
            text = "The claim's id stands in the file twice."
            faults.append(Refused("CLM", 1, NOWHERE, "IK403-7", text, claim.claim_id))
        seen.add(claim.claim_id)
    return tuple(faults)


def is_npi(number: str) -> bool:
    """Whether the check digit of a National Provider Identifier is right (Luhn behind 80840)."""
    if not _NPI(number):
        return False
    digits = [int(digit) for digit in reversed("80840" + number)]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _of_the_claim(claim: Claim) -> Iterator[Fault]:
    if not 0 < len(claim.claim_id) <= CLAIM_ID_LENGTH_MAX:
        yield "CLM", 1, "IK403-5", "A claim's id has one to 20 characters."
    if not _TWO_DIGITS(claim.place_of_service):
        yield "CLM", 5, "IK403-7", "The place of service is not two digits."
    if claim.frequency not in ("1", "7", "8"):
        yield "CLM", 5, "IK403-7", "A claim is an original (1), a replacement (7) or a void (8)."
    if claim.frequency in ("7", "8") and not claim.original_reference:
        yield "REF", 2, "IK304-3", "A replacement or void names the payer's number of the first."
    if claim.payer_sequence not in ("P", "S", "T"):
        yield "SBR", 1, "IK403-7", "The payer's place is P, S or T."
    if len(claim.other_payers) > OTHER_PAYERS_MAX:
        yield "SBR", 0, "IK304-4", "A claim names at most ten other payers."


def _of_the_people(claim: Claim) -> Iterator[Fault]:
    treated = claim.patient or claim.subscriber
    if treated.birth_date is None or treated.address is None:
        yield "DMG", 0, "IK304-3", "The patient has a birth date and a home."
    if treated.sex not in ("F", "M", "U"):
        yield "DMG", 3, "IK403-7", "The sex is F, M or U."
    if treated.birth_date and treated.birth_date < _EARLIEST:
        yield "DMG", 2, "IK403-8", "The birth date is before 1900."
    if treated.address and not _ZIP(treated.address.postal_code):
        yield "N4", 3, "IK403-6", "The ZIP code is not five or nine digits."
    if claim.rendering_provider and not is_npi(claim.rendering_provider.npi):
        yield "NM1", 9, "IK403-7", "The rendering provider's NPI has a wrong check digit."


def _of_the_billing_provider(provider: BillingProvider) -> Iterator[Fault]:
    if not is_npi(provider.npi):
        yield "NM1", 9, "IK403-7", "The billing provider's NPI has a wrong check digit."
    if not _TAX_ID(provider.tax_id):
        yield "REF", 2, "IK403-6", "The billing provider's tax id is not nine digits."
    if not _ZIP_FULL(provider.address.postal_code):
        yield "N4", 3, "IK403-6", "The billing provider's ZIP code is not nine digits."


def _of_the_diagnoses(claim: Claim) -> Iterator[Fault]:
    if not claim.diagnoses:
        yield "HI", 1, "IK304-3", "The claim has no diagnosis."
    if len(claim.diagnoses) > DIAGNOSES_MAX:
        yield "HI", 13, "IK403-3", "A claim has at most twelve diagnoses."
    for number, code in enumerate(claim.diagnoses, 1):
        if not _ICD10(code):
            yield "HI", number, "IK403-7", "The diagnosis is not shaped as an ICD-10-CM code."
    if len({code.replace(".", "") for code in claim.diagnoses}) < len(claim.diagnoses):
        yield "HI", 0, "IK403-7", "A diagnosis stands in the claim twice."


def _of_the_sums(claim: Claim) -> Iterator[Fault]:
    if not claim.lines:
        yield "LX", 0, "IK304-3", "The claim has no service line."
    if len(claim.lines) > LINES_MAX:
        yield "LX", 0, "IK304-4", "A claim has at most 50 service lines."
    if not 0 <= claim.total <= CHARGE_MAX:
        yield "CLM", 2, "IK403-5", "The total has more than ten digits or is negative."
    if claim.total != sum(line.charge for line in claim.lines):
        yield "CLM", 2, "BAL-CLM02", "The total is not the sum of the lines."


def _of_a_line(claim: Claim, line: ServiceLine, number: int) -> Iterator[Fault]:
    if not _CODE(line.code):
        yield "SV1", 1, "IK403-7", f"Line {number}: a service code has five capitals and digits."
    if len(line.modifiers) > MODIFIERS_MAX or not all(map(_MODIFIER, line.modifiers)):
        yield "SV1", 1, "IK403-7", f"Line {number}: at most four modifiers of two characters each."
    if not 0 <= line.charge <= CHARGE_MAX:
        yield "SV1", 2, "IK403-5", f"Line {number}: the charge has too many digits or is negative."
    if not line.units.is_finite() or not 0 < line.units <= 9999 or line.units * 1000 % 1:
        yield "SV1", 4, "IK403-6", f"Line {number}: units are above 0 with at most three decimals."
    places = range(1, len(claim.diagnoses) + 1)
    if not 0 < len(line.diagnoses) <= POINTERS_MAX or not set(line.diagnoses) <= set(places):
        yield "SV1", 7, "IK403-7", f"Line {number}: one to four pointers to the claim's diagnoses."
    if line.service_end and line.service_end < line.service_date:
        yield "DTP", 3, "IK403-8", f"Line {number}: the service ends before it begins."


def _of_another_payer(other: OtherPayer) -> Iterator[Fault]:
    if other.sequence not in ("P", "S", "T"):
        yield "SBR", 1, "IK403-7", "The other payer's place is P, S or T."
    if any(each.group not in GROUPS for each in other.adjustments):
        yield "CAS", 1, "IK403-7", "An adjustment's group is CO, CR, OA, PI or PR."
