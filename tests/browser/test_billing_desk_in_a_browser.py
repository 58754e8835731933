"""Billing's staff in a real browser: a visit is coded, sent and read as X12; queues by keyboard."""

import subprocess
import sys
import uuid
from datetime import timedelta

import httpx
import pytest
from browser_door import Demo, Seen, open_page
from playwright.sync_api import Browser

from polyclinic.demo import people
from polyclinic.foundation import clock

INSURED, NOT_INSURED = "KELLER", "KIM"


@pytest.fixture(scope="module", autouse=True)
def waiting(platform: Demo) -> None:
    """Visits of yesterday that wait to be coded, whatever day it is."""
    command = [sys.executable, "-m", "polyclinic", "token", "--data", str(platform.data)]
    scope = "system/Patient.rs system/ChargeItem.cruds"
    said = subprocess.run(
        [*command, "--client", "billing-test", "--scope", scope],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    headers = {"authorization": f"Bearer {said.stdout.split()[-1]}"}
    with httpx.Client(base_url=platform.url, headers=headers, trust_env=False) as client:
        found = client.get("/fhir/Patient", params={"family": NOT_INSURED}).json()
        kim = f"Patient/{found['entry'][0]['resource']['id']}"
        for patient in (people.MARIA_KELLER, kim, kim):
            body = {
                "patient": patient,
                "practitioner": people.ANA_RUIZ,
                "day": (clock.now() - timedelta(days=1)).date().isoformat(),
            }
            key = {"idempotency-key": uuid.uuid4().hex}
            client.post("/billing/visits", json=body, headers=key).raise_for_status()


def test_billings_pages_are_clean(seen: Seen):
    seen.sign_in("billing").check()
    assert seen.page.url.endswith("/billing-desk")
    for path in ("?queue=to+code", "?queue=denied", "/claims", "/files", "/fees", "/days"):
        seen.open(f"/billing-desk{path}").check()
    for path in ("/claims", "/files", "/fees"):
        seen.open(f"/billing-desk{path}")
        _follow(seen, "a[data-row]")
        seen.check()
    seen.open("/billing-desk?queue=to+code")
    _follow(seen, "a[data-row]")
    seen.check()
    _press(seen, "Review")
    assert seen.page.get_by_role("alert").is_visible()
    seen.check()


def test_a_visit_is_coded_checked_sent_and_its_claim_read_as_x12(desk: Seen):
    desk.sign_in("billing").open("/billing-desk?queue=to+code")
    _follow(desk, f'a[data-row]:has-text("{INSURED}")')
    page = desk.page
    page.locator("#dx1").fill("e11.9")
    page.locator("#dx2").fill("I10")
    page.locator("#code1").select_option("Z1002")
    page.locator("#code2").select_option("Z2002")
    page.locator("#units2").fill("2")
    page.locator("#for2").fill("1, 2")
    _press(desk, "Review")
    desk.check()
    assert page.get_by_role("button", name="Post $255.00").is_visible()
    _press(desk, "Change")
    assert page.locator("#units2").input_value() == "2"
    _press(desk, "Review")
    _press(desk, "Post $255.00")
    desk.check()
    _follow(desk, 'a:has-text("Open the claim")')
    _press(desk, "Check this claim")
    desk.check()
    assert page.get_by_text("Nothing is missing").first.is_visible()
    _press(desk, "Send $255.00 to the payer")
    desk.check()
    assert page.locator(".life [aria-current=step]").inner_text().startswith("Sent")
    _follow(desk, 'a:has-text("837P")')
    desk.check()
    said = page.locator(".x12 code").all_inner_texts()
    assert said[0].startswith("ISA*00*")
    assert any(line.startswith("CLM*") and "*255*" in line for line in said)
    with desk.page.expect_download() as saved:
        page.get_by_role("link", name="Download").click()
    assert saved.value.path().read_bytes().count(b"~") == len(said)


def test_a_patient_without_insurance_is_charged_without_scripts(
    browser: Browser, platform: Demo, axe_script: str
):
    with open_page(
        browser, platform, "desk", "light", axe_script, java_script_enabled=False
    ) as seen:
        seen.sign_in("billing").open("/billing-desk?queue=to+code")
        _press(seen, f"Take {NOT_INSURED}")
        assert seen.page.locator("b", has_text="You").count()
        _press(seen, f"Give back {NOT_INSURED}")
        _follow(seen, f'a[data-row]:has-text("{NOT_INSURED}")')
        assert seen.page.get_by_label("The patient pays").is_checked()
        seen.page.locator("#dx1").fill("J02.9")
        seen.page.locator("#code1").select_option("Z1001")
        _press(seen, "Review")
        _press(seen, "Post $125.00")
        assert seen.page.get_by_text("The charges are posted.").is_visible()


def test_the_day_is_closed_after_a_question_and_the_ledger_holds(desk: Seen):
    desk.sign_in("billing").open("/billing-desk/days")
    assert desk.page.get_by_role("heading", name="The ledger holds").is_visible()
    _press(desk, "Close yesterday")
    desk.check()
    _press(desk, "Close this day")
    desk.check()
    assert desk.page.get_by_text("Every day up to yesterday is closed.").is_visible()


def test_the_desk_takes_cash_and_gives_a_receipt(desk: Seen):
    desk.sign_in("front-desk").open("/desk")
    desk.page.locator("#q").fill("nguyen")
    desk.page.get_by_role("button", name="Search", exact=True).click()
    desk.page.locator("#found a").first.click()
    _follow(desk, 'a:has-text("Take a payment")')
    desk.check()
    desk.page.locator("#amount").fill("20")
    _press(desk, "Review")
    desk.check()
    _press(desk, "Book $20.00")
    desk.check()
    assert desk.page.get_by_role("heading", name="Receipt").is_visible()


def test_the_arrow_keys_go_through_a_list(desk: Seen):
    desk.sign_in("billing").open("/billing-desk/claims")
    links = desk.page.locator("a[data-row]")
    assert links.count() > 1
    links.first.focus()
    desk.page.keyboard.press("ArrowDown")
    assert links.nth(1).evaluate("link => link === document.activeElement")


def _press(seen: Seen, name: str) -> None:
    seen.page.get_by_role("button", name=name).first.click()
    seen.page.wait_for_load_state("load")


def _follow(seen: Seen, selector: str) -> None:
    seen.page.locator(selector).first.click()
    seen.page.wait_for_load_state("load")
