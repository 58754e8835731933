"""Payments and bills as FHIR R4 resources: PaymentNotice and Invoice."""

from typing import Any

from polyclinic.services.billing.domain import money
from polyclinic.services.billing.domain.payments import Payment

Resource = dict[str, Any]
_STATUS = "http://terminology.hl7.org/CodeSystem/paymentstatus"


def fhir_money(amount: int, currency: str) -> Resource:
    return {"value": float(money.plain(amount, currency)), "currency": currency}


def payment_notice(payment: Payment, clinic: str) -> Resource:
    """That money came in. It names the bill at most; whose it is, the bill says."""
    notice: Resource = {
        "resourceType": "PaymentNotice",
        "id": str(payment.id),
        "status": "active",
        "created": payment.made.isoformat(timespec="seconds"),
        "payment": {"identifier": {"value": str(payment.id)}},
        "paymentDate": payment.changed.date().isoformat(),
        "recipient": {"display": clinic},
        "amount": fhir_money(payment.amount, payment.currency),
        "paymentStatus": {"coding": [{"system": _STATUS, "code": "paid"}]},
    }
    if payment.statement is not None:
        notice["request"] = {"reference": f"Invoice/{payment.statement}"}
    return notice
