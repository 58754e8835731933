"""Patients pay once for each time they mean to; what they paid can come back, and no more."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from billing_door import BILL, TOM, Door, clinician, open_door, patient
from cards_at_work import (
    DEBIT,
    DEBIT_FAILS,
    DECLINED,
    FAILING_REFUND,
    GOOD,
    SLOW_REFUND,
    Cards,
    cards_at_work,
)
from paying_door import (
    card,
    clock_settles,
    deliver,
    give_back,
    mail,
    owed,
    owing,
    paid,
    settled,
    start,
    till,
)


@pytest.fixture(scope="module")
def cards() -> Iterator[Cards]:
    with cards_at_work() as at_work:
        yield at_work


@pytest.fixture(scope="module")
async def door(postgres_url: str, key_file: Path, cards: Cards) -> AsyncIterator[Door]:
    async with open_door(postgres_url, key_file, **cards.settings) as opened:
        yield opened


async def proven(door: Door) -> bool:
    return (await door.proof())["holds"]


async def test_the_desk_takes_cash_and_checks_and_more_than_is_owed(door: Door):
    who = await owing(door, 5_000)
    before = await till(door, "cash")
    body = {"patient": f"Patient/{who}", "amount": 4_000, "method": "cash"}
    made = await door.done(TOM, "/billing/payments", body)
    assert (made["status"], made["amount"]) == ("succeeded", 4_000)
    assert (await owed(door, who), await till(door, "cash") - before) == (1_000, 4_000)
    await door.done(TOM, "/billing/payments", {**body, "method": "check", "amount": 3_000})
    assert await owed(door, who) == -2_000
    query = "SELECT amount, done IS NULL AS open FROM billing.work_item WHERE subject = $1"
    (credit,) = await door.sql(query, f"Patient/{who}")
    assert tuple(credit) == (2_000, True)
    assert (await give_back(door, made["payment"], 2_000)).status_code == 201
    (credit,) = await door.sql(query, f"Patient/{who}")
    assert credit["open"] is False
    assert await proven(door)


async def test_patients_pay_only_for_themselves_and_only_by_card(door: Door):
    who = await owing(door, 5_000)
    asked = {"amount": 100, "method": "cash"}
    assert (await door.ask(patient(who), "POST", "/billing/payments", asked)).status_code == 403
    other = card(100, patient="Patient/other")
    assert (await door.ask(patient(who), "POST", "/billing/payments", other)).status_code == 403
    readers = patient(who, "patient/*.rs")
    assert (await door.ask(readers, "POST", "/billing/payments", card(100))).status_code == 403
    stranger = await door.ask(clinician("ana"), "POST", "/billing/payments", card(100))
    assert stranger.status_code == 403
    assert await owed(door, who) == 5_000


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": -5}, "amount"),
        ({"amount": 10**14}, "amount"),
        ({"amount": 12.5}, "amount"),
        ({"method": "bitcoin"}, "method"),
        ({"return_url": "http://evil.test/"}, "return_url"),
        ({"return_url": "http://clinic.test.evil.test/"}, "return_url"),
        ({"return_url": None}, "return_url"),
        ({"statement": str(uuid.uuid4())}, "statement"),
    ],
)
async def test_a_payment_that_cannot_be_is_refused_with_its_place(door: Door, changed, place):
    who = await owing(door, 5_000)
    asked = card(1_000) | changed
    answer = await door.ask(patient(who), "POST", "/billing/payments", asked)
    assert answer.status_code in (400, 404)
    assert answer.json()["place"] == place
    assert await owed(door, who) == 5_000


async def test_a_card_pays_what_is_owed_and_never_more(door: Door, cards: Cards):
    who = await owing(door, 5_000)
    more = await door.ask(patient(who), "POST", "/billing/payments", card(5_001))
    assert (more.status_code, more.json()["kind"]) == (422, "MoreThanOwed")
    made = await start(door, who, 5_000)
    assert made["status"] == "requires_action"
    assert cards.pay(made["action_url"]) == 303
    assert await settled(door, who, made["payment"]) == "succeeded"
    assert await owed(door, who) == 0
    again = await door.ask(patient(who), "POST", "/billing/payments", card(1))
    assert again.json()["kind"] == "MoreThanOwed"
    assert await proven(door)


async def test_a_repeated_press_ten_times_at_once_makes_one_payment(door: Door, cards: Cards):
    who = await owing(door, 5_000)
    keys = {"idempotency_key": f"storm-{who}"}
    asked = [
        door.ask(patient(who), "POST", "/billing/payments", card(5_000), **keys) for _ in range(10)
    ]
    answers = await asyncio.gather(*asked)
    assert {a.status_code for a in answers} <= {201, 409}
    first = next(a.json() for a in answers if a.status_code == 201)
    again = await start(door, who, 5_000, **keys)
    assert again["payment"] == first["payment"]
    mine = [s for s in cards.all("checkout.session")
            if s["client_reference_id"] == first["payment"]]  # fmt: skip
    assert len(mine) == 1
    cards.pay(first["action_url"])
    storm = [settled(door, who, first["payment"]) for _ in range(10)]
    assert set(await asyncio.gather(*storm)) == {"succeeded"}
    assert await owed(door, who) == 0
    assert await proven(door)


async def test_two_windows_with_keys_of_their_own_share_one_payment(door: Door, cards: Cards):
    who = await owing(door, 5_000)
    answers = await asyncio.gather(*(start(door, who, 5_000) for _ in range(5)))
    assert len({each["payment"] for each in answers}) == 1
    assert sum("already" in each for each in answers) == 4
    cards.pay(answers[0]["action_url"])
    assert await settled(door, who, answers[0]["payment"]) == "succeeded"
    assert await owed(door, who) == 0


async def test_another_amount_closes_the_page_that_was_open_before(door: Door, cards: Cards):
    who = await owing(door, 5_000)
    first, second = await start(door, who, 5_000), await start(door, who, 2_000)
    assert first["payment"] != second["payment"]
    assert cards.pay(first["action_url"]) != 422
    cards.pay(second["action_url"])
    assert await settled(door, who, first["payment"]) == "canceled"
    assert await settled(door, who, second["payment"]) == "succeeded"
    assert await owed(door, who) == 3_000


async def test_who_paid_in_the_first_window_cannot_pay_again_in_the_second(
    door: Door, cards: Cards
):
    who = await owing(door, 5_000)
    first = await start(door, who, 5_000)
    cards.pay(first["action_url"])
    answer = await door.ask(patient(who), "POST", "/billing/payments", card(4_999))
    assert (answer.status_code, answer.json()["kind"]) == (422, "MoreThanOwed")
    assert await owed(door, who) == 0
    assert await settled(door, who, first["payment"]) == "succeeded"


async def test_a_key_that_comes_with_another_amount_is_refused(door: Door):
    who = await owing(door, 5_000)
    await start(door, who, 1_000, idempotency_key=f"k-{who}")
    other = await door.ask(
        patient(who), "POST", "/billing/payments", card(2_000), idempotency_key=f"k-{who}"
    )
    assert (other.status_code, other.json()["kind"]) == (422, "KeyReused")


async def test_a_declined_card_charges_nothing_and_another_card_pays(door: Door, cards: Cards):
    who = await owing(door, 5_000)
    made = await start(door, who, 5_000)
    assert cards.pay(made["action_url"], DECLINED) == 422
    assert await settled(door, who, made["payment"]) == "requires_action"
    assert await owed(door, who) == 5_000
    assert cards.pay(made["action_url"], GOOD) == 303
    assert await settled(door, who, made["payment"]) == "succeeded"
    assert await owed(door, who) == 0


@pytest.mark.parametrize(("number", "end", "left"), [(DEBIT, "succeeded", 0),
                                                     (DEBIT_FAILS, "failed", 5_000)])  # fmt: skip
async def test_a_debit_is_on_its_way_and_cannot_be_paid_twice(door, cards, number, end, left):
    who = await owing(door, 5_000)
    payment = await paid(door, cards, who, 5_000, number)
    assert await owed(door, who) == 5_000
    again = await door.ask(patient(who), "POST", "/billing/payments", card(5_000))
    assert again.json()["kind"] == "MoreThanOwed"
    shown = (await door.ask(patient(who), "GET", "/billing/payments")).json()
    assert (shown["owed"], shown["on_its_way"], shown["payable"]) == (5_000, 5_000, 0)
    cards.control("clock", seconds=60)
    await clock_settles(door)
    assert await settled(door, who, payment) == end
    assert await owed(door, who) == left
    assert await proven(door)


@pytest.mark.parametrize("trouble", ["lost before", "lost after"])
async def test_a_lost_answer_neither_loses_nor_doubles_a_payment(door, cards, trouble):
    who = await owing(door, 5_000)
    key = {"idempotency_key": f"lost-{who}"}
    cards.control("trouble", next=[trouble])
    lost = await door.ask(patient(who), "POST", "/billing/payments", card(5_000), **key)
    assert lost.status_code == 503
    assert "retry-after" in lost.headers
    made = await start(door, who, 5_000, **key)
    cards.pay(made["action_url"])
    assert await settled(door, who, made["payment"]) == "succeeded"
    rows = await door.sql("SELECT id FROM billing.payment WHERE patient = $1", f"Patient/{who}")
    assert len(rows) == 1
    assert await owed(door, who) == 0


async def test_what_never_reached_the_gateway_gives_way_after_a_while(door: Door, cards: Cards):
    who = await owing(door, 5_000)
    cards.control("trouble", next=["lost before"])
    lost = await door.ask(patient(who), "POST", "/billing/payments", card(5_000))
    assert lost.status_code == 503
    await clock_settles(door)
    (young,) = await door.sql("SELECT status FROM billing.payment WHERE patient = $1",
                              f"Patient/{who}")  # fmt: skip
    assert young["status"] == "starting"
    await door.sql("UPDATE billing.payment SET made = made - interval '1 minute'"
                   " WHERE patient = $1", f"Patient/{who}")  # fmt: skip
    await clock_settles(door)
    (row,) = await door.sql("SELECT status, failure FROM billing.payment WHERE patient = $1",
                            f"Patient/{who}")  # fmt: skip
    assert tuple(row) == ("canceled", "never_started")
    await paid(door, cards, who, 5_000)
    assert await owed(door, who) == 0


async def test_what_was_paid_although_nobody_came_back_is_found_by_the_clock(door, cards):
    who = await owing(door, 5_000)
    cards.control("trouble", next=["lost after"])
    await door.ask(patient(who), "POST", "/billing/payments", card(5_000))
    (row,) = await door.sql("SELECT id FROM billing.payment WHERE patient = $1", f"Patient/{who}")
    (session,) = (s for s in cards.all("checkout.session")
                  if s["client_reference_id"] == str(row["id"]))  # fmt: skip
    cards.pay(session["url"])
    await clock_settles(door)
    assert await owed(door, who) == 0
    assert await proven(door)


async def test_a_gateway_that_refuses_leaves_a_failed_payment_and_no_page(door: Door):
    who = await owing(door, 5_000)
    made = await start(door, who, 10)  # less than the gateway takes
    assert (made["status"], made["failure"]) == ("failed", "amount_too_small")
    assert made["action_url"] is None
    assert await owed(door, who) == 5_000


async def test_refunds_are_never_above_what_was_paid_even_at_once(door: Door, cards: Cards):
    who = await owing(door, 5_000)
    payment = await paid(door, cards, who, 5_000)
    answers = await asyncio.gather(*(give_back(door, payment, 2_000) for _ in range(8)))
    assert sorted(a.status_code for a in answers) == [201] * 2 + [422] * 6
    assert {a.json()["kind"] for a in answers if a.status_code == 422} == {"MoreThanPaid"}
    assert (await give_back(door, payment, 1_001)).status_code == 422
    assert (await give_back(door, payment, 1_000)).status_code == 201
    assert await owed(door, who) == 5_000
    assert await proven(door)


async def test_a_refund_pressed_ten_times_gives_back_once(door: Door, cards: Cards):
    who = await owing(door, 5_000)
    payment = await paid(door, cards, who, 5_000)
    key = {"idempotency_key": f"refund-{who}"}
    answers = await asyncio.gather(*(give_back(door, payment, 1_000, **key) for _ in range(10)))
    assert {a.status_code for a in answers} <= {201, 409}
    again = await give_back(door, payment, 1_000, **key)
    assert again.status_code == 201
    assert await owed(door, who) == 1_000


async def test_cash_and_checks_are_given_back_at_once_and_only_by_billing(door: Door):
    who = await owing(door, 5_000)
    body = {"patient": f"Patient/{who}", "amount": 5_000, "method": "check"}
    made = await door.done(TOM, "/billing/payments", body)
    path = f"/billing/payments/{made['payment']}/refunds"
    asked = {"amount": 5_000, "reason": "duplicate"}
    assert (await door.ask(TOM, "POST", path, asked)).status_code == 403
    assert (await door.ask(patient(who), "POST", path, asked)).status_code == 403
    wrong = await door.ask(BILL, "POST", path, {**asked, "reason": "because"})
    assert wrong.json()["place"] == "reason"
    assert (await door.done(BILL, path, asked))["status"] == "succeeded"
    assert await owed(door, who) == 5_000
    assert (await door.ask(BILL, "POST", path, asked)).json()["kind"] == "MoreThanPaid"
    assert await proven(door)


async def test_a_refund_that_takes_a_while_moves_the_ledger_when_it_arrives(door, cards):
    who = await owing(door, 5_000)
    payment = await paid(door, cards, who, 5_000, SLOW_REFUND)
    made = (await give_back(door, payment, 5_000)).json()
    assert made["status"] == "processing"
    assert await owed(door, who) == 0
    cards.control("clock", seconds=60)
    await clock_settles(door)
    assert await owed(door, who) == 5_000
    assert await proven(door)


async def test_a_refund_that_comes_back_is_booked_back_and_somebody_is_told(door, cards):
    who = await owing(door, 5_000)
    payment = await paid(door, cards, who, 5_000, FAILING_REFUND)
    made = (await give_back(door, payment, 5_000)).json()
    assert (made["status"], await owed(door, who)) == ("succeeded", 5_000)
    cards.control("clock", seconds=60)
    for event in mail(cards, {payment}):
        assert (await deliver(door, event)).is_success
    assert await owed(door, who) == 0
    subject = f"Refund/{made['refund']}"
    (item,) = await door.sql(
        "SELECT queue, code FROM billing.work_item WHERE subject = $1", subject
    )
    assert tuple(item) == ("gateway", "refund failed")
    again = await give_back(door, payment, 5_000)
    assert again.status_code == 201
    assert await proven(door)


@pytest.mark.parametrize("trouble", ["lost before", "lost after"])
async def test_a_lost_answer_neither_loses_nor_doubles_a_refund(door, cards, trouble):
    who = await owing(door, 5_000)
    payment = await paid(door, cards, who, 5_000)
    cards.control("trouble", next=[trouble])
    assert (await give_back(door, payment, 3_000)).status_code == 503
    assert (await give_back(door, payment, 3_000)).status_code == 422  # it is set aside
    await clock_settles(door)
    assert await owed(door, who) == 3_000
    assert sum(r["amount"] for r in cards.all("refund") if r["amount"] == 3_000
               and r["payment_intent"] in _charges(cards, payment)) == 3_000  # fmt: skip
    assert await proven(door)


def _charges(cards: Cards, payment: str) -> set[str]:
    return {i["id"] for i in cards.all("payment_intent") if i["metadata"]["payment"] == payment}


@pytest.mark.parametrize(("end", "left"), [("won", 0), ("lost", 5_000)])
async def test_a_dispute_moves_the_ledger_and_stops_refunds(door, cards, end, left):
    who = await owing(door, 5_000)
    payment = await paid(door, cards, who, 5_000)
    (charge,) = _charges(cards, payment)
    before = await till(door, "disputed")
    made = cards.control("disputes", payment_intent=charge, amount=5_000)
    await deliver(door, mail(cards, {payment})[-1])
    assert await till(door, "disputed") - before == 5_000
    assert (await give_back(door, payment, 100)).json()["kind"] == "CannotGiveBack"
    cards.control("disputes", dispute=made["id"], status=end)
    for _ in range(2):
        for event in reversed(mail(cards, {payment})):
            assert (await deliver(door, event)).is_success
    assert await till(door, "disputed") == before
    assert await owed(door, who) == left
    assert (await give_back(door, payment, 100)).status_code == (201 if end == "won" else 409)
    assert await proven(door)


async def test_webhooks_are_heard_once_with_our_signature_only(door: Door, cards: Cards):
    who = await owing(door, 5_000)
    made = await start(door, who, 5_000)
    cards.pay(made["action_url"])
    event = mail(cards, {made["payment"]})[-1]
    forged = {**event, "signature": event["signature"].replace("v1=", "v1=0")}
    assert (await deliver(door, forged)).status_code == 400
    changed = {**event, "payload": event["payload"].replace("5000", "9000")}
    assert (await deliver(door, changed)).status_code == 400
    assert await owed(door, who) == 5_000
    said = [(await deliver(door, event)).json()["heard"] for _ in range(3)]
    assert said == ["now", "before", "before"]
    assert await owed(door, who) == 0


async def test_a_webhook_while_the_gateway_cannot_be_read_is_heard_later(door, cards, monkeypatch):
    who = await owing(door, 5_000)
    made = await start(door, who, 5_000)
    cards.pay(made["action_url"])
    event = mail(cards, {made["payment"]})[-1]
    transport = door.books.cards._transport
    monkeypatch.setattr(transport, "_url", "http://127.0.0.1:9")
    assert (await deliver(door, event)).status_code == 503
    monkeypatch.setattr(transport, "_url", cards.url)
    assert (await deliver(door, event)).json()["heard"] == "now"
    assert await owed(door, who) == 0


async def test_others_payments_look_like_none_and_every_look_is_logged(door: Door, cards: Cards):
    who = await owing(door, 5_000)
    payment = await paid(door, cards, who, 5_000)
    path = f"/billing/payments/{payment}"
    before = (await door.sql("SELECT count(*) AS n FROM billing.access_log"))[0]["n"]
    mine = await door.ask(patient(who), "GET", path)
    assert (mine.json()["amount"], mine.json()["status"]) == (5_000, "succeeded")
    for stranger in (patient("somebody"), clinician("ana")):
        assert (await door.ask(stranger, "GET", path)).status_code == 404
    listed = await door.ask(TOM, "GET", f"/billing/payments?patient=Patient/{who}")
    assert [each["id"] for each in listed.json()["payments"]] == [payment]
    denied = await door.ask(patient("x"), "GET", f"/billing/payments?patient=Patient/{who}")
    assert denied.status_code == 403
    after = (await door.sql("SELECT count(*) AS n FROM billing.access_log"))[0]["n"]
    assert after - before >= 5


async def test_without_a_gateway_the_desk_still_takes_money(postgres_url, key_file):
    async with open_door(postgres_url, key_file) as plain:
        who = await owing(plain, 5_000)
        answer = await plain.ask(patient(who), "POST", "/billing/payments", card(5_000))
        assert (answer.status_code, answer.json()["kind"]) == (404, "NoCards")
        body = {"patient": f"Patient/{who}", "amount": 5_000, "method": "cash"}
        await plain.done(TOM, "/billing/payments", body)
        assert await owed(plain, who) == 0
        listed = await plain.ask(patient(who), "GET", "/billing/payments")
        assert listed.json()["cards"] is False
        assert (await plain.proof())["holds"]
