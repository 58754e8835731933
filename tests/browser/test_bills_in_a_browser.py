"""Bills in a real browser: seen, paid by card with and without scripts, in parts, by a guest."""

import io
import re
import time
from collections.abc import Iterator

import pypdf
import pytest
from browser_door import Demo, Seen, open_page
from playwright.sync_api import Browser, Locator

GOOD, SECOND_STEP, DECLINED = "4242424242424242", "4000002500003155", "4000000000000002"
BANK = "000123456789"
BORN = ("3", "14", "1968")
# The goal of the portal: pages between the bills and the card company's own page.
PAY_PAGES = 2
BILLED_SECONDS = 90


@pytest.fixture(scope="module")
def billed(browser: Browser, paying_platform: Demo, axe_script: str) -> Demo:
    """The demo clinic, once its insurer has decided and its bills are sent."""
    with open_page(browser, paying_platform, "desk", "light", axe_script) as page:
        page.sign_in("patient")
        until = time.monotonic() + BILLED_SECONDS
        while not page.open("/bills").page.get_by_role("heading", name="Bill 00").count():
            assert time.monotonic() < until, page.page.content()
            time.sleep(1)
    return paying_platform


@pytest.fixture
def maria(browser: Browser, billed: Demo, axe_script: str) -> Iterator[Seen]:
    with open_page(browser, billed, "desk", "light", axe_script) as page:
        yield page.sign_in("patient")


@pytest.fixture
def somebody(browser: Browser, billed: Demo, axe_script: str) -> Iterator[Seen]:
    """Nobody who is signed in."""
    with open_page(browser, billed, "desk", "light", axe_script) as page:
        yield page


def test_a_patients_pages_of_bills_are_clean(
    browser: Browser, billed: Demo, axe_script: str, size: str
):
    with open_page(browser, billed, size, "light", axe_script) as seen:
        seen.in_dark_too = True
        seen.sign_in("patient").check()
        seen.open("/bills").check()
        paths = [_href(seen, "See how it came about"), _href(seen, "Estimate for")]
        for path in (*paths, "/bills/pay", "/bills/plan?parts=12"):
            seen.open(path).check()
        _press(seen, "Agree to 12 parts")
        assert seen.page.get_by_text("Your plan is set").is_visible()
        seen.check()
        seen.page.get_by_text("End this plan").click()
        seen.check()
        _press(seen, "End the plan")
        seen.check()
        seen.open("/bills/pay")
        _fill_amount(seen, "9999")
        _press(seen, "Continue to the card page")
        assert seen.page.get_by_role("alert").is_visible()
        seen.check()


def test_a_bill_is_paid_within_the_goal_and_has_a_receipt(maria: Seen):
    before = _owed(maria)
    pages = 0
    _follow(maria.page.get_by_role("link", name="Pay $").first)
    pages += 1
    _fill_amount(maria, "5.00")
    _press(maria, "Continue to the card page")
    _at_the_card_page(maria)
    assert pages <= PAY_PAGES
    _pay(maria, GOOD)
    assert maria.page.get_by_role("heading", name="Thank you. We have your $5.00").is_visible()
    maria.check()
    _follow(maria.page.get_by_role("link", name="See the receipt"))
    maria.check()
    paper = _pdf(maria, maria.page.get_by_role("link", name="Download as PDF"))
    assert "$5.00" in paper.pages[0].extract_text()
    assert _owed(maria) == before - 500


def test_a_card_that_asks_for_a_second_step_pays_after_it(maria: Seen):
    before = _owed(maria)
    _to_cards(maria, "4.00")
    _enter(maria, SECOND_STEP)
    _press(maria, "Yes, it is me")
    _back(maria)
    assert maria.page.get_by_role("heading", name="Thank you. We have your $4.00").is_visible()
    assert _owed(maria) == before - 400


def test_who_declines_the_second_step_and_leaves_has_paid_nothing(maria: Seen):
    before = _owed(maria)
    _to_cards(maria, "4.00")
    _enter(maria, SECOND_STEP)
    _press(maria, "No, stop")
    _follow(maria.page.get_by_role("link", name="Go back without paying"))
    _back(maria)
    assert maria.page.get_by_role("heading", name="You have not paid yet").is_visible()
    maria.check()
    assert _owed(maria) == before


def test_a_declined_card_can_be_tried_again_with_another(maria: Seen):
    before = _owed(maria)
    _to_cards(maria, "3.00")
    _enter(maria, DECLINED)
    assert "Your bank declined this card" in maria.page.content()
    _follow(maria.page.get_by_role("link", name="Go back without paying"))
    _back(maria)
    assert "Try another card" in maria.page.content()
    _follow(maria.page.get_by_role("link", name="Go back to the card page"))
    _pay(maria, GOOD)
    assert maria.page.get_by_role("heading", name="Thank you. We have your $3.00").is_visible()
    assert _owed(maria) == before - 300


