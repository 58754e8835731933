"""Every page in every size and colour: no violation, no error, nothing from elsewhere."""

import pytest
from browser_door import Demo, Seen, open_page
from playwright.sync_api import Browser

# Dr Ruiz looks after five of the twelve patients; this one is not among them.
OUTSIDE_HER_CARE = "dubois"
PATIENT_PAGES = ("/home", "/visits", "/results", "/medicines", "/conditions")


def test_the_sign_in_page_is_clean(seen: Seen):
    seen.open("/")
    assert "/identity/" in seen.page.url
    seen.check()


def test_a_patients_pages_are_clean(seen: Seen):
    seen.sign_in("patient")
    for path in PATIENT_PAGES:
        seen.open(path).check()
    seen.open("/results")
    seen.page.locator(".res a").first.click()
    seen.page.wait_for_url("**/results/*")
    assert seen.page.locator("table tbody tr").count() >= 1
    seen.check()


def test_a_clinicians_pages_are_clean(seen: Seen):
    seen.sign_in("clinician")
    seen.check()
    seen.open("/patients").check()
    _search(seen, seen.demo.person("patient").name.split()[-1])
    seen.check()
    chart = seen.page.locator("#found tr", has_text="In your care").first.get_by_role("link")
    address = chart.get_attribute("href")
    assert address is not None
    for end in ("", "/results", "/medicines", "/problems", "/visits"):
        seen.open(address + end).check()
    seen.open(f"{address}/results").page.locator(".tests tbody a").first.click()
    seen.page.wait_for_url("**/results/*")
    assert seen.page.get_by_role("link", name="All tests").is_visible()
    seen.check()


def test_a_patient_at_the_front_desk_is_clean(seen: Seen):
    seen.sign_in("front-desk").open("/desk")
    _search(seen, seen.demo.person("patient").name.split()[-1])
    seen.check()
    seen.page.locator("#found a").first.click()
    seen.page.wait_for_url("**/desk/*")
    seen.check()
    seen.page.get_by_role("button", name="Book a visit").click()
    seen.page.wait_for_url("**/schedule/book/*")
    assert seen.page.get_by_text("For KELLER, Maria").is_visible()


@pytest.mark.parametrize("role", ["front-desk", "administrator", "billing"])
def test_other_roles_pages_are_clean(seen: Seen, role: str):
    seen.sign_in(role).check()


def test_a_closed_chart_and_a_missing_page_are_clean(seen: Seen):
    seen.sign_in("clinician")
    seen.open("/patients/nobody").check()
    assert "There is nothing at this address" in seen.page.content()


def test_a_clinician_finds_patients_outside_their_care_and_is_told_why_the_chart_is_closed(
    desk: Seen,
):
    desk.sign_in("clinician").open("/patients")
    _search(desk, OUTSIDE_HER_CARE)
    row = desk.page.locator("#found tr", has_text="Chart closed")
    row.get_by_role("link").click()
    assert desk.page.get_by_role("heading", name="This chart is not open to you").is_visible()
    desk.check()


@pytest.mark.parametrize("width", [320, 390])
def test_on_a_phone_the_open_tab_of_a_chart_is_in_sight(desk: Seen, width: int):
    desk.sign_in("clinician").open("/patients")
    _search(desk, "keller")
    chart = desk.page.locator("#found a").first.get_attribute("href")
    desk.page.set_viewport_size({"width": width, "height": 844})
    for end in ("/risks", ""):
        desk.open(f"{chart}{end}")
        box = desk.page.locator(".tabs [aria-current]").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def test_nothing_is_left_in_the_browser(desk: Seen):
    desk.sign_in("patient").open("/results")
    kept = desk.page.evaluate(
        "async () => [localStorage.length, sessionStorage.length, document.cookie,"
        " (await indexedDB.databases()).length, (await caches.keys()).length]"
    )
    assert kept == [0, 0, "", 0, 0]
    cookies = desk.page.context.cookies()
    # The demo runs on one's own computer without TLS, where Safari keeps no Secure cookie.
    assert {c["name"] for c in cookies if "polyclinic" in c["name"]} == {"polyclinic"}
    assert all(c["httpOnly"] and c["sameSite"] == "Lax" for c in cookies)


def test_the_keyboard_alone_leads_from_sign_in_to_a_result(desk: Seen):
    desk.sign_in("patient")
    keys = desk.page.keyboard
    keys.press("Tab")
    assert desk.page.evaluate("document.activeElement.className") == "govuk-skip-link"
    _tab_to(desk, "Results")
    keys.press("Enter")
    desk.page.wait_for_url("**/results")
    keys.press("Tab")
    keys.press("Enter")
    _tab_to(desk, "all your results")
    outline = desk.page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px"
    keys.press("Enter")
    desk.page.wait_for_url("**/results/*")
    desk.check()


