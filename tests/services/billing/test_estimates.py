"""What a visit will cost is said beforehand, kept sealed, and held against the bill."""

import uuid
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from billing_door import BILL, SYSTEM, TOM, Door, clinician, open_door, patient
from billing_setup import ALLOWED, coded, coding, coverage, payer, prices, visit, waiting
from hypothesis import given
from hypothesis import strategies as st

from polyclinic.services.billing.actions import bookkeeping, estimating
from polyclinic.services.billing.domain.coverage import Terms
from polyclinic.services.billing.domain.estimate import in_full, is_excess, shares, valid_until
from polyclinic.services.billing.domain.ledger import (
    About,
    Entry,
    patient_account,
    payer_account,
    transfer,
)

ANA = clinician("ana")


@pytest.fixture(scope="module")
async def clinic(postgres_url: str, key_file: Path) -> AsyncIterator[Door]:
    async with open_door(postgres_url, key_file) as opened:
        await payer(opened)
        await prices(opened)
        await prices(opened, ALLOWED, payer="north", name="Northern")
        yield opened


def body(door: Door, who: str, *codes: str, **changes: Any) -> dict[str, Any]:
    return {
        "patient": f"Patient/{who}",
        "kind": "good-faith",
        "for_day": door.books.today().isoformat(),
        "lines": [{"code": code} for code in codes or ("Z1001",)],
        "diagnoses": ["I10"],
        **changes,
    }


async def post(door: Door, who: Any, asked: dict[str, Any]):
    return await door.ask(who, "POST", "/billing/estimates", asked)


async def given_to(door: Door, who: str, *codes: str, **changes: Any) -> dict[str, Any]:
    return await door.done(BILL, "/billing/estimates", body(door, who, *codes, **changes))


