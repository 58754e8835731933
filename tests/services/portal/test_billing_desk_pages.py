"""Billing's staff at work in the portal, before the real billing service."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import sample
from appointments_in_memory import on, visit
from billing_beside import BILL, Billing, beside, biller, maria_came, open_billing, world
from portal_door import Door, Visitor

FORM = {"dx1": "e11.9", "code1": "Z1001", "units1": "2", "code2": "Z2002", "for2": "1"}
SECRETS = re.compile(r'name="turn" value="([^"]+)"')


@pytest.fixture(scope="module")
async def billing(postgres_url: str, key_file: Path) -> AsyncIterator[Billing]:
    async with open_billing(postgres_url, key_file) as opened:
        yield opened


@pytest.fixture
async def grace(portal_door: Door, billing: Billing) -> Visitor:
    return await biller(beside(portal_door, billing))


def turn(page: str) -> str:
    found = SECRETS.search(page)
    assert found
    return found[1]


async def claim_of(billing: Billing, *lines: tuple[str, int]) -> world.Coded:
    """A claim of a patient whom only billing knows."""
    return await world.coded(billing, *(lines or (("Z1001", 15_000),)))


async def send(grace: Visitor, path: str, content: bytes, **fields: str) -> str:
    """A form with a file, as a browser sends it."""
    answer = await grace.client.post(
        path,
        data={"csrf": grace.session.csrf, **fields},
        files={"file": ("a.txt", content)},
        headers={"sec-fetch-site": "same-origin"},
    )
    return (await grace.get(answer.headers["location"])).text if answer.is_redirect else answer.text


async def test_a_queue_says_whose_item_it_is_and_gives_it_to_who_takes_it(
    billing: Billing, grace: Visitor
):
    await maria_came(billing)
    page = (await grace.get("/billing-desk?queue=to+code")).text
    assert "KELLER, Maria" in page
    assert "Nobody" in page
    item = re.findall(r"/billing-desk/work/([0-9a-f-]{36})/take", page)[-1]
    taken = await grace.post(f"/billing-desk/work/{item}/take", queue="to code", turn="1")
    assert taken.headers["location"] == "/billing-desk?queue=to+code"
    mine = (await grace.get("/billing-desk?queue=to+code&mine=true")).text
    assert "<b>You</b>" in mine
    await grace.post(f"/billing-desk/work/{item}/release", queue="to code", turn="2")
    assert "<b>You</b>" not in (await grace.get("/billing-desk?queue=to+code")).text


async def test_a_visit_is_coded_reviewed_and_posted_and_its_claim_goes_out_as_x12(
    billing: Billing, grace: Visitor
):
    name = await maria_came(billing)
    path = f"/billing-desk/visits/{name}"
    assert "Z1001 · Visit of 15 minutes · $150.00" in (await grace.get(path)).text
    review = await grace.post(path, **FORM, turn="r")
    assert "$350.50" in review.text
    waiting = await billing.ask(BILL, "GET", f"/billing/visits/{name}")
    assert waiting.json()["status"] == "to code"
    posted = await grace.post(path, **FORM, how="post", turn=turn(review.text))
    assert posted.headers["location"] == f"{path}?done=yes"
    done = (await grace.get(f"{path}?done=yes")).text
    claim = re.search(r'href="(/billing-desk/claims/[0-9a-f-]{36})"', done)
    assert claim
    here = claim[1]
    assert "Check this claim" in (await grace.get(here)).text
    await grace.post(f"{here}/check", turn="c")
    checked = (await grace.get(f"{here}?done=check")).text
    assert "Nothing is missing" in checked
    assert "Send $350.50 to the payer" in checked
    await grace.post(f"{here}/submit", turn="s")
    sent = (await grace.get(here)).text
    file = re.search(r'href="(/billing-desk/files/[0-9a-f-]{36})"', sent)
    assert file
    x12 = (await grace.get(file[1])).text
    assert "<code><b>CLM</b>*" in x12
    assert "*350.5***" in x12
    raw = await grace.get(f"{file[1]}?raw=yes")
    assert raw.content.startswith(b"ISA*")
    assert raw.headers["content-disposition"].startswith("attachment")
    assert (await billing.proof())["holds"]


async def test_a_second_press_of_post_charges_nothing_twice(billing: Billing, grace: Visitor):
    name = await maria_came(billing)
    path = f"/billing-desk/visits/{name}"
    pressed = turn((await grace.post(path, **FORM, turn="r")).text)
    for _ in range(2):
        await grace.post(path, **FORM, how="post", turn=pressed)
    charges = (await billing.ask(BILL, "GET", f"/billing/visits/{name}")).json()["charges"]
    assert [each["amount"] for each in charges] == [30_000, 5_050]


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"dx1": ""}, "dx1", "Enter at least one diagnosis"),
        ({"dx1": "X99"}, "dx1", "Diagnosis 1: This is no ICD-10-CM code"),
        ({"units1": "none"}, "units1", "Line 1: enter the units as a number"),
        ({"for2": "4"}, "for2", "Line 2: A line points to"),
        ({"mods1": "2"}, "mods1", "Line 1: At most 4 modifiers"),
        ({"code2": "Z9999"}, "code2", "Line 2: this code is not in the price list"),
    ],
)
async def test_what_is_wrong_is_said_at_its_field_and_nothing_is_lost(
    billing: Billing, grace: Visitor, changed: dict[str, str], field: str, said: str
):
    name = await maria_came(billing)
    typed = FORM | changed
    answer = await grace.post(f"/billing-desk/visits/{name}", **typed, how="post", turn="p")
    assert answer.status_code == 422
    assert f'<a href="#{field}">{said}' in answer.text
    assert f'id="{field}-error"' in answer.text
    assert 'value="Z2002" selected' in answer.text or "code2" in changed
    status = (await billing.ask(BILL, "GET", f"/billing/visits/{name}")).json()["status"]
    assert status == "to code"


async def test_ticked_claims_go_out_and_what_does_not_pass_stays_with_its_reason(
    billing: Billing, grace: Visitor
):
    good = await claim_of(billing)
    nobody = replace(world.PERSON, birth_date=None)
    bad = await world.coded(billing, ("Z1001", 15_000), person=nobody)
    answer = await grace.client.post(
        "/billing-desk/submit",
        data={"csrf": grace.session.csrf, "turn": "t", "claim": [str(good.claim), str(bad.claim)]},
        headers={"sec-fetch-site": "same-origin"},
    )
    assert "1 claim is on the way to the payer" in answer.text
    assert "Something is missing; it waits in Held now." in answer.text
    assert (await world.claim(billing, good))["status"] == "submitted"
    page = (await grace.get(f"/billing-desk/claims/{bad.claim}")).text
    assert "1 to put right" in page
    assert "complete the patient&#39;s details" in page


async def test_a_denied_line_is_written_off_once_and_only_after_its_amount_was_seen(
    billing: Billing, grace: Visitor
):
    what = await claim_of(billing, ("Z1001", 15_000), ("Z9099", 22_000))
    answers = world.replies(await world.submitted(billing, what))
    for content in answers.values():
        await world.came(billing, content)
    left = (await world.claim(billing, what))["open"]
    assert left == 22_000
    here = f"/billing-desk/claims/{what.claim}"
    page = (await grace.get(here)).text
    assert "CO-50" in page
    form = {"amount": "$20.00", "reason": "courtesy"}
    assert (await grace.post(f"{here}/write-off", **form)).status_code == 200
    assert (await world.claim(billing, what))["open"] == 22_000
    more = await grace.post(f"{here}/write-off", amount="300", reason="courtesy")
    assert "more than what is still open" in more.text
    sure = {"confirmed": "yes", "minor": "2000", "reason": "courtesy", "turn": "same"}
    for _ in range(2):
        await grace.post(f"{here}/write-off", **sure)
    assert (await world.claim(billing, what))["open"] == 20_000
    review = (await grace.post(f"{here}/to-patient", amount="200.00")).text
    assert "Bill the patient: $200.00" in review
    assert "CO-50" in review
    assert (await billing.proof())["holds"]


async def test_a_broken_file_names_its_segment_points_to_it_and_waits_in_held(grace: Visitor):
    isa = f"ISA*00*{' ' * 10}*00*{' ' * 10}*ZZ*{'NHP':<15}*ZZ*{'CLINIC':<15}"
    broken = f"{isa}*261122*1000*^*00501*000000009*0*T*:~GS*HP*A*B*20261122*1000*9*X*005010X221A1~"
    page = await send(grace, "/billing-desk/files", broken.encode())
    assert "nothing of it was posted" in page
    assert "The interchange ends without its IEA segment" in page
    file = re.search(r'href="(/billing-desk/files/[0-9a-f-]{36})">Open', page)
    assert file
    shown = (await grace.get(file[1])).text
    assert "Segment" in shown
    assert 'class="bad"' in shown
    assert "A payer&#39;s file" in (await grace.get("/billing-desk?queue=held")).text
    empty = await send(grace, "/billing-desk/files", b"")
    assert "Choose the file that the payer sent." in empty


async def test_a_price_list_with_faults_is_refused_by_line_and_column(grace: Visitor):
    fields = {"name": "Next", "from": "2031-01-01", "close": "yes", "turn": "f1"}
    wrong = b"code,modifier,title,amount\nZ1001,,Visit,12.x\nZ10,,A,1\n"
    page = await send(grace, "/billing-desk/fees", wrong, **fields)
    assert "Line 2, column amount: An amount looks like 125.50." in page
    assert "Line 3, column code: " in page
    assert 'value="Next"' in page
    right = b"code,modifier,title,amount\nZ1001,,Visit,12.50\n"
    page = await send(grace, "/billing-desk/fees", right, **(fields | {"turn": "f2"}))
    assert "The list was brought in whole." in page
    assert "$12.50" in page


async def test_a_day_is_closed_after_a_question_and_the_proof_says_when_books_were_changed(
    billing: Billing, grace: Visitor
):
    page = (await grace.get("/billing-desk/days")).text
    assert "The ledger holds" in page
    day = re.search(r'name="day" value="([^"]+)"', page)
    assert day
    asked = await grace.post("/billing-desk/days", day=day[1])
    assert "Afterwards nothing can be posted" in asked.text
    assert (await billing.ask(BILL, "GET", "/billing/days")).json()["days"] == []
    closed = await grace.post("/billing-desk/days", day=day[1], confirmed="yes", turn="d")
    assert closed.headers["location"] == f"/billing-desk/days?done={day[1]}"
    assert "Every day up to yesterday is closed." in (await grace.get("/billing-desk/days")).text
    await billing.sql("UPDATE billing.balance SET amount = amount + 1 WHERE account = 1")
    try:
        assert "The ledger does not hold" in (await grace.get("/billing-desk/days")).text
    finally:
        await billing.sql("UPDATE billing.balance SET amount = amount - 1 WHERE account = 1")


async def test_the_desk_takes_cash_with_a_receipt_and_only_billing_gives_it_back(
    portal_door: Door, billing: Billing, grace: Visitor
):
    tom = await portal_door.as_("front-desk")
    assert f"/billing-desk/patients/{sample.MARIA}" in (await tom.get("/desk/maria")).text
    path = f"/billing-desk/patients/{sample.MARIA}"
    assert "Enter an amount" in (await tom.post(path, amount="much", method="cash")).text
    sure = await tom.post(path, amount="25", method="cash")
    assert "Is the money in your hand?" in sure.text
    booked = {"amount": "25", "method": "cash", "confirmed": "yes", "turn": "once"}
    first = await tom.post(path, **booked)
    assert first.headers["location"] == (await tom.post(path, **booked)).headers["location"]
    receipt = first.headers["location"].partition("?")[0]
    shown = (await tom.get(receipt)).text
    assert "$25.00" in shown
    assert "Give money back" not in shown
    assert (await tom.post(f"{receipt}/refund", amount="5", reason="overpaid")).status_code == 403
    more = await grace.post(f"{receipt}/refund", amount="26", reason="overpaid")
    assert (more.status_code, "more than what is left" in more.text) == (422, True)
    back = {"amount": "5", "reason": "overpaid", "confirmed": "yes", "turn": "b"}
    await grace.post(f"{receipt}/refund", **back)
    assert "$5.00" in (await grace.get(receipt)).text
    assert (await billing.proof())["holds"]


async def test_the_desk_and_clinicians_see_no_claims(portal_door: Door, billing: Billing):
    beside(portal_door, billing)
    what = await claim_of(billing)
    for role in ("front-desk", "clinician", "patient"):
        who = await portal_door.as_(role)
        for path in (f"/billing-desk/claims/{what.claim}", "/billing-desk", "/billing-desk/days"):
            assert (await who.get(path)).status_code == 403


async def test_a_clinician_codes_a_visit_that_is_done_from_the_days_list(
    portal_door: Door, billing: Billing
):
    beside(portal_door, billing).installs_appointments()
    portal_door.appointments.found += [
        visit("b1", "maria", on(-1, 9), status="fulfilled"),
        visit("b2", "maria", on(-1, 10), status="arrived"),
    ]
    ana = await portal_door.as_("clinician", "Practitioner/ruiz")
    assert "Code this visit" in (await ana.get("/schedule/visits/b1")).text
    first = await ana.post("/schedule/visits/b1/code")
    again = await ana.post("/schedule/visits/b1/code")
    assert first.headers["location"] == again.headers["location"]
    page = (await ana.get(first.headers["location"])).text
    assert "The insurance that is registered" in page
    refused = await ana.post("/schedule/visits/b2/code")
    assert refused.status_code == 409
    assert "mark it as done first" in refused.text


async def test_without_billing_nothing_leads_to_it_and_an_address_says_why(portal_door: Door):
    grace = await biller(portal_door)
    assert "/billing-desk" not in (await grace.get("/welcome")).text
    page = await grace.get("/billing-desk")
    assert page.status_code == 503
    assert "This installation does not offer that" in page.text


async def test_a_billing_that_does_not_answer_is_said_with_the_time(portal_door: Door):
    portal_door.running.peers.add_remote("billing", "http://127.0.0.1:9")
    page = await (await biller(portal_door)).get("/billing-desk")
    assert page.status_code == 503
    assert "Billing cannot be reached at the moment" in page.text
    assert "since" in page.text


async def test_without_names_amounts_and_states_still_stand(
    portal_door: Door, billing: Billing, grace: Visitor
):
    portal_door.records.down.add("*")
    what = await claim_of(billing)
    page = (await grace.get(f"/billing-desk/claims/{what.claim}")).text
    assert "Names are missing on this page" in page
    assert what.patient.partition("/")[2] in page
    assert "$150.00" in page
