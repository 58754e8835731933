"""Bills patients: what is owed now, statements of it, and their state as payments come in."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

import msgspec

from polyclinic.contracts.billing import StatementIssued
from polyclinic.foundation import ids, telemetry
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Invalid, Problem
from polyclinic.foundation.once import Once, Stored
from polyclinic.foundation.outbox import announce
from polyclinic.services.billing.actions import opened
from polyclinic.services.billing.actions.people import person_of
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain import access
from polyclinic.services.billing.domain import statements as rules
from polyclinic.services.billing.domain.ledger import patient_account
from polyclinic.services.billing.domain.notices import invoice
from polyclinic.services.billing.domain.people import Person, is_patient
from polyclinic.services.billing.domain.problems import WrongState
from polyclinic.services.billing.domain.statements import (
    Bill,
    NothingOwed,
    Snapshot,
    Statement,
)
from polyclinic.services.billing.domain.work import Item
from polyclinic.services.billing.store import charges, payments, plans, statements, work
from polyclinic.services.billing.store.statements import Standing

ROUNDS = 3
BATCH = 200


class Billed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is billed."""

    patient: str


async def warm(books: Books, patient: str) -> None:
    """Fetches the patient's key before a transaction: in it, it would need one more connection."""
    await books.seal(patient, ("warm", ""), None)


async def standing(books: Books, patient: str) -> Standing:
    """What a patient owes now."""
    account, currency = patient_account(patient), books.settings.currency
    return await statements.standing(books.running.database, account, currency)


async def bill_of(books: Books, patient: str) -> tuple[Bill, Standing]:
    """How every line came about, out of the ledger; another posting meanwhile: once more."""
    database, account = books.running.database, patient_account(patient)
    for _ in range(ROUNDS):
        now = await standing(books, patient)
        came = await statements.came(database, patient, account, books.settings.currency)
        rows = await charges.find_all(database, list(came))
        made = rules.bill(await opened.charges(books, rows), came, now.balance)
        if await standing(books, patient) == now:
            return made, now
    raise WrongState("Somebody is posting to this account; try again.")


async def issue(books: Books, asker: Asker, asked: Billed, key: Once) -> Stored:
    """Makes a statement of what is owed now. Raises NothingOwed."""
    access.check_biller(asker.caller, "Invoice", "c")
    if not is_patient(asked.patient):
        raise Invalid("Say for which patient.", place="patient")
    draft = await _draft(books, asked.patient, asker.errand.token)

    async def act(tx: Transaction) -> tuple[int, object]:
        made = await _kept(books, tx, asker, draft)
        return 201, {
            "statement": str(made.id),
            "number": made.number,
            "status": made.status,
            "total": made.total,
            "currency": made.currency,
            "due": made.due.isoformat(),
        }

    return await books.carried(key, act)


async def issue_due(books: Books) -> int:
    """What the clock does: everybody who owes and was sent no bill lately; answers how many."""
    days = books.settings.statement_days
    if not days:
        return 0
    since, issued, tried = books.today() - timedelta(days=days), 0, set[str]()
    while True:
        found = await statements.owing(
            books.running.database, books.settings.currency, since, BATCH + len(tried)
        )
        fresh = [patient for patient in found if patient not in tried]
        if not fresh:
            return issued
        for patient in fresh:
            tried.add(patient)
            issued += await _issued(books, patient)


async def _issued(books: Books, patient: str) -> bool:
    """One that cannot be made does not stop the others."""
    try:
        draft = await _draft(books, patient)
        async with books.running.database.transaction() as tx:
            await _kept(books, tx, books.own(), draft)
    except Problem as problem:
        telemetry.log("statement not made", kind="statement", error=type(problem).__name__)
        return False
    return True


class _Draft(msgspec.Struct, frozen=True):
    """A statement before it has a number, its lines sealed already."""

    statement: Statement
    snapshot: Snapshot
    sealed: bytes


async def _draft(books: Books, patient: str, token: str = "") -> _Draft:
    made, now = await bill_of(books, patient)
    if made.total <= 0:
        raise NothingOwed
    person = await person_of(books, patient, token)
    snapshot = Snapshot(*_letter(person), made.open_lines, made.other)
    name, today = ids.new_uuid(), books.today()
    due = today + timedelta(days=books.settings.payment_days)
    statement = Statement(
        name, 0, patient, today, due, made.total, books.settings.currency, rules.ISSUED, now.seq
    )
    sealed = await books.seal(patient, ("statement", str(name)), snapshot)
    return _Draft(statement, snapshot, sealed)


def _letter(person: Person | None) -> tuple[str, tuple[str, ...]]:
    if person is None:
        return "", ()
    at = person.address
    town = " ".join(part for part in (f"{at.city}," if at.city else "", at.state,
                                      at.postal_code) if part)  # fmt: skip
    return person.name, tuple(line for line in (at.line, town) if line)


async def _kept(books: Books, tx: Transaction, asker: Asker, draft: _Draft) -> Statement:
    """Refused when the account has moved since the draft was made."""
    new = draft.statement
    await payments.hold_patient(tx, new.patient)
    now = await statements.standing(tx, patient_account(new.patient), new.currency)
    if (now.balance, now.seq) != (new.total, new.seq):
        raise WrongState("Somebody is posting to this account; try again.")
    made = await statements.add(tx, new, draft.sealed)
    await books.put(tx, asker, [invoice(made, draft.snapshot)])
    said = StatementIssued(
        statement=str(made.id),
        patient=made.patient.partition("/")[2],
        amount=made.total,
        currency=made.currency,
        due=made.due,
    )
    await announce(tx, (f"Invoice/{made.id}", said))
    return made


async def moved(books: Books, tx: Transaction, patients: Collection[str]) -> None:
    """Accounts were touched: bills, plans and the queue of credits say so in the same transaction.

    Most patients of a remittance have none of these yet; the others are looked at one by one.
    """
    if patients:
        currency = books.settings.currency
        for patient in await statements.concerned(tx, sorted(patients), currency):
            await _moved(books, tx, patient)


async def _moved(books: Books, tx: Transaction, patient: str) -> None:
    account, asker = patient_account(patient), books.own()
    now = await statements.standing(tx, account, books.settings.currency)
    changed = await statements.mark(tx, patient, account, now.balance)
    resources = [await _invoice(books, tx, name) for name in changed]
    if resources:
        await books.put(tx, asker, resources)
    await plans.end(tx, patient, account)
    if now.balance < 0:
        await work.open_item(tx, Item("unapplied", patient, patient, amount=-now.balance))
    else:
        await work.close_item(tx, "unapplied", patient, asker.name, "settled")


async def _invoice(books: Books, tx: Transaction, name: UUID) -> dict[str, object]:
    kept = await statements.find(tx, name)
    assert kept is not None
    return invoice(kept.statement, await snapshot_of(books, kept))


async def snapshot_of(books: Books, kept: statements.Kept) -> Snapshot:
    where = ("statement", str(kept.statement.id))
    return await books.unseal(where, kept.sealed, Snapshot)
