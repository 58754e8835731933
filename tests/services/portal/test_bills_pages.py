"""A patient's bills through the portal's door: what is owed, paying, receipts, plans, estimates."""

import re
from datetime import timedelta

import msgspec
import pytest
from billing_in_memory import PAGE, Line, estimate, payment, statement
from portal_door import Door, Visitor

from polyclinic.foundation import clock


@pytest.fixture
async def maria(portal_door: Door) -> Visitor:
    return await portal_door.installs_billing().as_("patient", "Patient/maria")


def _hidden(page: str, name: str) -> str:
    found = re.search(f'name="{name}" value="([^"]*)"', page)
    assert found, name
    return found[1]


async def _pay(maria: Visitor, **form: str) -> str:
    """Through the pay page to the card page; the address of the payment."""
    turn = _hidden((await maria.get("/bills/pay")).text, "turn")
    begun = await maria.post("/bills/pay", turn=turn, **{"much": "all", **form})
    assert begun.status_code == 303, begun.text
    return begun.headers["location"]


async def test_a_patient_sees_what_is_owed_and_where_it_comes_from(maria: Visitor):
    page = (await maria.get("/bills")).text
    assert "You owe" in page
    assert "$42.00" in page
    assert "Pay $42.00" in page
    # The picture's numbers are words too: charged = insurance + contract + your share.
    legend = re.search(r'<dl class="legend">(.*?)</dl>', page, re.DOTALL)
    assert legend
    amounts = re.findall(r'<dd class="num">(.*?)</dd>', legend[1])
    assert amounts == ["$213.00", "−$108.00", "−$63.00", "$42.00"]
    assert "Bill 001042" in page


async def test_a_bill_says_of_each_line_how_it_came_about(portal_door: Door, maria: Visitor):
    bill = portal_door.billing.found[0]
    page = (await maria.get(f"/bills/{bill.id}")).text
    assert "Visit of a known patient" in page
    assert "It is your copay" in page
    assert "nobody pays the difference" in page
    assert "It counts towards your deductible" in page
    sums = re.search(r'<dl class="sums">(.*?)</dl>', page, re.DOTALL)
    assert sums
    amounts = re.findall(r'<dd class="num">(.*?)</dd>', sums[1])
    assert amounts == ["$165.00", "−$96.00", "−$45.00", "$24.00"]


async def test_what_insurance_has_not_decided_is_not_yours_to_pay(
    portal_door: Door, maria: Visitor
):
    line = Line(day=clock.now().date(), title="Visit", charged=10_000, waiting=10_000, share=0)
    portal_door.billing.lines = (line,)
    page = (await maria.get("/bills")).text
    assert "You owe nothing yet" in page
    assert re.search(r"Your insurance still decides about <b[^>]*>\$100\.00", page)
    assert "Everything is paid" not in page
    assert "Insurance still decides" in page
    assert "/bills/pay" not in page


async def test_without_insurance_a_line_says_so(portal_door: Door, maria: Visitor):
    line = Line(day=clock.now().date(), title="Visit", charged=10_000, share=10_000)
    bill = statement(7, 10_000, lines=(line,))
    portal_door.billing.found = [bill]
    assert "No insurance was billed for this." in (await maria.get(f"/bills/{bill.id}")).text


async def test_paying_all_takes_one_page_before_the_card_page(portal_door: Door, maria: Visitor):
    address = await _pay(maria)
    page = (await maria.get(address)).text
    # The house's policy lets no form lead to another address: the page goes on by itself or link.
    assert f'<meta http-equiv="refresh" content="0; url={PAGE}">' in page
    assert f'href="{PAGE}"' in page
    assert portal_door.billing.payments[0].amount == 4_200
    assert portal_door.billing.returns == ["http://127.0.0.1:8080/bills/back"]
    back = await maria.get("/bills/back")
    assert "http-equiv" not in page.replace(
        f'<meta http-equiv="refresh" content="0; url={PAGE}">', ""
    )
    paid = (await maria.get(back.headers["location"])).text
    assert "Thank you. We have your $42.00" in paid
    assert "You owe nothing more" in paid


async def test_a_button_pressed_twice_begins_one_payment(portal_door: Door, maria: Visitor):
    turn = _hidden((await maria.get("/bills/pay")).text, "turn")
    for _ in range(2):
        await maria.post("/bills/pay", turn=turn, much="all")
    assert len(portal_door.billing.payments) == 1


