"""Visits come once and become charges: priced, sealed, posted, and taken back by reversal."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from billing_door import BILL, SYSTEM, TOM, Door, caller, clinician, open_door, patient
from billing_setup import coded, coding, coverage, owed, payer, prices, visit, waiting

ANA = clinician("ana")


@pytest.fixture(scope="module")
async def clinic(postgres_url: str, key_file: Path) -> AsyncIterator[Door]:
    async with open_door(postgres_url, key_file) as opened:
        await payer(opened)
        await prices(opened)
        yield opened


async def code(door: Door, who: Any, name: str, body: dict[str, Any]):
    return await door.ask(who, "POST", f"/billing/visits/{name}/code", body)


async def shown(door: Door, who: Any, name: str):
    return await door.ask(who, "GET", f"/billing/visits/{name}")


async def said(door: Door, kind: str) -> list[str]:
    """The subjects of events, numbered already or not."""
    rows = await door.sql(
        "SELECT subject FROM billing.outbox WHERE kind = $1"
        " UNION ALL SELECT subject FROM billing.feed_entry WHERE kind = $1",
        kind,
    )
    return [row["subject"] for row in rows]


async def test_a_visit_becomes_charges_that_the_patient_owes(clinic: Door):
    name = await visit(clinic, "p1")
    assert len(await waiting(clinic, "to code", f"Visit/{name}")) == 1
    lines = [
        {"code": "Z1001", "modifiers": ["25"], "pointers": [1]},
        {"code": "Z1002", "units": 3, "pointers": [2, 1]},
    ]
    answer = await clinic.done(BILL, f"/billing/visits/{name}/code", coding(lines=lines))
    assert [each["amount"] for each in answer["charges"]] == [14_000, 4_650]
    assert answer["total"] == {"amount": 18_650, "currency": "USD"}
    assert await owed(clinic, "patient/p1") == 18_650
    assert await waiting(clinic, "to code", f"Visit/{name}") == []
    assert (await clinic.proof())["holds"]
    kept = (await shown(clinic, BILL, name)).json()
    assert kept["diagnoses"] == ["E11.9", "I10"]
    assert [each["title"] for each in kept["charges"]][1] == "Blood drawn"
    assert f"Visit/{name}" in await said(clinic, "VisitCoded")


async def test_an_insured_visit_is_owed_by_the_payer_and_begins_a_claim(clinic: Door):
    await coverage(clinic, "p2")
    made = await coded(clinic, "p2", "Z1001")
    assert await owed(clinic, "patient/p2") == 0
    assert await owed(clinic, "payer/north") >= 12_000
    claims = await clinic.sql(
        "SELECT id, total FROM billing.claim WHERE visit = $1", uuid.UUID(made["visit"])
    )
    assert [row["total"] for row in claims] == [12_000]
    assert len(await waiting(clinic, "to submit", f"Claim/{claims[0]['id']}")) == 1
    alone = await coded(clinic, "p2", "Z1002", self_pay=True)
    assert alone["total"]["amount"] == 1_550
    assert await owed(clinic, "patient/p2") == 1_550
    assert (await clinic.proof())["holds"]


async def test_a_visit_is_coded_once(clinic: Door):
    made = await coded(clinic, "p3")
    again = await code(clinic, BILL, made["visit"], coding())
    assert (again.status_code, again.json()["kind"]) == (409, "WrongState")
    assert await owed(clinic, "patient/p3") == 12_000


@pytest.mark.parametrize(
    ("body", "status", "place"),
    [
        (coding(diagnoses=["E11.9", "E11"]), 400, "diagnoses[1]"),
        (coding(diagnoses=["nothing"]), 400, "diagnoses[0]"),
        (coding(diagnoses=["E11.9", "E119"]), 400, "diagnoses[1]"),
        (coding(diagnoses=[]), 400, "diagnoses"),
        (coding(diagnoses=["I10"] * 13), 400, "diagnoses"),
        (coding(lines=[]), 400, "lines"),
        (coding(lines=[{"code": "Z1001"}, {"code": "z10"}]), 400, "lines[1].code"),
        (coding(lines=[{"code": "Z1001", "modifiers": ["ABC"]}]), 400, "lines[0].modifiers"),
        (coding(lines=[{"code": "Z1001", "units": 0}]), 400, "lines[0].units"),
        (coding(lines=[{"code": "Z1001", "units": 10_000}]), 400, "lines[0].units"),
        (coding(lines=[{"code": "Z1001", "pointers": [3]}]), 400, "lines[0].pointers"),
        (coding(lines=[{"code": "Z1001", "pointers": []}]), 400, "lines[0].pointers"),
        (coding(lines=[{"code": "Z1001", "pointers": [1, 1]}]), 400, "lines[0].pointers"),
        (coding(lines=[{"code": "Z1001", "amount": -1}]), 400, "lines[0].amount"),
        (coding(lines=[{"code": "Z1001", "amount": 10**15}]), 400, "lines[0].amount"),
        (coding(lines=[{"code": "Z1001", "amount": 1.5}]), 400, "lines[0].amount"),
        (coding(lines=[{"code": "Z1001", "price": 5}]), 400, "lines[0]"),
        (coding("Z1001", "Z9999"), 422, "lines[1].code"),
        (coding(coverage=str(uuid.uuid4())), 400, "coverage"),
        (coding(coverage=str(uuid.uuid4()), self_pay=True), 400, "coverage"),
        ({"diagnoses": ["I10"]}, 400, "body"),
    ],
)
async def test_what_is_wrong_is_named_by_its_place_and_nothing_is_kept(
    clinic: Door, body: dict[str, Any], status: int, place: str
):
    name = await visit(clinic, "p4")
    answer = await code(clinic, BILL, name, body)
    assert (answer.status_code, answer.json()["place"]) == (status, place), answer.text
    assert await owed(clinic, "patient/p4") == 0
    assert (await shown(clinic, BILL, name)).json()["status"] == "to code"


async def test_everything_that_is_wrong_is_said_at_once(clinic: Door):
    name = await visit(clinic, "p5")
    lines = [{"code": "Z1"}, {"code": "Z1001", "units": -1}, {"code": "Z1001"}]
    answer = await code(clinic, BILL, name, coding(lines=lines))
    assert [each["place"] for each in answer.json()["issues"]] == [
        "lines[0].code",
        "lines[1].units",
    ]
    answer = await code(clinic, BILL, name, coding("Z7777", "Z8888"))
    assert [each["place"] for each in answer.json()["issues"]] == ["lines[0].code", "lines[1].code"]


async def test_the_price_is_that_of_the_visits_own_day(clinic: Door):
    name = await visit(clinic, "p6", day="2019-12-31")
    answer = await code(clinic, BILL, name, coding())
    assert (answer.status_code, answer.json()["kind"]) == (422, "NoFee")


async def test_a_charge_entered_in_error_is_reversed_and_the_visit_waits_again(clinic: Door):
    made = await coded(clinic, "p7", "Z1001", "Z1002")
    first, second = [each["id"] for each in made["charges"]]
    path = f"/billing/charges/{first}/abort"
    refused = await clinic.ask(BILL, "POST", path, {"reason": "because"})
    assert (refused.status_code, refused.json()["place"]) == (400, "reason")
    gone = await clinic.done(BILL, path, {"reason": "entered-in-error"})
    assert gone == {"charge": first, "status": "aborted", "visit": "coded"}
    assert await owed(clinic, "patient/p7") == 1_550
    again = await clinic.ask(BILL, "POST", path, {"reason": "duplicate"})
    assert (again.status_code, again.json()["kind"]) == (409, "WrongState")
    item = await clinic.ask(BILL, "GET", f"/fhir/ChargeItem/{first}")
    assert item.json()["status"] == "entered-in-error"
    last = await clinic.done(BILL, f"/billing/charges/{second}/abort", {"reason": "duplicate"})
    assert last["visit"] == "to code"
    assert await owed(clinic, "patient/p7") == 0
    assert len(await waiting(clinic, "to code", f"Visit/{made['visit']}")) == 1
    anew = await clinic.done(BILL, f"/billing/visits/{made['visit']}/code", coding("Z1003"))
    assert anew["charges"][0]["line"] == 3
    assert await owed(clinic, "patient/p7") == 99
    rows = await clinic.sql(
        "SELECT reason FROM billing.ledger_entry WHERE source = $1", f"charge-aborted/{first}"
    )
    assert [row["reason"] for row in rows] == ["entered-in-error"]
    assert (await clinic.proof())["holds"]


@pytest.mark.parametrize("first", ["reversal", "abort"])
async def test_a_charge_is_given_back_once_whichever_way_comes_first(clinic: Door, first: str):
    who = f"p7-{first}"
    made = await coded(clinic, who)
    charge = made["charges"][0]["id"]
    rows = await clinic.sql(
        "SELECT id FROM billing.ledger_entry WHERE source = $1", f"charge/{charge}"
    )
    asked = {"entry": str(rows[0]["id"]), "reason": "entered-in-error"}
    abort, why = f"/billing/charges/{charge}/abort", {"reason": "entered-in-error"}
    if first == "reversal":
        await clinic.done(BILL, "/billing/ledger/reversals", asked)
        await clinic.done(BILL, abort, why)
    else:
        await clinic.done(BILL, abort, why)
        again = await clinic.ask(BILL, "POST", "/billing/ledger/reversals", asked)
        assert (again.status_code, again.json()["kind"]) == (409, "AlreadyReversed")
    assert await owed(clinic, f"patient/{who}") == 0
    assert (await clinic.proof())["holds"]


async def test_a_charge_is_taken_off_a_claim_that_is_not_sent(clinic: Door):
    await coverage(clinic, "p8")
    made = await coded(clinic, "p8", "Z1001", "Z1002")
    before = await owed(clinic, "payer/north")
    path = f"/billing/charges/{made['charges'][0]['id']}/abort"
    await clinic.done(BILL, path, {"reason": "entered-in-error"})
    rows = await clinic.sql(
        "SELECT c.total, count(l.*) AS lines FROM billing.claim c"
        " JOIN billing.claim_line l ON l.claim = c.id WHERE c.visit = $1 GROUP BY c.id",
        uuid.UUID(made["visit"]),
    )
    assert [(row["total"], row["lines"]) for row in rows] == [(1_550, 1)]
    assert await owed(clinic, "payer/north") == before - 12_000
    await clinic.sql(
        "UPDATE billing.claim SET status = 'submitted' WHERE visit = $1", uuid.UUID(made["visit"])
    )
    path = f"/billing/charges/{made['charges'][1]['id']}/abort"
    refused = await clinic.ask(BILL, "POST", path, {"reason": "entered-in-error"})
    assert (refused.status_code, refused.json()["kind"]) == (409, "OnItsWay")


async def test_a_clinician_codes_their_own_visits_and_sees_no_others(clinic: Door):
    mine = await visit(clinic, "p9", ANA)
    assert (await shown(clinic, ANA, mine)).json()["practitioner"] == "Practitioner/ana"
    theirs = await visit(clinic, "p9", BILL, practitioner="Practitioner/bob")
    assert (await code(clinic, ANA, theirs, coding())).status_code == 404
    assert (await shown(clinic, ANA, theirs)).status_code == 404
    assert (await code(clinic, ANA, mine, coding())).status_code == 200
    body = {"patient": "Patient/p9", "day": "2026-01-02", "practitioner": "Practitioner/bob"}
    assert (await clinic.ask(ANA, "POST", "/billing/visits", body)).status_code == 403


async def test_patients_see_their_own_visits_and_the_desk_none(clinic: Door):
    made = await coded(clinic, "p10")
    assert (await shown(clinic, patient("p10"), made["visit"])).status_code == 200
    for stranger in (patient("p11"), TOM):
        assert (await shown(clinic, stranger, made["visit"])).status_code == 404
    for nobody in (patient("p10"), TOM):
        assert (await code(clinic, nobody, made["visit"], coding())).status_code == 403
        body = {"patient": "Patient/p10", "day": "2026-01-02"}
        assert (await clinic.ask(nobody, "POST", "/billing/visits", body)).status_code == 403
        path = f"/billing/charges/{made['charges'][0]['id']}/abort"
        refused = await clinic.ask(nobody, "POST", path, {"reason": "other"})
        assert refused.status_code == 403
    denied = await clinic.sql("SELECT count(*) AS n FROM billing.access_log WHERE outcome <> 0")
    assert denied[0]["n"] >= 2


async def test_a_token_that_only_reads_codes_nothing(clinic: Door):
    name = await visit(clinic, "p12", ANA)
    reader = caller("clinician", "Practitioner/ana", "user/*.rs")
    assert (await code(clinic, reader, name, coding())).status_code == 403


async def test_a_visit_of_which_nothing_is_charged_leaves_the_queue(clinic: Door):
    name = await visit(clinic, "p13")
    path = f"/billing/visits/{name}/not-billable"
    assert (await clinic.ask(BILL, "POST", path, {"reason": "why"})).status_code == 400
    await clinic.done(BILL, path, {"reason": "courtesy"})
    assert await waiting(clinic, "to code", f"Visit/{name}") == []
    assert (await code(clinic, BILL, name, coding())).status_code == 409


async def test_the_same_appointment_is_the_same_visit(clinic: Door):
    first = await visit(clinic, "p14", appointment="Appointment/a14")
    assert await visit(clinic, "p14", appointment="Appointment/a14") == first
    # The chart's encounter of that appointment tells of the same visit.
    tied = await visit(clinic, "p14", appointment="Appointment/a14", encounter="Encounter/e14")
    assert tied == first
    assert await visit(clinic, "p14", encounter="Encounter/e14") == first
    body = {"patient": "Patient/p15", "day": "2026-01-02", "appointment": "Appointment/a14"}
    somebody_elses = await clinic.ask(BILL, "POST", "/billing/visits", body)
    assert (somebody_elses.status_code, somebody_elses.json()["place"]) == (400, "patient")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"patient": "Practitioner/x"}, "patient"),
        ({"patient": "Patient/a b"}, "patient"),
        ({"day": "2999-01-01"}, "day"),
        ({"practitioner": "Patient/x"}, "practitioner"),
        ({"appointment": "Encounter/x"}, "appointment"),
        ({"encounter": "x"}, "encounter"),
    ],
)
async def test_a_visit_that_cannot_be_is_refused(clinic: Door, change: dict[str, str], place: str):
    body = {"patient": "Patient/p16", "day": "2026-01-02", **change}
    answer = await clinic.ask(SYSTEM, "POST", "/billing/visits", body)
    assert (answer.status_code, answer.json()["place"]) == (400, place)


async def test_the_same_key_makes_charges_once(clinic: Door):
    name = await visit(clinic, "p17")
    path = f"/billing/visits/{name}/code"
    answers = [
        await clinic.ask(BILL, "POST", path, coding(), idempotency_key="code-p17") for _ in range(3)
    ]
    assert {answer.content for answer in answers} == {answers[0].content}
    assert answers[0].status_code == 200
    assert await owed(clinic, "patient/p17") == 12_000