def test_going_back_from_the_card_page_does_not_lead_into_a_circle(maria: Seen):
    _to_cards(maria, "2.00")
    maria.page.go_back()
    assert maria.page.url.startswith(maria.demo.url)
    assert maria.page.get_by_role("button", name="Continue to the card page").is_visible()


def test_money_from_a_bank_is_on_its_way_not_asked_for_twice_and_then_here(maria: Seen):
    _to_cards(maria, "2.50")
    bank = maria.page.url.rpartition("/pay/")[0]
    _pay(maria, BANK)
    assert maria.page.get_by_role("heading", name="Your $2.50 is on its way").is_visible()
    maria.check()
    address = maria.page.url
    maria.open("/bills")
    assert maria.page.get_by_text("$2.50 of it is on its way to us already").is_visible()
    maria.check()
    # It arrives before the next test, which counts what is owed.
    later = maria.page.context.request.post(f"{bank}/control/clock", data={"seconds": 60})
    assert later.ok
    maria.page.goto(address)
    if maria.page.get_by_role("link", name="Look again").count():
        _follow(maria.page.get_by_role("link", name="Look again"))
    assert maria.page.get_by_role("heading", name="Thank you. We have your $2.50").is_visible()


def test_without_scripts_a_bill_is_seen_paid_and_put_into_parts(
    browser: Browser, billed: Demo, axe_script: str
):
    with open_page(
        browser, billed, "phone", "light", axe_script, java_script_enabled=False
    ) as seen:
        seen.sign_in("patient")
        before = _owed(seen)
        _to_cards(seen, "1.50")
        _pay(seen, GOOD)
        assert seen.page.get_by_role("heading", name="Thank you. We have your $1.50").is_visible()
        assert _owed(seen) == before - 150
        seen.open("/bills/plan")
        seen.page.get_by_label("In how many parts?").select_option("6")
        _press(seen, "Show these parts")
        assert seen.page.locator(".parts tbody tr").count() == 6
        _press(seen, "Agree to 6 parts")
        assert seen.page.get_by_text("Your plan is set").is_visible()
        seen.page.get_by_text("End this plan").click()
        _press(seen, "End the plan")
        assert seen.page.get_by_text("The plan has ended").is_visible()


def test_a_bill_is_paid_with_the_keyboard_alone(maria: Seen):
    maria.open("/bills")
    _tab_to(maria, maria.page.get_by_role("link", name="Pay $").first)
    maria.page.keyboard.press("Enter")
    maria.page.wait_for_url("**/bills/pay")
    _tab_to(maria, maria.page.locator("#all"))
    maria.page.keyboard.press("ArrowDown")
    _tab_to(maria, maria.page.locator("#other"))
    maria.page.keyboard.type("1.00")
    _tab_to(maria, maria.page.get_by_role("button", name="Continue to the card page"))
    maria.page.keyboard.press("Enter")
    _at_the_card_page(maria)
    _pay(maria, GOOD)
    assert maria.page.get_by_role("heading", name="Thank you. We have your $1.00").is_visible()


@pytest.mark.parametrize("width", [801, 880, 961])
def test_six_words_in_the_bar_fit_between_phone_and_desk(maria: Seen, width: int):
    maria.page.set_viewport_size({"width": width, "height": 800})
    maria.open("/bills").check()
    assert maria.page.get_by_role("navigation", name="Main", exact=True).get_by_role(
        "link"
    ).count() == 6  # fmt: skip


def test_the_parts_of_a_plan_stay_in_their_panel_on_a_small_phone(maria: Seen):
    maria.page.set_viewport_size({"width": 320, "height": 640})
    maria.open("/bills/plan?parts=12")
    panel, *rows = [
        each.bounding_box() for each in maria.page.locator(".card:has(.parts), .parts td").all()
    ]
    assert panel
    edge = panel["x"] + panel["width"]
    assert all(row is not None and row["x"] + row["width"] <= edge for row in rows)


def test_the_picture_shows_in_forced_colours_and_from_right_to_left(maria: Seen):
    maria.open("/bills").page.emulate_media(forced_colors="active")
    maria.check()
    fills = maria.page.evaluate(
        """() => [...document.querySelectorAll(".split rect:not(.gap)")]
          .map((each) => getComputedStyle(each).fill)"""
    )
    assert len(set(fills)) == len(fills) > 1
    maria.page.emulate_media(forced_colors="none")
    maria.page.evaluate("document.documentElement.dir = 'rtl'")
    maria.check()


def test_a_guest_pays_with_the_link_on_the_paper(
    browser: Browser, billed: Demo, axe_script: str, maria: Seen, size: str
):
    link, before = _link(maria), _owed(maria)
    with open_page(browser, billed, size, "light", axe_script) as guest:
        guest.page.goto(link)
        guest.check()
        assert "Maria" not in guest.page.content()
        _born(guest, "3", "15", "1968")
        assert guest.page.get_by_role("alert").is_visible()
        guest.check()
        _born(guest, *BORN)
        assert guest.page.get_by_role("heading", name=re.compile(r"Bill 0\d+ for M\.K\.")).count()
        guest.check()
        _fill_amount(guest, "1.25")
        _press(guest, "Continue to the card page")
        _at_the_card_page(guest)
        _enter(guest, SECOND_STEP)
        _press(guest, "Yes, it is me")
        guest.page.wait_for_url("**/pay/back")
        assert guest.page.get_by_role("heading", name="Thank you").is_visible()
        guest.check()
    assert _owed(maria) == before - 125


