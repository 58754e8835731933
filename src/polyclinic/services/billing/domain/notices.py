"""Payments and bills as FHIR R4 resources: PaymentNotice and Invoice."""

from typing import Any

from polyclinic.services.billing.domain import money
from polyclinic.services.billing.domain.payments import Payment
from polyclinic.services.billing.domain.statements import BillLine, Snapshot, Statement

Resource = dict[str, Any]
_STATUS = "http://terminology.hl7.org/CodeSystem/paymentstatus"


def fhir_money(amount: int, currency: str) -> Resource:
    return {"value": float(money.plain(amount, currency)), "currency": currency}


def invoice(statement: Statement, snapshot: Snapshot) -> Resource:
    """A bill that was sent: what is left of each charge, never what it was for."""
    return {
        "resourceType": "Invoice",
        "id": str(statement.id),
        "identifier": [{"value": str(statement.number)}],
        "status": statement.status,
        "subject": {"reference": statement.patient},
        "recipient": {"reference": statement.patient},
        "date": statement.day.isoformat(),
        "lineItem": [
            *(_item(n, line, statement.currency) for n, line in enumerate(snapshot.lines, 1)),
            *_other(len(snapshot.lines) + 1, snapshot.other, statement.currency),
        ],
        "totalNet": fhir_money(statement.total, statement.currency),
        "totalGross": fhir_money(statement.total, statement.currency),
    }


def _item(n: int, line: BillLine, currency: str) -> Resource:
    """Charged, and what was taken off until what is left remained."""
    parts = [("base", "charged", line.charged), ("deduction", "insurance", -line.insurance),
             ("deduction", "contract", -line.contract), ("deduction", "forgiven", -line.forgiven),
             ("deduction", "waiting for insurance", -line.waiting),
             ("deduction", "paid", -line.paid)]  # fmt: skip
    return {
        "sequence": n,
        "chargeItemReference": {"reference": f"ChargeItem/{line.charge}"},
        "priceComponent": [
            {"type": kind, "code": {"text": text}, "amount": fhir_money(amount, currency)}
            for kind, text, amount in parts
            if amount or kind == "base"
        ],
    }


def _other(n: int, amount: int, currency: str) -> list[Resource]:
    if not amount:
        return []
    price = {"type": "base", "amount": fhir_money(amount, currency)}
    return [
        {
            "sequence": n,
            "chargeItemCodeableConcept": {"text": "Earlier balance"},
            "priceComponent": [price],
        }
    ]


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
