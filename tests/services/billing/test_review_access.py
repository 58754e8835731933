"""Whoever sees a patient in billing's files and claims, or is refused them, stands in the log."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from billing_door import BILL, TOM, Door, clinician, open_door
from claims_world import SETTINGS, came, checked, claim, coded, open_clinic, replies, submitted
from review_payer import advice, decided, file_of, number_of, service

from polyclinic.services.billing.domain.received import incoming


@pytest.fixture(scope="module")
async def door(postgres_url: str, key_file: Path) -> AsyncIterator[Door]:
    async with open_door(postgres_url, key_file, **SETTINGS) as opened:
        await open_clinic(opened)
        yield opened


async def logged(door: Door, patient: str | None, outcome: int) -> int:
    person = door.books.server.store.terms.person(patient) if patient else None
    rows = await door.sql(
        "SELECT count(*) AS n FROM billing.access_log"
        " WHERE patient IS NOT DISTINCT FROM $1 AND outcome = $2",
        person,
        outcome,
    )
    return rows[0]["n"]


async def test_who_is_refused_a_claim_or_a_file_is_logged_with_its_patient(door: Door):
    visit = await coded(door, ("Z1001", 10_000))
    await checked(door, visit)
    body = {"claims": [str(visit.claim)]}
    file = (await door.done(BILL, "/billing/submissions", body))["file"]
    before = await logged(door, visit.patient, 8)
    for who in (TOM, clinician("ana")):
        for path in (f"claims/{visit.claim}", f"files/{file}", f"claims?patient={visit.patient}"):
            assert (await door.ask(who, "GET", f"/billing/{path}")).status_code == 403
    assert await logged(door, visit.patient, 8) - before == 6


async def test_who_reads_a_file_that_is_held_is_logged_for_whom_it_speaks_of(door: Door):
    visit = await coded(door, ("Z1001", 10_000))
    await submitted(door, visit)
    number = await number_of(door, visit)
    said = file_of(advice(decided(number, "1", [service(number, 1, 10_000, 10_000)])))
    held = (await came(door, said.replace(b"*100*", b"*101*", 1))).json()
    assert held["status"] == "held"
    before = await logged(door, visit.patient, 0)
    assert (await door.ask(BILL, "GET", f"/billing/files/{held['file']}")).status_code == 200
    assert await logged(door, visit.patient, 0) == before + 1
    assert (await claim(door, visit))["status"] == "submitted"
    # Of a file that names nobody we know, it is logged that it was read.
    nobody = (await came(door, b"ISA and some name")).json()
    before = await logged(door, None, 0)
    await door.ask(BILL, "GET", f"/billing/files/{nobody['file']}")
    assert await logged(door, None, 0) == before + 1


async def test_a_file_tells_which_claims_it_speaks_of(door: Door):
    visit = await coded(door, ("Z1001", 10_000))
    answers = replies(await submitted(door, visit))
    number = await number_of(door, visit)
    for kind in ("277CA", "835"):
        assert number in incoming(visit.claim, answers[kind]).named
    assert incoming(visit.claim, answers["999"]).named == ()


async def test_a_sentence_does_not_come_into_the_ledger_as_a_reason(door: Door):
    visit = await coded(door, ("Z1001", 10_000))
    path = f"/billing/claims/{visit.claim}/to-patient"
    for reason in ("has diabetes", "CO-", "CO-50 x", "co-50"):
        answer = await door.ask(BILL, "POST", path, {"reason": reason})
        assert (answer.status_code, answer.json()["place"]) == (400, "reason")


async def test_a_currency_without_hundredths_is_not_written_as_if_it_had_them(
    postgres_url: str, key_file: Path
):
    yen = SETTINGS | {"POLYCLINIC_BILLING_CURRENCY": "JPY"}
    async with open_door(postgres_url, key_file, **yen) as opened:
        await open_clinic(opened)
        visit = await coded(opened, ("Z1001", 10_000))
        assert (await checked(opened, visit))["status"] == "draft"
        failed = [f for f in (await claim(opened, visit))["findings"] if f["outcome"] == "failed"]
        assert [each["place"] for each in failed] == ["settings.currency"]