@pytest.mark.parametrize("typed", ["10", "10.00", "$10.00", " 10.0 "])
async def test_another_amount_is_read_as_people_write_it(
    portal_door: Door, maria: Visitor, typed: str
):
    await _pay(maria, much="other", other=typed)
    assert portal_door.billing.payments[0].amount == 1_000


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "Enter an amount, such as 42.50."),
        ("ten", "Enter an amount, such as 42.50."),
        ("-5", "Enter an amount, such as 42.50."),
        ("1.234", "Enter an amount, such as 42.50."),
        ("0", "Enter more than nothing."),
        ("42.01", "This is more than you owe. Enter $42.00 or less."),
    ],
)
async def test_a_wrong_amount_is_told_beside_its_field_and_kept(
    portal_door: Door, maria: Visitor, typed: str, said: str
):
    page = await maria.post("/bills/pay", much="other", other=typed, turn="t")
    assert page.status_code == 422
    assert "<title>Error:" in page.text
    assert f'<a href="#other">{said}</a>' in page.text
    assert f'id="other" name="other" value="{typed}"' in page.text
    assert portal_door.billing.payments == []


async def test_a_declined_card_is_told_with_what_to_do_next(portal_door: Door, maria: Visitor):
    portal_door.billing.card = "failed"
    portal_door.billing.failure = "insufficient_funds"
    await _pay(maria)
    page = (await maria.get((await maria.get("/bills/back")).headers["location"])).text
    assert "was not paid" in page
    assert "There was not enough money on the card." in page
    assert "Try another card." in page
    assert 'href="/bills/pay"' in page


async def test_who_leaves_the_card_page_has_not_paid_and_may_go_on(
    portal_door: Door, maria: Visitor
):
    portal_door.billing.card = "requires_action"
    await _pay(maria)
    page = (await maria.get((await maria.get("/bills/back")).headers["location"])).text
    assert "You have not paid yet" in page
    assert "Go back to the card page" in page
    assert "http-equiv" not in page


async def test_money_on_its_way_is_not_asked_for_again(portal_door: Door, maria: Visitor):
    portal_door.billing.card = "processing"
    await _pay(maria)
    address = (await maria.get("/bills/back")).headers["location"]
    assert "is on its way" in (await maria.get(address)).text
    bills = (await maria.get("/bills")).text
    assert "$42.00 of it is on its way to us already" in bills
    assert "There is nothing to pay" in (await maria.get("/bills/pay")).text
    portal_door.billing.card = "succeeded"
    again = (await maria.get(address.replace("back=yes", "again=yes"))).text
    assert "Thank you" in again


async def test_a_receipt_is_a_page_and_a_pdf(portal_door: Door, maria: Visitor):
    made = payment(2_000)
    portal_door.billing.payments = [made]
    page = (await maria.get(f"/bills/payments/{made.id}/receipt")).text
    assert "$20.00" in page
    assert "Maria Keller" in page
    paper = await maria.get(f"/bills/payments/{made.id}/receipt.pdf")
    assert paper.headers["content-type"] == "application/pdf"
    assert paper.headers["cache-control"] == "no-store"
    assert paper.content.startswith(b"%PDF")


async def test_a_payment_that_did_not_arrive_has_no_receipt(portal_door: Door, maria: Visitor):
    made = payment(2_000, "failed")
    portal_door.billing.payments = [made]
    assert (await maria.get(f"/bills/payments/{made.id}/receipt")).status_code == 404


async def test_a_bill_is_a_pdf(portal_door: Door, maria: Visitor):
    bill = portal_door.billing.found[0]
    paper = await maria.get(f"/bills/{bill.id}/bill.pdf")
    assert paper.content.startswith(b"%PDF")
    assert 'filename="bill.pdf"' in paper.headers["content-disposition"]


async def test_a_plan_is_shown_with_days_and_amounts_before_it_is_agreed(
    portal_door: Door, maria: Visitor
):
    page = (await maria.get("/bills/plan?parts=4")).text
    assert re.findall(r'<td class="r num">(.*?)</td>', page) == ["$10.50"] * 4
    assert portal_door.billing.agreed == []
    form = {name: _hidden(page, name) for name in ("total", "first", "turn")}
    agreed = await maria.post("/bills/plan", parts="4", **form)
    assert agreed.headers["location"] == "/bills/plan?done=agreed"
    shown = (await maria.get("/bills/plan?done=agreed")).text
    assert "Your plan is set" in shown
    assert "To come" in shown
    [plan] = portal_door.billing.agreed
    assert sum(part.amount for part in plan.parts) == 4_200
    await maria.post("/bills/plan/end", plan=plan.id)
    assert "The plan has ended" in (await maria.get("/bills/plan?done=ended")).text


async def test_a_plan_is_never_agreed_for_another_sum_than_was_shown(
    portal_door: Door, maria: Visitor
):
    page = (await maria.get("/bills/plan?parts=2")).text
    form = {name: _hidden(page, name) for name in ("total", "first", "turn")}
    portal_door.billing.credit = 500
    changed = await maria.post("/bills/plan", parts="2", **form)
    assert changed.status_code == 422
    assert "What you owe has changed meanwhile" in changed.text
    assert "$37.00" in changed.text
    assert portal_door.billing.agreed == []


