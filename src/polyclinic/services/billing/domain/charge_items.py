"""Charges, accounts and prices as FHIR R4 resources."""

import uuid
from typing import Any

from polyclinic.services.billing.domain import money
from polyclinic.services.billing.domain.charges import ABORTED, BILLED, Charge, Visit
from polyclinic.services.billing.domain.fees import Fee, Schedule

Resource = dict[str, Any]
# Ours, so that a patient's account and a fee have one name each.
_NAMES = uuid.UUID("3f1d7e0a-52c4-4f6b-8a55-6e5d0b8f7c21")
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
_STATUS = {BILLED: "billed", ABORTED: "entered-in-error"}


def account_id(patient: str) -> str:
    return str(uuid.uuid5(_NAMES, patient))


def account(patient: str) -> Resource:
    return {
        "resourceType": "Account",
        "id": account_id(patient),
        "status": "active",
        "type": {"text": "Patient account"},
        "subject": [{"reference": patient}],
    }


def charge_item(charge: Charge, visit: Visit) -> Resource:
    detail = charge.detail
    reasons = [visit.diagnoses[n - 1] for n in detail.pointers if n <= len(visit.diagnoses)]
    resource: Resource = {
        "resourceType": "ChargeItem",
        "id": str(charge.id),
        "status": _STATUS.get(charge.status, "billable"),
        "code": {"coding": _codings(detail.code, detail.modifiers), "text": detail.title},
        "subject": {"reference": charge.patient},
        "occurrenceDateTime": charge.day.isoformat(),
        "quantity": {"value": charge.units},
        "priceOverride": _amount(charge.amount, charge.currency),
        "account": [{"reference": f"Account/{account_id(charge.patient)}"}],
    }
    if reasons:
        codings = [[{"system": ICD_10_CM, "code": code}] for code in reasons]
        resource["reason"] = [{"coding": each} for each in codings]
    if visit.practitioner:
        resource["performer"] = [{"actor": {"reference": visit.practitioner}}]
    if visit.encounter:
        resource["context"] = {"reference": visit.encounter}
    return resource


def definition_id(schedule: Schedule, fee: Fee) -> str:
    """Opaque: ids stand in events and logs, where no code may be read."""
    return str(uuid.uuid5(_NAMES, f"{schedule.id}|{fee.code}|{fee.modifier}"))


def definition(schedule: Schedule, fee: Fee) -> Resource:
    period = {"start": schedule.from_day.isoformat()}
    if schedule.until_day is not None:
        period["end"] = schedule.until_day.isoformat()
    name = definition_id(schedule, fee)
    coding = _codings(fee.code, (fee.modifier,) if fee.modifier else ())
    price = {"type": "base", "factor": 1, "amount": _amount(fee.amount, schedule.currency)}
    return {
        "resourceType": "ChargeItemDefinition",
        "id": name,
        "url": f"urn:uuid:{name}",
        "title": fee.title,
        "status": "active",
        "publisher": schedule.name,
        "effectivePeriod": period,
        "code": {"coding": coding, "text": fee.title},
        "propertyGroup": [{"priceComponent": [price]}],
    }


def _amount(value: int, currency: str) -> Resource:
    return {"value": money.decimal(value, currency), "currency": currency}


def _codings(code: str, modifiers: tuple[str, ...]) -> list[Resource]:
    """Which code system a clinic's list is written in is the clinic's own matter: none is named."""
    return [{"code": code}, *({"code": modifier} for modifier in modifiers)]
