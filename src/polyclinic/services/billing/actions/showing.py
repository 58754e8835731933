"""Payments as people see them: who looks at whose is logged first."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from uuid import UUID

import msgspec

from polyclinic.foundation.errors import Forbidden
from polyclinic.services.billing.actions import paying, printing, stating
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain import access
from polyclinic.services.billing.domain.ledger import patient_account
from polyclinic.services.billing.domain.payments import Payment, Refund
from polyclinic.services.billing.domain.people import is_patient
from polyclinic.services.billing.domain.statements import BillLine, Statement
from polyclinic.services.billing.store import ledger, payments, remittances, statements

LIST_MAX = 200
_ADJUSTMENTS = list[tuple[str, str, int]]
_Reasons = Mapping[UUID, Mapping[tuple[str, str], int]]


async def payments_of(books: Books, asker: Asker, asked: str | None) -> dict[str, object]:
    """The newest first, with what is owed and what could be paid by card now."""
    try:
        patient = access.patient_for(asker.caller, asked, "PaymentNotice", "r")
    except Forbidden:
        if asked is not None and is_patient(asked):
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


async def owed(books: Books, asker: Asker, asked: str | None) -> dict[str, object]:
    """All that a patient owes now, line by line, out of the ledger."""
    patient = await _patient(books, asker, asked)
    bill, now = await stating.bill_of(books, patient)
    on_its_way = await payments.on_its_way(books.running.database, patient)
    why = await _reasons(books, bill.lines)
    await books.log_read(asker, "Invoice", {patient: len(bill.lines)})
    return {
        "patient": patient,
        "currency": books.settings.currency,
        "owed": now.balance,
        "on_its_way": on_its_way,
        "payable": max(now.balance - on_its_way, 0),
        "credit": bill.credit,
        "other": bill.other,
        "cards": books.cards is not None,
        "lines": [_line(each, why) for each in bill.lines],
    }


async def statements_of(books: Books, asker: Asker, asked: str | None) -> dict[str, object]:
    """The newest first."""
    patient = await _patient(books, asker, asked)
    found = await statements.of_patient(books.running.database, patient, LIST_MAX)
    await books.log_read(asker, "Invoice", {patient: len(found)})
    return {"patient": patient, "statements": [_statement(each.statement) for each in found]}


async def statement(books: Books, asker: Asker, name: UUID) -> dict[str, object]:
    """A bill as it was sent."""
    kept = await printing.own_statement(books, asker, name)
    snapshot = await stating.snapshot_of(books, kept)
    why = await _reasons(books, snapshot.lines)
    await books.log_read(asker, "Invoice", {kept.statement.patient: 1})
    return {
        **_statement(kept.statement),
        "name": snapshot.name,
        "address": list(snapshot.address),
        "other": snapshot.other,
        "lines": [_line(each, why) for each in snapshot.lines],
    }


async def _patient(books: Books, asker: Asker, asked: str | None) -> str:
    """Whose bills are asked for; a refusal is logged with whose they would have been."""
    try:
        return access.patient_for(asker.caller, asked, "Invoice", "r")
    except Forbidden:
        if asked is not None and is_patient(asked):
            await books.log_denied(asker, "Invoice", asked)
        raise


def _statement(made: Statement) -> dict[str, object]:
    return {
        "id": str(made.id),
        "number": made.number,
        "patient": made.patient,
        "day": made.day.isoformat(),
        "due": made.due.isoformat(),
        "total": made.total,
        "currency": made.currency,
        "status": made.status,
    }


async def _reasons(books: Books, lines: Sequence[BillLine]) -> _Reasons:
    """Why insurers took amounts off, by charge; what a later decision took back is gone."""
    rows = await remittances.of_charges(books.running.database, [each.charge for each in lines])
    found: dict[UUID, dict[tuple[str, str], int]] = {}
    for row in rows:
        sums = found.setdefault(row["charge"], {})
        for group, reason, amount in msgspec.json.decode(row["adjustments"], type=_ADJUSTMENTS):
            sums[group, reason] = sums.get((group, reason), 0) + amount
    return found


def _line(line: BillLine, why: _Reasons) -> dict[str, object]:
    reasons = [
        {"group": group, "reason": reason, "amount": amount}
        for (group, reason), amount in why.get(line.charge, {}).items()
        if amount
    ]
    return {**asdict(line), "charge": str(line.charge), "day": line.day.isoformat(),
            "left": line.left, "why": reasons}  # fmt: skip