async def test_the_next_part_of_a_plan_is_filled_in_and_stands_in_no_address(
    portal_door: Door, maria: Visitor
):
    page = (await maria.get("/bills/plan?parts=2")).text
    form = {name: _hidden(page, name) for name in ("total", "first", "turn")}
    await maria.post("/bills/plan", parts="2", **form)
    pay = (await maria.get("/bills/pay?plan=next")).text
    assert 'name="other" value="21.00"' in pay
    assert re.search(r'id="part" value="other" checked', pay)


async def test_a_good_faith_estimate_says_what_it_is_and_what_to_do_if_the_bill_is_higher(
    portal_door: Door, maria: Visitor
):
    made = estimate()
    portal_door.billing.expected = [made]
    assert "Estimate for" in (await maria.get("/bills")).text
    page = (await maria.get(f"/bills/estimates/{made.id}")).text
    assert "Good-faith estimate" in page
    assert "$165.00" in page
    assert "$400.00 or more above this" in page
    assert "within 120 days" in page


async def test_an_estimate_that_was_exceeded_says_so(portal_door: Door, maria: Visitor):
    made = msgspec.structs.replace(estimate(), billed=60_000, flagged=True)
    portal_door.billing.expected = [made]
    page = (await maria.get(f"/bills/estimates/{made.id}")).text
    assert "$600.00 instead of $165.00" in page


async def test_the_first_page_says_what_is_owed_and_by_when(portal_door: Door, maria: Visitor):
    page = (await maria.get("/home")).text
    assert "You owe $42.00" in page
    assert 'href="/bills"' in page
    due = clock.now().date() - timedelta(days=3)
    portal_door.billing.found = [statement(due=due)]
    assert "Was due" in (await maria.get("/home")).text


async def test_without_billing_there_is_no_word_of_bills(portal_door: Door):
    maria = await portal_door.as_("patient", "Patient/maria")
    page = (await maria.get("/home")).text
    assert "/bills" not in page
    assert "Appointments, messages and bills are not part of this clinic's portal yet." in page


async def test_billing_that_is_stopped_is_named_with_since_when(portal_door: Door, maria: Visitor):
    portal_door.billing.down = True
    home = await maria.get("/home")
    assert home.status_code == 200
    assert "Your bills cannot be shown since" in home.text
    page = await maria.get("/bills")
    assert page.status_code == 503
    assert "Your bills cannot be reached at the moment" in page.text
    assert re.search(r"does not answer since \d+:\d\d [ap]m", page.text)
    portal_door.billing.down = False
    assert (await maria.get("/bills")).status_code == 200


async def test_bills_are_for_patients_only(portal_door: Door, maria: Visitor):
    desk = await portal_door.as_("front-desk", "Practitioner/tom")
    for path in ("/bills", "/bills/pay", "/bills/plan", "/bills/back"):
        assert (await desk.get(path)).status_code == 403


async def test_a_form_from_elsewhere_pays_nothing(portal_door: Door, maria: Visitor):
    away = await maria.post("/bills/pay", headers={"sec-fetch-site": "cross-site"}, much="all")
    assert away.status_code == 403
    assert portal_door.billing.payments == []


async def test_a_silent_card_company_is_no_outage_of_bills(portal_door: Door, maria: Visitor):
    portal_door.billing.no_cards = True
    turn = _hidden((await maria.get("/bills/pay")).text, "turn")
    page = await maria.post("/bills/pay", turn=turn, much="all")
    assert page.status_code == 503
    assert "The card company does not answer at the moment. Nothing was paid" in page.text
    assert "Continue to the card page" in page.text
    assert portal_door.portal.outages.since("billing") is None
    portal_door.billing.no_cards = False
    address = await _pay(maria)
    portal_door.billing.no_cards = True
    shown = await maria.get(address)
    assert shown.status_code == 200
    assert "Look again" in shown.text


async def test_what_was_paid_already_stands_in_the_picture(portal_door: Door, maria: Visitor):
    first, second = portal_door.billing.lines
    half = msgspec.structs.replace(first, paid=1_400)
    done = msgspec.structs.replace(second, paid=second.share)
    portal_door.billing.lines = (half, done)
    page = (await maria.get("/bills")).text
    legend = re.search(r'<dl class="legend">(.*?)</dl>', page, re.DOTALL)
    assert legend
    # The second line is paid: it is no longer where what is owed comes from.
    amounts = re.findall(r'<dd class="num">(.*?)</dd>', legend[1])
    assert amounts == ["$165.00", "−$96.00", "−$45.00", "−$14.00", "$10.00"]
    assert "Left to pay" in legend[1]
