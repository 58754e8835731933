"""Payments as people see them: who looks at whose is logged first."""

from uuid import UUID

from polyclinic.foundation.errors import Forbidden
from polyclinic.services.billing.actions import paying
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain import access
from polyclinic.services.billing.domain.ledger import patient_account
from polyclinic.services.billing.domain.payments import Payment, Refund
from polyclinic.services.billing.store import ledger, payments

LIST_MAX = 200


async def payments_of(books: Books, asker: Asker, asked: str | None) -> dict[str, object]:
    """The newest first, with what is owed and what could be paid by card now."""
    try:
        patient = access.patient_for(asker.caller, asked, "PaymentNotice", "r")
    except Forbidden:
        if asked is not None:
            await books.log_denied(asker, "PaymentNotice", asked)
        raise
    database = books.running.database
    found = await payments.of_patient(database, patient, LIST_MAX)
    refunds = await payments.refunds_of(database, [each.id for each in found])
    owed = await ledger.balance(database, patient_account(patient), books.settings.currency)
    on_its_way = await payments.on_its_way(database, patient)
    await books.log_read(asker, "PaymentNotice", {patient: len(found)})
    return {
        "patient": patient,
        "currency": books.settings.currency,
        "owed": owed,
        "on_its_way": on_its_way,
        "payable": max(owed - on_its_way, 0),
        "cards": books.cards is not None,
        "payments": [shown(each, refunds) for each in found],
    }


async def payment(books: Books, asker: Asker, name: UUID) -> dict[str, object]:
    """One payment with its refunds, and the card page while it is open."""
    found = await paying.find(books, asker, name, "r")
    refunds = await payments.refunds_of(books.running.database, [name])
    await books.log_read(asker, "PaymentNotice", {found.patient: 1})
    return {**shown(found, refunds), "action_url": await paying.page_of(books, found)}


async def page_of(books: Books, name: UUID) -> str | None:
    """Where the person pays, for whoever has just started it."""
    found = await payments.find(books.running.database, name)
    return None if found is None else await paying.page_of(books, found)


def shown(payment: Payment, refunds: list[Refund]) -> dict[str, object]:
    return {
        "id": str(payment.id),
        "patient": payment.patient,
        "method": payment.method,
        "amount": payment.amount,
        "refunded": payment.refunded,
        "currency": payment.currency,
        "status": payment.status,
        "disputed": payment.disputed,
        "statement": str(payment.statement) if payment.statement else None,
        "failure": payment.failure,
        "made": payment.made.isoformat(),
        "changed": payment.changed.isoformat(),
        "refunds": [
            {
                "id": str(each.id),
                "amount": each.amount,
                "status": each.status,
                "reason": each.reason,
                "made": each.made.isoformat(),
            }
            for each in refunds
            if each.payment == payment.id
        ],
    }
