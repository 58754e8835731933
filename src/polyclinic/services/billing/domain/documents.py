"""Claims, payers' answers and payments as FHIR R4 resources."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from polyclinic.services.billing.domain.charges import Charge, Visit
from polyclinic.services.billing.domain.claims import Claim
from polyclinic.services.billing.domain.coverage import Coverage
from polyclinic.services.billing.domain.money import plain
from polyclinic.services.billing.domain.payers import Payer
from polyclinic.standards.x12.remittance import Remittance

Resource = dict[str, Any]
_CODES = "http://terminology.hl7.org/CodeSystem"
_ICD = "http://hl7.org/fhir/sid/icd-10-cm"
# X12's own names of the groups and reasons of adjustments; a reason's words are left out.
_GROUPS = "https://x12.org/codes/claim-adjustment-group-codes"
_REASONS = "https://x12.org/codes/claim-adjustment-reason-codes"


@dataclass(frozen=True, slots=True)
class Line:
    """What a payer decided of a charge: adjustments are (group, reason, amount)."""

    charge: UUID | None
    charged: int
    paid: int
    patient_share: int
    adjustments: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True)
class Story:
    """A claim with all that its documents tell."""

    claim: Claim
    visit: Visit
    charges: tuple[tuple[int, Charge], ...]
    coverage: Coverage | None
    payer: Payer | None
    provider_npi: str
    decided: tuple[Line, ...] = ()


def money(amount: int, currency: str) -> Resource:
    """FHIR Money: a decimal with the currency's own digits."""
    return {"value": Decimal(plain(amount, currency)), "currency": currency}


def _coded(system: str, code: str) -> Resource:
    """`system` is one of FHIR's own by its last word, or a whole address."""
    address = system if "://" in system else f"{_CODES}/{system}"
    return {"coding": [{"system": address, "code": code}]}


def _shared(story: Story) -> Resource:
    """What Claim and ExplanationOfBenefit have in common."""
    claim = story.claim
    return {
        "id": str(claim.id),
        "status": "active",
        "type": _coded("claim-type", "professional"),
        "use": "claim",
        "patient": {"reference": claim.patient},
        "created": claim.made.date().isoformat(),
        "insurer": _insurer(story),
        "provider": {"reference": story.visit.practitioner},
        "identifier": [{"value": claim.number}],
        "insurance": [_insurance(story)],
    }


def _insurer(story: Story) -> Resource:
    return {"display": story.payer.name if story.payer else story.claim.payer}


def _insurance(story: Story) -> Resource:
    """Coverage is a document of records; here it is told by its payer alone."""
    return {"focal": True, "coverage": _insurer(story)}


def _item(sequence: int, charge: Charge, currency: str) -> Resource:
    modifiers = [{"text": modifier} for modifier in charge.detail.modifiers]
    return {
        "sequence": sequence,
        "productOrService": {"coding": [{"code": charge.detail.code}]},
        **({"modifier": modifiers} if modifiers else {}),
        "diagnosisSequence": list(charge.detail.pointers),
        "servicedDate": charge.day.isoformat(),
        "quantity": {"value": charge.units},
        "net": money(charge.amount, currency),
    }


def _diagnoses(story: Story) -> list[Resource]:
    return [
        {
            "sequence": n,
            "diagnosisCodeableConcept": {"coding": [{"system": _ICD, "code": code}]},
        }
        for n, code in enumerate(story.visit.diagnoses, 1)
    ]


def claim(story: Story) -> Resource:
    """What was asked of the payer."""
    currency = story.claim.currency
    numbered = {**_shared(story)}
    numbered["insurance"] = [{"sequence": 1, **_insurance(story)}]
    return {
        "resourceType": "Claim",
        **numbered,
        "priority": _coded("processpriority", "normal"),
        "diagnosis": _diagnoses(story),
        "item": [_item(n, charge, currency) for n, charge in story.charges],
        "total": money(story.claim.total, currency),
    }


def claim_response(story: Story) -> Resource:
    """What the payer decided, as one answer."""
    claim = story.claim
    payment = sum(line.paid for line in story.decided)
    return {
        "resourceType": "ClaimResponse",
        "id": str(claim.id),
        "status": "active",
        "type": _coded("claim-type", "professional"),
        "use": "claim",
        "patient": {"reference": claim.patient},
        "created": claim.changed.date().isoformat(),
        "insurer": _insurer(story),
        "request": {"reference": f"Claim/{claim.id}"},
        "outcome": "complete",
        "disposition": claim.status,
        "total": _totals(story),
        "payment": {
            "type": _coded("ex-paymenttype", "complete"),
            "amount": money(payment, claim.currency),
        },
    }


def explanation(story: Story) -> Resource:
    """Line by line: what was charged, paid, taken off, and what is the patient's."""
    currency = story.claim.currency
    by_charge = _by_charge(story.decided)
    items = [
        {
            **_item(n, charge, currency),
            "adjudication": [
                each
                for line in by_charge.get(charge.id, ())
                for each in _adjudicated(line, currency)
            ],
        }
        for n, charge in story.charges
    ]
    whole = [each for line in by_charge.get(None, ()) for each in _adjudicated(line, currency)]
    return {
        "resourceType": "ExplanationOfBenefit",
        **_shared(story),
        "claim": {"reference": f"Claim/{story.claim.id}"},
        "outcome": "complete",
        "disposition": story.claim.status,
        "diagnosis": _diagnoses(story),
        "item": [{k: v for k, v in item.items() if v != []} for item in items],
        **({"adjudication": whole} if whole else {}),
        "total": _totals(story),
    }


def _by_charge(decided: Sequence[Line]) -> Mapping[UUID | None, list[Line]]:
    found: dict[UUID | None, list[Line]] = {}
    for line in decided:
        found.setdefault(line.charge, []).append(line)
    return found


def _adjudicated(line: Line, currency: str) -> list[Resource]:
    said: list[tuple[Resource, Resource, int]] = [
        (_coded("adjudication", "submitted"), {}, line.charged),
        (_coded("adjudication", "benefit"), {}, line.paid),
    ]
    said += [
        (_coded(_GROUPS, group), {"reason": _coded(_REASONS, reason)}, amount)
        for group, reason, amount in line.adjustments
    ]
    return [
        {"category": category, **reason, "amount": money(amount, currency)}
        for category, reason, amount in said
    ]


def _totals(story: Story) -> list[Resource]:
    currency = story.claim.currency
    sums = {
        "submitted": story.claim.total,
        "benefit": sum(line.paid for line in story.decided),
        "copay": sum(line.patient_share for line in story.decided),
    }
    return [
        {"category": _coded("adjudication", name), "amount": money(amount, currency)}
        for name, amount in sums.items()
    ]


def payment_reconciliation(
    name: str, remittance: Remittance, currency: str, details: Sequence[tuple[UUID, int]]
) -> Resource:
    """What a payer paid, claim by claim."""
    day = remittance.payment_date.isoformat()
    listed = [
        {
            "type": _coded("payment-type", "payment"),
            "request": {"reference": f"Claim/{claim}"},
            "amount": money(paid, currency),
        }
        for claim, paid in details
    ]
    return {
        "resourceType": "PaymentReconciliation",
        "id": name,
        "status": "active",
        "created": day,
        "outcome": "complete",
        "paymentDate": day,
        "paymentAmount": money(remittance.paid, currency),
        "paymentIdentifier": {"value": remittance.trace_number},
        "paymentIssuer": {"display": remittance.payer_name},
        **({"detail": listed} if listed else {}),
    }
