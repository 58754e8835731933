"""Bills say what is owed and how it came about, on paper too; who holds one may pay it."""

import asyncio
import io
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pypdf
import pytest
from billing_door import BILL, TOM, Door, clinician, open_door, patient
from cards_at_work import Cards, cards_at_work
from hypothesis import given
from hypothesis import strategies as st
from paying_door import BACK, card, give_back, owed, owing, paid

from polyclinic.foundation import ids
from polyclinic.services.billing.actions import bookkeeping, people, stating
from polyclinic.services.billing.domain.charges import Charge, Detail
from polyclinic.services.billing.domain.ledger import (
    BANK,
    CONTRACTUAL,
    EARNED,
    About,
    Entry,
    patient_account,
    payer_account,
    transfer,
)
from polyclinic.services.billing.domain.people import Address, Person
from polyclinic.services.billing.domain.statements import Came, bill
from polyclinic.services.billing.store import charges as charge_rows
from polyclinic.services.billing.store import ledger

PLANTED = 'Zoë #strong[Ó"Brien] $x^2$ </svg> \\u{41} 王'
BORN = date(1980, 2, 29)


@pytest.fixture(scope="module")
def cards() -> Iterator[Cards]:
    with cards_at_work() as at_work:
        yield at_work


@pytest.fixture(scope="module")
async def door(postgres_url: str, key_file: Path, cards: Cards) -> AsyncIterator[Door]:
    more = {
        "POLYCLINIC_BILLING_CLINIC_NAME": "Northside Clinic",
        "POLYCLINIC_BILLING_CLINIC_ADDRESS": "12 Harbour Street; Boston; MA; 02110",
        "POLYCLINIC_BILLING_STATEMENT_DAYS": "0",
    }
    async with open_door(postgres_url, key_file, **cards.settings, **more) as opened:
        yield opened


async def treated(door: Door, parts: list[tuple[int, int, int]], *, who: str = "") -> str:
    """A patient with charges: (charged, paid by insurance, contract); the rest is theirs."""
    who = who or f"p{uuid.uuid4().hex[:12]}"
    reference, visit, today = f"Patient/{who}", ids.new_uuid(), door.books.today()
    made = [
        Charge(ids.new_uuid(), visit, n, reference, today - timedelta(days=30 - n), charged, 1,
               "USD", "billable", Detail(f"Z100{n}", title=f"Visit part {n}"))
        for n, (charged, _, _) in enumerate(parts, 1)
    ]  # fmt: skip
    sealed = await door.books.seal_all(
        reference, [(("charge", str(each.id)), each.detail) for each in made]
    )
    entries = [
        Entry("charge", f"charge/{each.id}", "test", tuple(_lines(each, *part[1:])))
        for each, part in zip(made, parts, strict=True)
    ]
    await door.sql(
        "INSERT INTO billing.visit (id, source, patient, practitioner, day)"
        " VALUES ($1, $2, $3, 'Practitioner/ana', $4)",
        visit, f"test/{visit}", reference, today,
    )  # fmt: skip
    async with door.running.database.transaction() as tx:
        await charge_rows.add(tx, made, sealed)
        await bookkeeping.post(door.books, tx, entries)
    return who


def _lines(charge: Charge, insurance: int, contract: int) -> list[Any]:
    about = About(charge.patient, None, charge.id)
    insurer, mine = payer_account("acme"), patient_account(charge.patient)
    return [
        *transfer(insurer, EARNED, charge.amount, about),
        *transfer(BANK, insurer, insurance, about),
        *transfer(CONTRACTUAL, insurer, contract, about),
        *transfer(mine, insurer, charge.amount - insurance - contract, about),
    ]


async def person(door: Door, who: str, family: str = "Kovač") -> None:
    told = Person(family, "Mia", BORN, "female", Address("1 Elm Street", "Boston", "MA", "02111"))
    await people.put_person(door.books, door.books.own(), f"Patient/{who}", told)


