"""A claim goes from draft to paid or denied; every file is taken once, whole or not at all."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from billing_door import BILL, TOM, Door, clinician, open_door, patient
from billing_setup import coding, coverage, prices
from billing_setup import visit as visited
from claims_world import (
    PERSON,
    SETTINGS,
    balance,
    came,
    checked,
    claim,
    coded,
    open_clinic,
    replies,
    submitted,
)

from polyclinic.standards.x12.professional_claim import read_claims


@pytest.fixture(scope="module")
async def door(postgres_url: str, key_file: Path) -> AsyncIterator[Door]:
    async with open_door(postgres_url, key_file, **SETTINGS) as opened:
        await open_clinic(opened, prior_authorization=("Z7001",))
        yield opened


async def test_a_claim_is_sent_accepted_and_paid_to_the_cent(door: Door):
    visit = await coded(door, ("Z1001", 15_000), ("Z2002", 5_050))
    before = await balance(door, "bank")
    written = await submitted(door, visit)
    [batch] = read_claims(written).batches
    assert batch.claims[0].total == 20_050
    assert batch.claims[0].diagnoses == ("E119", "I10")
    answers = replies(written)
    assert (await came(door, answers["999"])).json()["status"] == "taken"
    assert (await claim(door, visit))["status"] == "submitted"
    assert (await came(door, answers["277CA"])).status_code == 201
    assert (await claim(door, visit))["status"] == "accepted"
    posted = (await came(door, answers["835"])).json()
    assert (posted["posted"], posted["lines"]) == (1, 2)
    told = await claim(door, visit)
    # 11000 allowed - 2500 copay = 8500, less 850; 80 % of 5050 is 4040, less 404.
    assert told["status"] == "paid"
    assert told["paid"] == 7_650 + 3_636
    assert told["open"] == 0
    assert await balance(door, "bank") - before == 11_286
    assert await balance(door, f"patient/{visit.patient[8:]}") == 2_500 + 850 + 404
    assert [each["kind"] for each in told["history"]] == [
        "begun", "checked", "submitted", "accepted", "pay",
    ]  # fmt: skip
    assert (await door.proof())["holds"]


async def test_the_same_remittance_again_changes_nothing(door: Door):
    visit = await coded(door, ("Z1001", 15_000))
    answers = replies(await submitted(door, visit))
    first = await came(door, answers["835"])
    before = await balance(door, "bank")
    again = await came(door, answers["835"])
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["again"] is True
    # The same advice in another envelope: other bytes, the same payment.
    other = answers["835"].replace(b"*P*:~", b"*T*:~", 1)
    assert other != answers["835"]
    third = (await came(door, other)).json()
    assert (third["status"], third["posted"], third["known"]) == ("taken", 0, 1)
    assert await balance(door, "bank") == before
    assert (await door.proof())["holds"]


async def test_a_trace_number_with_another_content_is_held(door: Door):
    visit = await coded(door, ("Z1001", 15_000))
    answers = replies(await submitted(door, visit))
    assert (await came(door, answers["835"])).status_code == 201
    changed = answers["835"].replace(b"Northside Health Plan", b"Northside Wealth Plan")
    held = await came(door, changed)
    assert (held.status_code, held.json()["status"]) == (422, "held")
    assert "TRN02" in held.json()["problem"]
    queue = await door.sql("SELECT subject FROM billing.work_item WHERE queue = 'held'")
    assert f"File/{held.json()['file']}" in [row["subject"] for row in queue]


async def test_what_is_missing_is_named_and_no_rule_is_silent(door: Door):
    nobody = replace(PERSON, birth_date=None, address=replace(PERSON.address, city=""))
    visit = await coded(door, ("Z1001", 15_000), person=nobody)
    assert (await checked(door, visit))["status"] == "draft"
    told = await claim(door, visit)
    by_rule = {each["rule"] for each in told["findings"]}
    assert {"complete", "well-formed", "covered", "in time", "authorized"} <= by_rule
    missing = {each["place"] for each in told["findings"] if each["outcome"] == "failed"}
    assert missing == {"patient.birth_date", "patient.address"}
    sent = await door.ask(BILL, "POST", "/billing/submissions", {"claims": [str(visit.claim)]})
    assert (sent.status_code, sent.json()["kind"]) == (409, "WrongState")


async def test_what_x12_cannot_carry_is_found_by_the_check_and_not_by_the_sending(door: Door):
    spelled = replace(PERSON, address=replace(PERSON.address, state="Massachusetts"))
    assert b"*MA*" in await submitted(door, await coded(door, ("Z1001", 100), person=spelled))
    nowhere = replace(PERSON, address=replace(PERSON.address, state="Neverland"))
    visit = await coded(door, ("Z1001", 15_000), person=nowhere)
    assert (await checked(door, visit))["status"] == "draft"
    failed = [
        each for each in (await claim(door, visit))["findings"] if each["outcome"] == "failed"
    ]
    assert [(each["rule"], each["place"]) for each in failed] == [("well-formed", "N402")]


async def test_an_authorization_is_asked_for_and_goes_out(door: Door):
    visit = await coded(door, ("Z7001", 40_000))
    assert (await checked(door, visit))["status"] == "draft"
    told = await claim(door, visit)
    assert "prior_authorization" in {each["place"] for each in told["findings"]}
    path = f"/billing/claims/{visit.claim}/authorization"
    await door.done(BILL, path, {"number": "AUTH-77"})
    [batch] = read_claims(await submitted(door, visit)).batches
    assert batch.claims[0].prior_authorization == "AUTH-77"


async def test_a_claim_that_comes_back_is_corrected_and_sent_again(door: Door):
    visit = await coded(door, ("Z1001", 15_000), member="UNKNOWN1")
    answers = replies(await submitted(door, visit))
    assert "835" not in answers
    await came(door, answers["277CA"])
    told = await claim(door, visit)
    assert told["status"] == "rejected"
    items = await door.sql(
        "SELECT code FROM billing.work_item WHERE queue = 'rejected' AND subject = $1",
        f"Claim/{visit.claim}",
    )
    assert [row["code"] for row in items] == ["A7-164"]
    fixed = await door.done(BILL, f"/billing/claims/{visit.claim}/correction", {})
    assert (fixed["status"], fixed["frequency"]) == ("draft", 1)
    assert b"CLM*" in await submitted(door, visit)


async def test_a_denial_is_never_written_off_by_itself(door: Door):
    visit = await coded(door, ("Z9099", 30_000))
    answers = replies(await submitted(door, visit))
    await came(door, answers["835"])
    told = await claim(door, visit)
    assert (told["status"], told["open"]) == ("denied", 30_000)
    assert told["decisions"][0]["adjustments"][0]["code"] == "CO-50"
    assert await balance(door, "written-off") == 0
    appealed = await door.done(
        BILL, f"/billing/claims/{visit.claim}/appeal", {"note": "It was needed: see the letter."}
    )
    assert appealed["status"] == "appealed"
    rows = await door.sql("SELECT sealed FROM billing.claim_event WHERE kind = 'appealed'")
    assert all(b"letter" not in row["sealed"] for row in rows)
    told = await claim(door, visit)
    assert told["history"][-1]["note"] == "It was needed: see the letter."


async def test_what_is_left_is_given_up_or_billed_and_never_more(door: Door):
    visit = await coded(door, ("Z9099", 30_000))
    await came(door, replies(await submitted(door, visit))["835"])
    base = f"/billing/claims/{visit.claim}"
    more = await door.ask(
        BILL, "POST", f"{base}/write-off", {"reason": "courtesy", "amount": 30_001}
    )
    assert (more.status_code, more.json()["place"]) == (409, "amount")
    part = await door.done(BILL, f"{base}/to-patient", {"reason": "CO-50", "amount": 10_000})
    assert part["left"] == 20_000
    rest = await door.done(BILL, f"{base}/write-off", {"reason": "not-collectable"})
    assert (rest["amount"], rest["left"]) == (20_000, 0)
    assert await balance(door, f"patient/{visit.patient[8:]}") == 10_000
    owed = (await door.ask(BILL, "GET", f"/billing/owed?patient={visit.patient}")).json()
    [line] = owed["lines"]
    assert (line["waiting"], line["share"], owed["other"]) == (0, 10_000, 0)
    again = await door.ask(BILL, "POST", f"{base}/write-off", {"reason": "not-collectable"})
    assert again.status_code == 409
    assert (await door.proof())["holds"]


async def test_what_was_charged_at_the_door_is_open_on_its_claim_until_it_is_given_up(door: Door):
    await prices(door)
    await coverage(door, "door", payer="nhp", member_id="M1234567")
    made = await visited(door, "door", practitioner="Practitioner/ana")
    await door.done(BILL, f"/billing/visits/{made}/code", coding("Z1001", "Z1002"))
    listed = await door.ask(BILL, "GET", "/billing/claims?patient=Patient/door")
    base = f"/billing/claims/{listed.json()['claims'][0]['id']}"
    assert (await door.ask(BILL, "GET", base)).json()["open"] == 13_550
    part = await door.done(BILL, f"{base}/write-off", {"reason": "courtesy", "amount": 3_550})
    assert part["left"] == 10_000
    rest = await door.done(BILL, f"{base}/to-patient", {"reason": "CO-50"})
    assert (rest["amount"], rest["left"]) == (10_000, 0)
    assert await balance(door, "patient/door") == 10_000
    assert (await door.proof())["holds"]


async def test_a_claim_that_is_decided_whole_waits_for_nobody(door: Door):
    visit = await coded(door, ("Z1001", 15_000), ("Z2002", 5_050))
    answers = replies(await submitted(door, visit))
    for kind in ("999", "277CA", "835"):
        await came(door, answers[kind])
    waiting = await door.sql(
        "SELECT queue, code FROM billing.work_item WHERE subject = $1 AND done IS NULL",
        f"Claim/{visit.claim}",
    )
    assert waiting == []
    assert (await door.proof())["holds"]


@pytest.mark.parametrize(
    ("mutation", "place"),
    [
        ((b"*15000*", b"*15001*"), "held"),
        ((b"\nSE*", b"\nSE*9"), "held"),
        ((b"IEA*1*", b"IEA*2*"), "held"),
    ],
)
async def test_a_file_that_does_not_add_up_posts_nothing(door: Door, mutation, place):
    visit = await coded(door, ("Z1001", 15_000))
    content = replies(await submitted(door, visit))["835"]
    old, new = mutation
    if old not in content:
        old, new = old.replace(b"\n", b"~"), new.replace(b"\n", b"~")
    broken = (
        content.replace(b"150*", b"151*", 1) if old == b"*15000*" else content.replace(old, new)
    )
    assert broken != content
    before = await balance(door, "bank")
    answer = await came(door, broken)
    assert answer.status_code == 422
    assert answer.json()["status"] == place
    assert "Segment" in answer.json()["problem"]
    assert await balance(door, "bank") == before
    assert (await claim(door, visit))["status"] == "submitted"
    assert (await came(door, content)).status_code == 201


async def test_money_for_somebody_else_is_held(door: Door):
    visit = await coded(door, ("Z1001", 15_000))
    content = replies(await submitted(door, visit))["835"]
    other = content.replace(b"1234567893", b"1245319599").replace(b"123456789", b"987654321")
    answer = await came(door, other)
    assert (answer.status_code, answer.json()["status"]) == (422, "held")


async def test_money_for_a_claim_that_is_not_ours_is_kept_and_asked_about(door: Door):
    visit = await coded(door, ("Z1001", 15_000))
    content = replies(await submitted(door, visit))["835"]
    number = (await claim(door, visit))["number"].encode()
    unknown = content.replace(number, b"NOTOURS00001")
    before, owed = await balance(door, "bank"), await balance(door, "payer/nhp")
    answer = await came(door, unknown)
    assert answer.status_code == 201, answer.text
    paid = await balance(door, "bank") - before
    assert paid == 7_650
    assert await balance(door, "payer/nhp") == owed - paid
    assert (await claim(door, visit))["status"] == "submitted"
    assert (await door.proof())["holds"]


async def test_what_is_no_x12_is_refused_and_kept_for_a_person(door: Door):
    for content in (b"", b"hello", b"ISA*00", b"\x00" * 200):
        answer = await came(door, content)
        assert (answer.status_code, answer.json()["status"]) == (422, "refused"), content
    assert "ISA" not in (await came(door, b"hello2")).json()["problem"].replace("ISA segment", "")


async def test_only_billing_staff_see_claims(door: Door):
    visit = await coded(door, ("Z1001", 15_000))
    for who in (patient(visit.patient[8:]), TOM, clinician("ana")):
        assert (await door.ask(who, "GET", f"/billing/claims/{visit.claim}")).status_code == 403
        assert (await door.ask(who, "GET", "/billing/claims")).status_code == 403
        assert (await door.ask(who, "GET", "/billing/files")).status_code == 403
    listed = (await door.ask(BILL, "GET", f"/billing/claims?patient={visit.patient}")).json()
    assert [each["id"] for each in listed["claims"]] == [str(visit.claim)]


async def test_nothing_readable_of_what_was_done_lies_in_the_tables(door: Door):
    visit = await coded(door, ("Z4321", 15_000), person=replace(PERSON, family="Plantedname"))
    content = replies(await submitted(door, visit))
    for each in content.values():
        await came(door, each)
    tables = await door.sql(
        "SELECT table_name AS t FROM information_schema.tables"
        " WHERE table_schema = 'billing' AND table_type = 'BASE TABLE'"
    )
    for row in tables:
        for dumped in await door.sql(f"SELECT t::text AS line FROM billing.{row['t']} t"):
            line = dumped["line"]
            for word in ("Plantedname", "Z4321", "E11.9", "E119"):
                assert word not in line, (row["t"], word)
                assert word.encode().hex() not in line, (row["t"], word)


async def test_a_held_file_is_taken_once_what_it_was_held_for_is_mended(door: Door):
    visit = await coded(door, ("Z1001", 15_000))
    content = replies(await submitted(door, visit))["835"]
    await door.sql("UPDATE billing.payer SET x12_id = 'ANOTHER01' WHERE id = 'nhp'")
    held = await came(door, content)
    assert (held.status_code, held.json()["status"]) == (422, "held")
    await door.sql("UPDATE billing.payer SET x12_id = 'NHPLAN01' WHERE id = 'nhp'")
    taken = await came(door, content)
    assert (taken.status_code, taken.json()["file"]) == (201, held.json()["file"])
    assert (await claim(door, visit))["status"] == "paid"
    query = "SELECT outcome FROM billing.work_item WHERE queue = 'held' AND subject = $1"
    items = await door.sql(query, f"File/{held.json()['file']}")
    assert [row["outcome"] for row in items] == ["taken"]
    assert (await door.proof())["holds"]


async def test_a_claim_that_was_paid_in_part_is_appealed_for_the_rest(door: Door):
    visit = await coded(door, ("Z1001", 15_000), ("Z9099", 30_000))
    await came(door, replies(await submitted(door, visit))["835"])
    told = await claim(door, visit)
    assert (told["status"], told["open"]) == ("paid", 30_000)
    note = {"note": "The light treatment was needed."}
    done = await door.done(BILL, f"/billing/claims/{visit.claim}/appeal", note)
    assert done["status"] == "appealed"
    whole = await coded(door, ("Z1001", 15_000))
    await came(door, replies(await submitted(door, whole))["835"])
    refused = await door.ask(BILL, "POST", f"/billing/claims/{whole.claim}/appeal", note)
    assert (refused.status_code, refused.json()["kind"]) == (409, "WrongState")


async def test_a_bill_is_settled_by_whatever_settles_the_account(door: Door):
    visit = await coded(door, ("Z9099", 30_000))
    await came(door, replies(await submitted(door, visit))["835"])
    asked = {"reason": "CO-50", "amount": 10_000}
    await door.done(BILL, f"/billing/claims/{visit.claim}/to-patient", asked)
    billed = await door.done(BILL, "/billing/statements", {"patient": visit.patient})
    query = "SELECT status FROM billing.statement WHERE patient = $1"
    assert [row["status"] for row in await door.sql(query, visit.patient)] == ["issued"], billed
    [entry] = await door.sql(
        "SELECT e.id FROM billing.ledger_entry e JOIN billing.ledger_line l ON l.entry = e.id"
        " WHERE e.kind = 'to-patient' AND l.patient = $1 AND l.amount > 0",
        visit.patient,
    )
    reversal = {"entry": str(entry["id"]), "reason": "entered-in-error"}
    await door.done(BILL, "/billing/ledger/reversals", reversal)
    assert [row["status"] for row in await door.sql(query, visit.patient)] == ["balanced"]
    assert (await door.proof())["holds"]