def test_a_guest_pays_without_scripts_and_in_the_dark(
    browser: Browser, billed: Demo, axe_script: str, maria: Seen
):
    link = _link(maria)
    with open_page(browser, billed, "phone", "dark", axe_script, java_script_enabled=False) as seen:
        seen.page.goto(link)
        _born(seen, *BORN)
        _fill_amount(seen, "1.10")
        _press(seen, "Continue to the card page")
        _at_the_card_page(seen)
        _enter(seen, GOOD)
        seen.page.wait_for_url("**/pay/back")
        assert seen.page.get_by_role("heading", name="Thank you").is_visible()


def test_a_link_that_is_none_is_a_clean_page(somebody: Seen):
    somebody.open("/pay/" + "x" * 27)
    _born(somebody, *BORN)
    assert somebody.page.get_by_role("heading", name="This link no longer works").is_visible()
    somebody.problems[:] = [p for p in somebody.problems if "410" not in p]
    somebody.check()


def test_nothing_of_bills_stays_in_the_browser_or_in_an_address(maria: Seen):
    addresses: list[str] = []
    maria.page.on("request", lambda request: addresses.append(request.url))
    _to_cards(maria, "1.05")
    _pay(maria, GOOD)
    kept = maria.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert kept == "[{},{}]"
    ours = [each for each in addresses if each.startswith(maria.demo.url)]
    assert not any("1.05" in each or "105" in each.rpartition("/")[2] for each in ours)
    cookies = maria.page.context.cookies()
    assert all(each["httpOnly"] for each in cookies)


def _href(seen: Seen, name: str) -> str:
    found = seen.page.get_by_role("link", name=name).first.get_attribute("href")
    assert found
    return found


def _owed(seen: Seen) -> int:
    """In cents, as the page says it."""
    shown = seen.open("/bills").page.locator(".owe .sum").inner_text()
    return round(float(shown.replace("$", "").replace(",", "")) * 100)


def _to_cards(seen: Seen, amount: str) -> None:
    seen.open("/bills/pay")
    _fill_amount(seen, amount)
    _press(seen, "Continue to the card page")
    _at_the_card_page(seen)


def _fill_amount(seen: Seen, amount: str) -> None:
    seen.page.locator("#part").check(force=True)
    seen.page.get_by_label("Amount to pay").fill(amount)


def _at_the_card_page(seen: Seen) -> None:
    seen.page.wait_for_url(lambda url: not url.startswith(seen.demo.url))
    assert seen.page.get_by_role("heading", name=re.compile("^Pay ")).is_visible()


def _enter(seen: Seen, number: str) -> None:
    seen.page.get_by_label("Or enter its number").fill(number)
    seen.page.get_by_role("button", name=re.compile("^Pay ")).click()
    seen.page.wait_for_load_state("load")


def _pay(seen: Seen, number: str) -> None:
    _enter(seen, number)
    _back(seen)


def _back(seen: Seen) -> None:
    seen.page.wait_for_url("**/bills/payments/*?back=yes")


def _born(seen: Seen, *words: str) -> None:
    for name, word in zip(("Month", "Day", "Year"), words, strict=True):
        seen.page.get_by_label(name, exact=True).fill(word)
    _press(seen, "Continue")


def _link(seen: Seen) -> str:
    """The address behind the code on the newest bill's paper."""
    seen.open("/bills").open(_href(seen, "See how it came about"))
    paper = _pdf(seen, seen.page.get_by_role("link", name="Download as PDF"))
    targets = [
        note.get_object().get("/A", {}).get("/URI", "")
        for page in paper.pages
        for note in page.get("/Annots", [])
    ]
    found = [each for each in targets if "/pay/" in each]
    assert found, targets
    return found[0]


def _pdf(seen: Seen, link: Locator) -> pypdf.PdfReader:
    path = link.get_attribute("href")
    answer = seen.page.context.request.get(f"{seen.demo.url}{path}")
    assert answer.ok, answer.status
    return pypdf.PdfReader(io.BytesIO(answer.body()))


def _press(seen: Seen, name: str) -> None:
    seen.page.get_by_role("button", name=name, exact=True).first.click()
    seen.page.wait_for_load_state("load")


def _follow(link: Locator) -> None:
    link.click()
    link.page.wait_for_load_state("load")


def _tab_to(seen: Seen, wanted: Locator) -> None:
    for _ in range(60):
        if wanted.evaluate("each => each === document.activeElement"):
            return
        seen.page.keyboard.press("Tab")
    raise AssertionError("the keyboard does not lead there")