def test_the_slash_key_goes_to_the_search(desk: Seen):
    desk.sign_in("clinician")
    desk.page.keyboard.press("/")
    assert desk.page.evaluate("document.activeElement.name") == "q"


def test_a_chosen_theme_stays_and_signing_out_closes_the_pages(desk: Seen):
    desk.sign_in("patient")
    desk.page.locator("details.menu summary").click()
    desk.page.get_by_role("button", name="Dark").click()
    assert desk.page.locator("html").get_attribute("data-theme") == "dark"
    desk.check()
    desk.page.locator("details.menu summary").click()
    desk.page.get_by_role("button", name="Device").click()
    desk.page.locator("details.menu summary").click()
    desk.page.locator(".menu").get_by_role("button", name="Sign out").click()
    assert desk.page.get_by_role("heading", name="You are signed out").is_visible()
    desk.check()
    desk.page.go_back()
    desk.open("/home")
    assert "/identity/" in desk.page.url


def test_the_question_before_signing_out_can_be_answered_with_one_key(desk: Seen):
    desk.sign_in("patient")
    desk.page.clock.install()
    desk.page.reload()
    left = "**/session/left"
    desk.page.route(left, lambda route: route.fulfill(json={"seconds": 110}))
    desk.page.clock.fast_forward("28:05")
    question = desk.page.get_by_role("dialog")
    question.wait_for()
    assert desk.violations() == []
    desk.page.unroute(left)
    desk.page.keyboard.press("Enter")
    question.wait_for(state="hidden")
    assert desk.page.url.endswith("/home")


def test_without_scripts_a_patient_signs_in_and_reads_results(
    browser: Browser, platform: Demo, axe_script: str
):
    with open_page(
        browser, platform, "phone", "light", axe_script, java_script_enabled=False
    ) as plain:
        plain.sign_in("patient")
        plain.page.locator(".bn").get_by_role("link", name="Results").click()
        assert plain.page.locator(".res").count() > 0
        assert plain.page.locator("svg.rng").first.is_visible()
        assert plain.problems == []


def test_without_scripts_a_clinician_finds_a_patient(
    browser: Browser, platform: Demo, axe_script: str
):
    with open_page(
        browser, platform, "desk", "light", axe_script, java_script_enabled=False
    ) as plain:
        plain.sign_in("clinician").open("/patients")
        plain.page.locator("#q").fill("keller")
        plain.page.locator("form.search button").click()
        plain.page.locator("#found a").first.click()
        assert plain.page.get_by_role("heading", name="KELLER, Maria").is_visible()


def test_targets_on_a_phone_are_large_enough(browser: Browser, platform: Demo, axe_script: str):
    with open_page(browser, platform, "phone", "light", axe_script) as phone:
        phone.sign_in("patient").open("/results")
        boxes = phone.page.locator(".bn a, .menu > summary, .filter .btn, .tick, select").all()
        sizes = [box.bounding_box() for box in boxes]
        assert sizes
        assert all(s and s["height"] >= 44 and s["width"] >= 44 for s in sizes)


def _search(seen: Seen, text: str) -> None:
    seen.page.locator("#q").fill(text)
    with seen.page.expect_response(lambda answer: answer.request.method == "POST"):
        seen.page.locator("form.search button").click()
    seen.page.locator("#found").get_by_text("patient").first.wait_for()


def _tab_to(seen: Seen, text: str) -> None:
    for _ in range(60):
        seen.page.keyboard.press("Tab")
        if text in (seen.page.evaluate("document.activeElement.textContent") or ""):
            return
    raise AssertionError(f"The keyboard does not reach {text!r}.")


def test_what_is_wrong_with_a_page_is_seen(desk: Seen):
    desk.sign_in("patient")
    desk.page.evaluate(
        """() => {
          const wrong = document.createElement("div");
          wrong.id = "wrong";
          [wrong.style.color, wrong.style.background] = ["#bbb", "#eee"];
          wrong.textContent = "Hardly to be read";
          document.querySelector("main").append(wrong, document.createElement("img"));
        }"""
    )
    assert {rule for rule, _ in desk.violations()} >= {"color-contrast", "image-alt"}
    assert ("color-contrast", "#wrong") in desk.violations(colors_only=True)