async def billed(door: Door, who: str) -> dict[str, Any]:
    return await door.done(BILL, "/billing/statements", {"patient": f"Patient/{who}"})


async def words(door: Door, path: str, who: Any) -> tuple[str, pypdf.PdfReader]:
    answer = await door.ask(who, "GET", path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/pdf"
    read = pypdf.PdfReader(io.BytesIO(answer.content))
    return "\n".join(page.extract_text() for page in read.pages), read


async def link_on(door: Door, statement: str, who: str) -> str:
    """The token that the bill's link ends with."""
    _, read = await words(door, f"/billing/statements/{statement}.pdf", patient(who))
    links = [
        note.get_object()["/A"]["/URI"] for page in read.pages for note in page.get("/Annots", [])
    ]
    (address,) = {str(each) for each in links}
    assert address.startswith("http://clinic.test/pay/")
    return address.rpartition("/")[2]


amounts = st.integers(0, 10**6)
parts = st.tuples(amounts, amounts, amounts, amounts)


@given(st.lists(parts, max_size=8), st.integers(-(10**7), 10**7))
def test_the_lines_of_a_bill_add_up_to_the_balance_exactly(given, elsewhere):
    """Whatever was paid, given back or disputed besides."""
    came, made = dict[uuid.UUID, Came](), list[Charge]()
    for n, (share, waiting, insurance, contract) in enumerate(given):
        name = uuid.UUID(int=n)
        came[name] = Came(share, waiting, insurance, contract)
        made.append(Charge(name, name, 1, "Patient/a", date(2026, 1, n + 1),
                           share + waiting + insurance + contract, 1, "USD", "billable",
                           Detail("Z1001")))  # fmt: skip
    balance = sum(part.share for part in came.values()) + elsewhere
    found = bill(made, came, balance)
    assert found.total == max(balance, 0)
    assert found.credit == max(-balance, 0)
    for line in found.lines:
        assert line.charged == (
            line.insurance + line.contract + line.forgiven + line.waiting + line.share
        )
        assert 0 <= line.paid <= line.share
    covered = [line.left for line in found.lines if line.share]
    # Oldest first: behind the first line with something left nothing is covered.
    first = next((n for n, left in enumerate(covered) if left), len(covered))
    later = [line for line in found.lines if line.share][first + 1 :]
    assert all(line.paid == 0 for line in later)


async def test_what_is_owed_is_told_line_by_line(door: Door):
    who = await treated(door, [(20_000, 12_000, 5_000), (10_000, 0, 0)])
    body = {"patient": f"Patient/{who}", "amount": 4_000, "method": "cash"}
    await door.done(TOM, "/billing/payments", body)
    told = (await door.ask(patient(who), "GET", "/billing/owed")).json()
    assert told["owed"] == 9_000
    assert [(n["charged"], n["insurance"], n["contract"], n["share"], n["paid"], n["left"])
            for n in told["lines"]] == [
        (20_000, 12_000, 5_000, 3_000, 3_000, 0),
        (10_000, 0, 0, 10_000, 1_000, 9_000),
    ]  # fmt: skip
    assert (await door.ask(clinician("ana"), "GET", "/billing/owed")).status_code == 403
    assert (await door.proof())["holds"]


async def test_a_statement_keeps_what_was_owed_and_is_balanced_when_it_is_paid(door, cards):
    who = await treated(door, [(9_000, 0, 0)])
    await person(door, who)
    made = await billed(door, who)
    assert (made["total"], made["status"]) == (9_000, "issued")
    await treated(door, [(1_000, 0, 0)], who=who)
    invoice = f"/fhir/Invoice/{made['statement']}"
    assert (await door.ask(BILL, "GET", invoice)).json()["status"] == "issued"
    payment = await paid(door, cards, who, 9_000)
    shown = (await door.ask(patient(who), "GET", f"/billing/statements/{made['statement']}")).json()
    assert (shown["status"], shown["total"], len(shown["lines"])) == ("balanced", 9_000, 1)
    assert (await door.ask(BILL, "GET", invoice)).json()["status"] == "balanced"
    assert (await give_back(door, payment, 500)).status_code == 201
    assert (await door.ask(BILL, "GET", invoice)).json()["status"] == "issued"
    assert await owed(door, who) == 1_500
    assert (await door.proof())["holds"]


async def test_the_invoice_and_the_notice_say_amounts_and_never_what_was_done(door, cards):
    who = await treated(door, [(9_000, 0, 0)])
    made = await billed(door, who)
    invoice = await door.ask(patient(who), "GET", f"/fhir/Invoice/{made['statement']}")
    assert invoice.status_code == 200, invoice.text
    value = invoice.json()
    assert value["totalNet"] == {"value": 90.0, "currency": "USD"}
    assert "Z100" not in invoice.text
    stranger = await door.ask(patient("other"), "GET", f"/fhir/Invoice/{made['statement']}")
    assert stranger.status_code == 404
    payment = await paid(door, cards, who, 9_000)
    notice = await door.ask(BILL, "GET", f"/fhir/PaymentNotice/{payment}")
    assert notice.json()["amount"]["value"] == 90.0
    body = {"resourceType": "Invoice", "status": "issued"}
    assert (await door.ask(BILL, "POST", "/fhir/Invoice", body)).status_code == 405
    assert (await door.proof())["holds"]


async def test_only_billing_makes_statements_and_only_of_debts(door: Door):
    who = await owing(door, 500)
    asked = {"patient": f"Patient/{who}"}
    for other in (TOM, patient(who), clinician("ana")):
        assert (await door.ask(other, "POST", "/billing/statements", asked)).status_code == 403
    nobody = {"patient": f"Patient/{uuid.uuid4()}"}
    refused = await door.ask(BILL, "POST", "/billing/statements", nobody)
    assert (refused.status_code, refused.json()["kind"]) == (422, "NothingOwed")


async def test_the_bill_on_paper_is_accessible_and_says_what_the_statement_says(door: Door):
    who = await treated(door, [(20_000, 12_000, 5_000), (10_000, 0, 0)])
    await person(door, who)
    made = await billed(door, who)
    text, read = await words(door, f"/billing/statements/{made['statement']}.pdf", patient(who))
    for word in ("Mia Kovač", "1 Elm Street", "Northside Clinic", "$130.00", "Visit part 1",
                 "Z1001", "$200.00", "−$120.00", "−$50.00", "$30.00", "$100.00",
                 f"{made['number']:06}"):  # fmt: skip
        assert word in text, word
    catalog = read.trailer["/Root"].get_object()
    assert b"<pdfuaid:part>1</pdfuaid:part>" in catalog["/Metadata"].get_object().get_data()
    assert catalog["/MarkInfo"]["/Marked"]
    assert catalog["/Lang"] == "en-US"
    assert read.metadata is not None
    assert "Northside Clinic" in (read.metadata.title or "")
    stranger = await door.ask(patient("x"), "GET", f"/billing/statements/{made['statement']}.pdf")
    assert stranger.status_code == 404


async def test_planted_words_are_set_as_they_stand(door: Door):
    who = await treated(door, [(9_000, 0, 0)])
    await person(door, who, PLANTED[:-2])
    made = await billed(door, who)
    text, _ = await words(door, f"/billing/statements/{made['statement']}.pdf", patient(who))
    flat = " ".join(text.split())
    assert "Mia " + PLANTED[:-2] in flat
    # A letter that no typeface of ours has does not stop the bill.
    other = await treated(door, [(9_000, 0, 0)])
    await person(door, other, PLANTED)
    made = await billed(door, other)
    text, _ = await words(door, f"/billing/statements/{made['statement']}.pdf", patient(other))
    assert "#strong[" in text


async def test_a_receipt_says_what_came_in_and_what_was_given_back(door, cards):
    who = await owing(door, 5_000)
    payment = await paid(door, cards, who, 5_000)
    await give_back(door, payment, 1_500)
    text, _ = await words(door, f"/billing/payments/{payment}.pdf", patient(who))
    assert "$50.00" in text
    assert "$15.00" in text
    assert payment in " ".join(text.split()).replace(" ", "") or payment in text
    assert (
        await door.ask(patient("x"), "GET", f"/billing/payments/{payment}.pdf")
    ).status_code == 404


async def test_who_holds_the_bill_and_knows_the_birth_date_pays_it_as_a_guest(door, cards):
    who = await treated(door, [(9_000, 0, 0)])
    await person(door, who)
    token = await link_on(door, (await billed(door, who))["statement"], who)
    asked = {"token": token, "birth_date": BORN.isoformat()}
    opened = await door.client.post("/billing/pay-links/open", json=asked)
    assert opened.status_code == 200, opened.text
    assert (opened.json()["initials"], opened.json()["payable"]) == ("M.K.", 9_000)
    assert "Kovač" not in opened.text
    assert who not in opened.text
    paying = {**asked, "amount": 9_000, "return_url": BACK}
    bare = await door.client.post("/billing/pay-links/pay", json=paying)
    assert bare.status_code == 400
    keyed = {"idempotency-key": f"guest-{who}"}
    first = await door.client.post("/billing/pay-links/pay", json=paying, headers=keyed)
    again = await door.client.post("/billing/pay-links/pay", json=paying, headers=keyed)
    assert (first.status_code, first.json()["payment"]) == (201, again.json()["payment"])
    cards.pay(first.json()["action_url"])
    after = await door.client.post(
        "/billing/pay-links/open", json={**asked, "payment": first.json()["payment"]}
    )
    assert (after.json()["payment"], after.json()["owed"]) == ("succeeded", 0)
    assert (await door.proof())["holds"]


async def test_five_wrong_birth_dates_end_a_link_even_at_once_and_a_new_bill_has_another(door):
    who = await treated(door, [(9_000, 0, 0)])
    await person(door, who)
    made = await billed(door, who)
    token = await link_on(door, made["statement"], who)
    assert token == await link_on(door, made["statement"], who)
    wrong = [
        door.client.post(
            "/billing/pay-links/open", json={"token": token, "birth_date": f"1980-01-0{n}"}
        )
        for n in range(1, 10)
    ]
    answers = await asyncio.gather(*wrong)
    assert sorted(a.status_code for a in answers) == [410] * 4 + [422] * 5
    right = {"token": token, "birth_date": BORN.isoformat()}
    assert (await door.client.post("/billing/pay-links/open", json=right)).status_code == 410
    fresh = await link_on(door, made["statement"], who)
    assert fresh != token
    right["token"] = fresh
    assert (await door.client.post("/billing/pay-links/open", json=right)).status_code == 200
    rows = await door.sql("SELECT hash FROM billing.pay_link")
    assert not any(fresh.encode() in bytes(row["hash"]) for row in rows)


async def test_right_answers_do_not_use_a_link_up_and_time_does(door: Door):
    who = await treated(door, [(9_000, 0, 0)])
    await person(door, who)
    made = await billed(door, who)
    token = await link_on(door, made["statement"], who)
    right = {"token": token, "birth_date": BORN.isoformat()}
    for _ in range(7):
        assert (await door.client.post("/billing/pay-links/open", json=right)).status_code == 200
    await door.sql("UPDATE billing.pay_link SET expires = now() WHERE statement = $1",
                   uuid.UUID(made["statement"]))  # fmt: skip
    assert (await door.client.post("/billing/pay-links/open", json=right)).status_code == 410
    for token in ("", "x" * 27, "Ω" * 27, "a" * 5000):
        odd = await door.client.post("/billing/pay-links/open", json={**right, "token": token})
        assert odd.status_code in (400, 410, 413)


async def test_a_link_without_a_birth_date_to_compare_says_so(door: Door):
    who = await treated(door, [(9_000, 0, 0)])
    token = await link_on(door, (await billed(door, who))["statement"], who)
    right = {"token": token, "birth_date": BORN.isoformat()}
    answer = await door.client.post("/billing/pay-links/open", json=right)
    assert (answer.status_code, answer.json()["kind"]) == (422, "NobodyKnows")


async def test_a_plan_splits_to_the_cent_and_follows_what_is_paid(door: Door, cards: Cards):
    who = await owing(door, 10_000)
    today = door.books.today()
    agreed = {"total": 10_000, "parts": 3, "first_day": today.isoformat()}
    wrong = await door.ask(patient(who), "POST", "/billing/plans", {**agreed, "total": 9_999})
    assert wrong.json()["kind"] == "NotWhatIsOwed"
    for bad in ({"parts": 1}, {"parts": 13}, {"first_day": "2020-01-01"}):
        answer = await door.ask(patient(who), "POST", "/billing/plans", {**agreed, **bad})
        assert answer.status_code == 400
    made = await door.done(patient(who), "/billing/plans", agreed)
    assert [part["amount"] for part in made["parts"]] == [3_334, 3_333, 3_333]
    again = await door.ask(patient(who), "POST", "/billing/plans", agreed)
    assert again.json()["kind"] == "PlanExists"
    await paid(door, cards, who, 4_000)
    (plan,) = (await door.ask(patient(who), "GET", "/billing/plans")).json()["plans"]
    assert [part["paid"] for part in plan["parts"]] == [3_334, 666, 0]
    assert [part["status"] for part in plan["parts"]] == ["paid", "due", "due"]
    await paid(door, cards, who, 6_000)
    (plan,) = (await door.ask(patient(who), "GET", "/billing/plans")).json()["plans"]
    assert (plan["status"], plan["paid"]) == ("done", 10_000)
    assert (await door.proof())["holds"]


async def test_a_cancelled_plan_leaves_the_debt_and_is_the_patients_own(door: Door):
    who = await owing(door, 10_000)
    agreed = {"total": 10_000, "parts": 12, "first_day": door.books.today().isoformat()}
    made = await door.done(patient(who), "/billing/plans", agreed)
    path = f"/billing/plans/{made['plan']}/cancel"
    assert (await door.ask(patient("x"), "POST", path, {})).status_code == 404
    assert (await door.done(patient(who), path, {}))["status"] == "cancelled"
    assert (await door.ask(patient(who), "POST", path, {})).status_code == 409
    assert await owed(door, who) == 10_000
    await door.done(patient(who), "/billing/plans", agreed)


async def test_the_clock_bills_everybody_who_owes_once(postgres_url, key_file):
    async with open_door(postgres_url, key_file) as night:
        owe = [await owing(night, 1_000 + n) for n in range(5)]
        await owing(night, 0)
        assert await stating.issue_due(night.books) == 5
        assert await stating.issue_due(night.books) == 0
        rows = await night.sql("SELECT patient FROM billing.statement")
        assert {row["patient"] for row in rows} == {f"Patient/{who}" for who in owe}
        assert (await night.proof())["holds"]


async def test_a_card_paid_bill_names_its_statement(door: Door, cards: Cards):
    who = await owing(door, 5_000)
    made = await billed(door, who)
    wanted = card(5_000, statement=made["statement"])
    started = await door.done(patient(who), "/billing/payments", wanted)
    cards.pay(started["action_url"])
    await door.done(patient(who), f"/billing/payments/{started['payment']}/settle", {})
    notice = await door.ask(BILL, "GET", f"/fhir/PaymentNotice/{started['payment']}")
    assert notice.json()["request"]["reference"] == f"Invoice/{made['statement']}"
    balance = await ledger.balance(door.running.database, patient_account(f"Patient/{who}"), "USD")
    assert balance == 0