async def shown(door: Door, name: str, who: Any = BILL) -> dict[str, Any]:
    answer = await door.ask(who, "GET", f"/billing/estimates/{name}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_good_faith_estimate_says_what_the_law_wants_said(clinic: Door):
    lines = [{"code": "Z1001", "modifiers": ["25"]}, {"code": "Z1002", "units": 2}]
    made = await given_to(clinic, "e1", lines=lines)
    assert made["total"] == made["share"] == {"amount": 17_100, "currency": "USD"}
    found = await shown(clinic, made["estimate"])
    assert [line["title"] for line in found["lines"]][1] == "Blood drawn"
    assert [line["share"] for line in found["lines"]] == [14_000, 3_100]
    assert found["diagnoses"] == ["I10"]
    assert found["provider"]["npi"] == clinic.books.settings.clinic_npi
    assert date.fromisoformat(found["valid_until"]) > clinic.books.today() + timedelta(days=360)
    assert any("$400" in text for text in found["disclaimers"])


async def test_an_insured_estimate_follows_the_terms_of_the_insurance(clinic: Door):
    await coverage(
        clinic, "e2", copay=2_000, deductible_left=3_000, coinsurance_bp=2_000,
    )  # fmt: skip
    made = await given_to(clinic, "e2", "Z1001", "Z1003", kind="insured")
    found = await shown(clinic, made["estimate"])
    first, second = found["lines"]
    # 80.00 allowed: 20.00 copay, 30.00 deductible, 20 % of the remaining 30.00.
    assert (first["charge"], first["allowed"]) == (12_000, 8_000)
    assert (first["copay"], first["deductible"], first["coinsurance"]) == (2_000, 3_000, 600)
    # What the insurer's list does not have is estimated by the clinic's, and said so.
    assert (second["is_listed"], second["allowed"], second["share"]) == (False, 99, 20)
    assert made["share"]["amount"] == 5_620
    # An insurer never allows more than was charged.
    bled = await shown(clinic, (await given_to(clinic, "e2", "Z1002", kind="insured"))["estimate"])
    assert bled["lines"][0]["allowed"] == 1_550


@pytest.mark.parametrize(
    ("change", "status", "place"),
    [
        ({"kind": "free"}, 400, "kind"),
        ({"patient": "e3"}, 400, "patient"),
        ({"for_day": "2020-01-01"}, 400, "for_day"),
        ({"lines": []}, 400, "lines"),
        ({"lines": [{"code": "Z1001"}, {"code": "Z9999"}]}, 422, "lines[1].code"),
        ({"lines": [{"code": "Z1001", "units": 0}]}, 400, "lines[0].units"),
        ({"diagnoses": ["E11"]}, 400, "diagnoses[0]"),
        ({"practitioner": "Patient/x"}, 400, "practitioner"),
        ({"kind": "insured"}, 422, "coverage"),
        ({"coverage": str(uuid.uuid4())}, 400, "coverage"),
    ],
)
async def test_an_estimate_that_cannot_be_is_refused_by_its_place(
    clinic: Door, change: dict[str, Any], status: int, place: str
):
    answer = await post(clinic, BILL, body(clinic, "e3", **change))
    assert (answer.status_code, answer.json()["place"]) == (status, place), answer.text
    assert await clinic.sql("SELECT FROM billing.estimate WHERE patient = 'Patient/e3'") == []


async def test_an_estimate_is_seen_by_billing_its_author_and_its_patient(clinic: Door):
    made = (await post(clinic, ANA, body(clinic, "e4"))).json()
    path = f"/billing/estimates/{made['estimate']}"
    for who in (ANA, BILL, SYSTEM, patient("e4")):
        assert (await clinic.ask(who, "GET", path)).status_code == 200
        listed = await clinic.ask(who, "GET", "/billing/estimates?patient=Patient/e4")
        assert len(listed.json()["estimates"]) == 1
    for who in (TOM, patient("e5")):
        assert (await clinic.ask(who, "GET", path)).status_code == 404
        listed = await clinic.ask(who, "GET", "/billing/estimates?patient=Patient/e4")
        assert listed.status_code == 404
    bob = clinician("bob")
    assert (await clinic.ask(bob, "GET", path)).status_code == 404
    listed = await clinic.ask(bob, "GET", "/billing/estimates?patient=Patient/e4")
    assert listed.json()["estimates"] == []
    for who in (TOM, patient("e4")):
        assert (await post(clinic, who, body(clinic, "e4"))).status_code == 403


async def test_a_bill_well_above_its_estimate_is_flagged_for_a_person(clinic: Door):
    made = await given_to(clinic, "e6", "Z1001")
    await coded(clinic, "e6", "Z1001", "Z1009")
    found = await shown(clinic, made["estimate"])
    assert (found["billed"], found["flagged"]) == (102_000, True)
    item = (await waiting(clinic, "estimate", f"Estimate/{made['estimate']}"))[0]
    assert (item["amount"], item["patient"]) == (90_000, "Patient/e6")


@pytest.mark.parametrize(("excess", "is_flagged"), [(40_000, False), (40_001, True)])
async def test_four_hundred_dollars_are_the_line(clinic: Door, excess: int, *, is_flagged: bool):
    who = f"e7-{excess}"
    made = await given_to(clinic, who, "Z1001")
    name = await visit(clinic, who)
    lines = [{"code": "Z1001", "amount": 12_000 + excess}]
    await clinic.done(BILL, f"/billing/visits/{name}/code", coding(lines=lines))
    assert (await shown(clinic, made["estimate"]))["flagged"] is is_flagged


async def test_a_charge_taken_back_takes_the_flag_away(clinic: Door):
    made = await given_to(clinic, "e8", "Z1001")
    charged = await coded(clinic, "e8", "Z1001", "Z1009")
    path = f"/billing/charges/{charged['charges'][1]['id']}/abort"
    await clinic.done(BILL, path, {"reason": "entered-in-error"})
    found = await shown(clinic, made["estimate"])
    assert (found["billed"], found["flagged"]) == (12_000, False)
    assert await waiting(clinic, "estimate", f"Estimate/{made['estimate']}") == []
    assert (await clinic.proof())["holds"]


async def test_an_insured_bill_is_compared_when_the_insurer_has_decided(clinic: Door):
    await coverage(clinic, "e9", copay=2_000)
    made = await given_to(clinic, "e9", "Z1009", kind="insured")
    assert made["share"]["amount"] == 2_000
    charged = await coded(clinic, "e9", "Z1009")
    assert (await shown(clinic, made["estimate"]))["billed"] == 0
    charge, name = uuid.UUID(charged["charges"][0]["id"]), uuid.UUID(charged["visit"])
    about = About("Patient/e9", None, charge, "PR-1")
    owes = transfer(patient_account("Patient/e9"), payer_account("north"), 90_000, about)
    entry = Entry("remittance", f"remittance/{uuid.uuid4()}/1", "test", tuple(owes))
    async with clinic.running.database.transaction() as tx:
        await bookkeeping.post(clinic.books, tx, [entry])
        await estimating.compare(clinic.books, tx, name, "Patient/e9", clinic.books.today())
    found = await shown(clinic, made["estimate"])
    assert (found["billed"], found["flagged"]) == (90_000, True)
    assert (await clinic.proof())["holds"]


AMOUNTS = st.integers(0, 10**7)
TERMS = st.builds(Terms, AMOUNTS, AMOUNTS, st.integers(0, 10_000), st.none() | AMOUNTS)
LINES = st.lists(AMOUNTS, min_size=1, max_size=8)


@given(LINES, TERMS)
def test_a_share_is_never_below_nothing_nor_above_what_is_allowed(lines: list[int], terms: Terms):
    found = shares(lines, terms)
    assert all(0 <= each.total <= amount for each, amount in zip(found, lines, strict=True))
    assert all(min(s.copay, s.deductible, s.coinsurance, s.spared) >= 0 for s in found)
    if terms.out_of_pocket_left is not None:
        assert sum(each.total for each in found) <= terms.out_of_pocket_left
    assert sum(each.copay for each in found) <= terms.copay
    assert sum(each.deductible for each in found) <= terms.deductible_left


@given(LINES, TERMS, st.integers(0, 7), st.integers(0, 10**6))
def test_whoever_gets_more_never_pays_less(lines: list[int], terms: Terms, at: int, more: int):
    dearer = list(lines)
    dearer[at % len(lines)] += more
    before = sum(each.total for each in shares(lines, terms))
    assert sum(each.total for each in shares(dearer, terms)) >= before


@given(LINES, TERMS, st.sampled_from(["copay", "deductible_left"]), st.integers(1, 10**6))
def test_harder_terms_never_cost_less(lines: list[int], terms: Terms, name: str, more: int):
    harder = Terms(
        terms.copay + (more if name == "copay" else 0),
        terms.deductible_left + (more if name == "deductible_left" else 0),
        terms.coinsurance_bp,
        terms.out_of_pocket_left,
    )
    before = sum(each.total for each in shares(lines, terms))
    # Each line's coinsurance is rounded by itself: half a unit a line may go the other way.
    assert sum(each.total for each in shares(lines, harder)) >= before - len(lines)


@given(LINES)
def test_who_has_no_insurance_pays_all_of_it(lines: list[int]):
    assert [each.total for each in in_full(lines)] == lines


@given(st.dates(date(2020, 1, 1), date(2090, 1, 1)))
def test_an_estimate_holds_for_twelve_months(made: date):
    assert 364 <= (valid_until(made) - made).days <= 366


@given(AMOUNTS, AMOUNTS)
def test_an_excess_is_what_lies_more_than_so_much_above(billed: int, expected: int):
    assert is_excess(billed, expected, 40_000) is (billed > expected + 40_000)
