"""A clinic with one insurer and visits that are coded, straight through the stores."""

import itertools
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from billing_door import BILL, Door

from polyclinic.demo.payer import read_rules
from polyclinic.demo.payer.deciding import Payer as Insurer
from polyclinic.demo.payer.deciding import answers
from polyclinic.foundation import clock, ids
from polyclinic.services.billing.actions import bookkeeping, claiming
from polyclinic.services.billing.domain.charges import BILLABLE, CODED, Charge, Detail, Visit
from polyclinic.services.billing.domain.coverage import Coverage, Member
from polyclinic.services.billing.domain.ledger import (
    EARNED,
    About,
    Entry,
    payer_account,
    transfer,
)
from polyclinic.services.billing.domain.payers import Payer, Rules
from polyclinic.services.billing.domain.people import Address, Person
from polyclinic.services.billing.store import charges, claims, coverages, payers, people, visits

RULES = read_rules()
SETTINGS = {
    "POLYCLINIC_BILLING_CLINIC_NAME": "Northside Clinic",
    "POLYCLINIC_BILLING_CLINIC_ADDRESS": "5 Main Street; Springfield; MA; 011031234",
    "POLYCLINIC_BILLING_CLINIC_TELEPHONE": "4135550100",
    "POLYCLINIC_BILLING_CLINIC_NPI": "1234567893",
    "POLYCLINIC_BILLING_CLINIC_TAX_ID": "123456789",
}
_numbers = itertools.count(1)
PERSON = Person(
    "Keller", "Maria", date(1980, 4, 2), "female",
    Address("12 Elm Street", "Springfield", "MA", "01103"), "4135550111",
)  # fmt: skip


@dataclass(frozen=True)
class Coded:
    patient: str
    claim: UUID
    charges: tuple[Charge, ...]


async def open_clinic(door: Door, **rules: Any) -> None:
    payer = Payer("nhp", RULES.name, RULES.id, Address("1 Square", "Springfield", "MA", "01103"),
                  rules=Rules(**rules))  # fmt: skip
    async with door.running.database.transaction() as tx:
        await payers.save(tx, payer)
        await claims.set_provider(tx, ("Practitioner/ana", "Ruiz", "Ana", "1234567893", ""))


async def coded(
    door: Door,
    *lines: tuple[str, int],
    person: Person = PERSON,
    member: str = "M1234567",
    days_ago: int = 3,
    diagnoses: tuple[str, ...] = ("E11.9", "I10"),
) -> Coded:
    """A coded visit with a draft claim; `lines` are (code, amount)."""
    patient, day = f"Patient/p{next(_numbers)}", door.books.today() - timedelta(days=days_ago)
    cover = Coverage(
        ids.new_uuid(), patient, "nhp", 1, day - timedelta(days=400), None, Member(member)
    )
    visit = Visit(
        ids.new_uuid(), f"Appointment/{ids.new_id()}", patient, "Practitioner/ana", day, CODED,
        cover.id, diagnoses,
    )  # fmt: skip
    listed = tuple(
        Charge(ids.new_uuid(), visit.id, n, patient, day, amount, 1, "USD", BILLABLE,
               Detail(code, (), (1,), f"Title of {code}"))
        for n, (code, amount) in enumerate(lines, 1)
    )  # fmt: skip
    books = door.books
    sealed_person = await books.seal(patient, ("person", patient), person)
    sealed_cover = await books.seal(patient, ("coverage", str(cover.id)), cover.member)
    sealed_visit = await books.seal(patient, ("visit", str(visit.id)), diagnoses)
    details = [(("charge", str(each.id)), each.detail) for each in listed]
    sealed_charges = await books.seal_all(patient, details)
    async with door.running.database.transaction() as tx:
        await people.save(tx, patient, sealed_person)
        await coverages.add(tx, cover, sealed_cover)
        await visits.add(tx, visit)
        await visits.save_coding(tx, visit.id, CODED, cover.id, sealed_visit)
        await charges.add(tx, listed, sealed_charges)
        claim = await claiming.begin(books, tx, "test", visit, "nhp", listed)
        await bookkeeping.post(books, tx, [_charged(each) for each in listed])
    assert claim is not None
    return Coded(patient, claim, listed)


def _charged(charge: Charge) -> Entry:
    """As coding posts it: before there is a claim, so its lines name the charge alone."""
    about = About(charge.patient, None, charge.id, "charge")
    lines = tuple(transfer(payer_account("nhp"), EARNED, charge.amount, about))
    return Entry("charge", f"charge/{charge.id}", "test", lines)


async def checked(door: Door, what: Coded) -> dict[str, Any]:
    return await door.done(BILL, f"/billing/claims/{what.claim}/check", {})


async def submitted(door: Door, *several: Coded) -> bytes:
    """Checks and submits; the 837P as it would go out."""
    for each in several:
        assert (await checked(door, each))["status"] == "checked"
    body = {"claims": [str(each.claim) for each in several]}
    file = (await door.done(BILL, "/billing/submissions", body))["file"]
    return (await door.ask(BILL, "GET", f"/billing/files/{file}")).content


def replies(content: bytes) -> dict[str, bytes]:
    """What the simulated insurer answers, by kind."""
    return dict(answers(Insurer(RULES, clock.now()), content))


async def came(door: Door, content: bytes) -> Any:
    """A file of the insurer comes in."""
    door.tokens[BILL.token_id] = BILL
    headers = {"authorization": f"Bearer {BILL.token_id}"}
    return await door.client.post("/billing/files", content=content, headers=headers)


async def claim(door: Door, what: Coded) -> dict[str, Any]:
    answer = await door.ask(BILL, "GET", f"/billing/claims/{what.claim}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def balance(door: Door, name: str) -> int:
    rows = await door.sql(
        "SELECT b.amount FROM billing.balance b JOIN billing.account a ON a.number = b.account"
        " WHERE a.name = $1",
        name,
    )
    return rows[0]["amount"] if rows else 0
