"""Payment plans: agreed for all that is owed, followed by what is paid, ended when it is paid."""

from datetime import date
from uuid import UUID

import msgspec

from polyclinic.foundation import clock, ids
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.once import Once, Stored
from polyclinic.services.billing.actions import stating
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain import access
from polyclinic.services.billing.domain import plans as rules
from polyclinic.services.billing.domain.ledger import patient_account
from polyclinic.services.billing.domain.people import is_patient
from polyclinic.services.billing.domain.plans import NotWhatIsOwed, Plan, PlanExists
from polyclinic.services.billing.domain.problems import NotYours, WrongState
from polyclinic.services.billing.store import payments, plans, statements


class Agreed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is agreed: all that is owed, in so many parts, from a day on."""

    total: int
    parts: int
    first_day: date
    patient: str | None = None


async def agree(books: Books, asker: Asker, agreed: Agreed, key: Once) -> Stored:
    """Begins a plan. Raises NotWhatIsOwed, PlanExists."""
    patient = access.patient_for(asker.caller, agreed.patient, "Account", "u")
    if not is_patient(patient):
        raise Invalid("Say for which patient.", place="patient")
    parts = rules.parts(agreed.total, agreed.parts, agreed.first_day, books.today())

    async def act(tx: Transaction) -> tuple[int, object]:
        await payments.hold_patient(tx, patient)
        account, currency = patient_account(patient), books.settings.currency
        now = await statements.standing(tx, account, currency)
        if agreed.total != now.balance:
            raise NotWhatIsOwed(place="total")
        if await plans.has_active(tx, patient):
            raise PlanExists
        plan = Plan(
            ids.new_uuid(), patient, agreed.total, currency, rules.ACTIVE, asker.name,
            clock.now(), now.seq, parts,
        )  # fmt: skip
        await plans.add(tx, plan)
        return 201, shown(plan, books.today())

    return await books.carried(key, act)


async def cancel(books: Books, asker: Asker, name: UUID, key: Once) -> Stored:
    """Ends a plan; what is owed stays owed."""
    plan = await _own(books, asker, name, "u")

    async def act(tx: Transaction) -> tuple[int, object]:
        if not await plans.cancel(tx, plan.id):
            raise WrongState("This plan has ended already.")
        return 200, {"plan": str(plan.id), "status": rules.CANCELLED}

    return await books.carried(key, act)


async def plans_of(books: Books, asker: Asker, asked: str | None) -> dict[str, object]:
    """The newest first, each with how far it is."""
    patient = access.patient_for(asker.caller, asked, "Account", "r")
    found = await plans.of_patient(books.running.database, patient)
    owed = (await stating.standing(books, patient)).balance
    await books.log_read(asker, "Account", {patient: len(found)})
    return {"patient": patient, "owed": owed, "plans": [await _told(books, p) for p in found]}


async def _told(books: Books, plan: Plan) -> dict[str, object]:
    paid = await plans.paid(books.running.database, plan, patient_account(plan.patient))
    value = shown(plan, books.today(), paid)
    return {**value, "made": plan.made.isoformat()}


async def _own(books: Books, asker: Asker, name: UUID, interaction: str) -> Plan:
    plan = await plans.find(books.running.database, name)
    if plan is None:
        raise NotYours
    access.check_own(asker.caller, plan.patient, "Account", interaction)
    return plan


def shown(plan: Plan, today: date, paid: int = 0) -> dict[str, object]:
    return {
        "plan": str(plan.id),
        "status": plan.status,
        "total": plan.total,
        "paid": min(max(paid, 0), plan.total),
        "currency": plan.currency,
        "parts": [
            {
                "due": each.due.isoformat(),
                "amount": each.amount,
                "paid": each.paid,
                "status": each.status(today),
            }
            for each in rules.told(plan.parts, paid)
        ],
    }
