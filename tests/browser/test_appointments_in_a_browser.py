"""Appointments in a real browser: booked, lost, moved, cancelled, checked in; each page counted."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from browser_door import Demo, Seen, open_page
from playwright.sync_api import Browser, Locator

FOLLOW_UP = "Follow-up visit"
# Of the demo's patients this one is not in Dr Ruiz's care: only a booking opens the chart. Another
# one stays closed for the tests of closed charts.
STRANGER = "adeyemi"
# Goals of the portal: pages after the list that lead to the last button.
# The last time that is shown lies days ahead: it can still be moved and cancelled here.
LATE = -1
BOOK_PAGES, BOOK_DEEDS, MOVE_PAGES, CANCEL_PAGES = 4, 12, 3, 2


@contextmanager
def _page(browser: Browser, demo: Demo, axe: str, **more: object) -> Iterator[Seen]:
    size = str(more.pop("size", "desk"))
    with open_page(browser, demo, size, "light", axe, **more) as page:
        yield page


def test_a_patients_pages_of_appointments_are_clean(seen: Seen):
    seen.sign_in("patient").open("/visits").check()
    seen.open("/visits/book").check()
    _choose_kind(seen)
    seen.check()
    _choose_time(seen, LATE)
    seen.check()
    seen.page.get_by_label("What would you like to talk about?").fill("My knee")
    _press(seen, "Continue")
    seen.check()
    # Of the demo's own visits every one may be so near that it is changed by a call only.
    _press(seen, "Book this appointment")
    seen.check()
    seen.open("/visits")
    _follow(seen.page.get_by_role("link", name="Change or cancel").last)
    seen.check()
    _follow(seen.page.get_by_role("link", name="Cancel this appointment"))
    seen.check()
    _press(seen, "Cancel the appointment")
    seen.check()


def test_the_desks_pages_are_clean(seen: Seen):
    seen.sign_in("front-desk").check()
    _to_a_day_with_visits(seen)
    seen.check()
    _follow(seen.page.locator("a.ev:not(.open)").first)
    seen.check()
    seen.open("/schedule/book").check()
    _find(seen, "keller")
    seen.check()
    _follow(seen.page.get_by_role("button", name="Book for KELLER, Maria"))
    seen.check()
    _tick(seen.page.locator(".slot input").first)
    _press(seen, "Continue")
    seen.check()


def test_a_clinicians_own_day_is_clean(seen: Seen):
    seen.sign_in("clinician")
    assert seen.page.url.endswith("/my-day")
    for _ in range(7):
        if seen.page.locator(".mine li").count():
            break
        _follow(seen.page.get_by_role("link", name="Next day"))
    assert seen.page.locator(".mine li").count()
    seen.check()


def test_the_administrators_page_of_events_is_clean(seen: Seen):
    seen.sign_in("administrator").open("/admin/events").check()
    assert seen.page.get_by_role("heading", name="Records").is_visible()
    assert "Every event had its effect" in seen.page.content()
    assert "does not answer" not in seen.page.content()


def test_a_patient_books_within_the_goals_moves_and_cancels(desk: Seen):
    desk.sign_in("patient").open("/visits")
    before = _coming(desk)
    pages, deeds = 0, 1
    _follow(desk.page.get_by_role("link", name="Book an appointment").first)
    pages += 1
    _choose_kind(desk)
    pages, deeds = pages + 1, deeds + 2
    chosen = _choose_time(desk, LATE)
    pages, deeds = pages + 1, deeds + 2
    desk.page.get_by_label("What would you like to talk about?").fill("My knee hurts")
    _press(desk, "Continue")
    pages, deeds = pages + 1, deeds + 2
    assert "My knee hurts" in desk.page.content()
    assert chosen in desk.page.content()
    _press(desk, "Book this appointment")
    deeds += 1
    assert desk.page.get_by_role("heading", name="You are booked").is_visible()
    desk.check()
    assert (pages, deeds) <= (BOOK_PAGES, BOOK_DEEDS)
    with desk.page.expect_download() as calendar:
        desk.page.get_by_role("link", name="Add to your calendar").click()
    assert "BEGIN:VEVENT" in calendar.value.path().read_text()
    booked = desk.page.url.split("/")[-2]
    _move(desk, booked)
    _cancel(desk, booked)
    assert _coming(desk) == before


def _move(desk: Seen, booked: str) -> None:
    desk.open(f"/visits/{booked}/change")
    pages = 1
    assert "You keep this time until you confirm a new one" in desk.page.content()
    new = _choose_time(desk, LATE)
    pages += 1
    assert "Nothing changes until you confirm" in desk.page.content()
    _press(desk, "Move to this time")
    pages += 1
    assert desk.page.get_by_role("heading", name="Your appointment is moved").is_visible()
    assert new in desk.page.content()
    assert pages <= MOVE_PAGES


def _cancel(desk: Seen, booked: str) -> None:
    desk.open(f"/visits/{booked}/cancel")
    assert "possible here until" in desk.page.content()
    _press(desk, "Cancel the appointment")
    assert desk.page.get_by_text("Your appointment is canceled").is_visible()
    desk.check()


def test_the_last_button_pressed_twice_at_once_books_one_visit_and_shows_it_twice(desk: Seen):
    desk.sign_in("patient")
    before = _coming(desk)
    desk.open("/visits/book")
    _choose_kind(desk)
    _choose_time(desk, LATE)
    _press(desk, "Continue")
    # Both are on their way before either is answered: two presses without our script in between.
    shown = desk.page.evaluate(
        """async () => {
          const form = [...document.querySelectorAll("main form")].at(-1);
          const press = () => fetch(form.action, {
            method: "POST", body: new URLSearchParams(new FormData(form)),
          });
          const answers = await Promise.all([press(), press(), press()]);
          return answers.map((answer) => [answer.status, answer.url]);
        }"""
    )
    assert {status for status, _ in shown} == {200}
    [booked] = {url for _, url in shown}
    assert booked.endswith("/booked")
    assert _coming(desk) == before + 1
    desk.page.goto(booked)
    _cancel_here(desk)
    assert _coming(desk) == before


def test_a_time_that_somebody_else_took_is_told_and_all_answers_stay(
    browser: Browser, platform: Demo, axe_script: str
):
    with _page(browser, platform, axe_script) as maria, _page(browser, platform, axe_script) as tom:
        maria.sign_in("patient").open("/visits/book")
        _choose_kind(maria)
        wanted = maria.page.locator(".slot input").nth(2)
        value = wanted.get_attribute("value") or ""
        _book_at_the_desk(tom, STRANGER, value)
        _tick(wanted)
        _press(maria, "Continue")
        assert maria.page.get_by_role("heading", name="That time was just taken").is_visible()
        assert maria.page.locator(".lost .slot").count() == 3
        maria.check()
        _tick(maria.page.locator(".lost .slot input").first)
        _press(maria, "Take this time")
        assert maria.page.get_by_role("heading", name="About your visit").is_visible()


def test_without_scripts_a_patient_books_and_cancels(
    browser: Browser, platform: Demo, axe_script: str
):
    more = {"size": "phone", "java_script_enabled": False}
    with _page(browser, platform, axe_script, **more) as plain:
        plain.sign_in("patient").open("/visits/book")
        _choose_kind(plain)
        _choose_time(plain, LATE)
        _press(plain, "Continue")
        _press(plain, "Book this appointment")
        assert plain.page.get_by_role("heading", name="You are booked").is_visible()
        _cancel_here(plain)
        assert plain.problems == []


def test_the_keyboard_alone_books_an_appointment(desk: Seen):
    desk.sign_in("patient").open("/visits/book")
    keys = desk.page.keyboard
    _tab_to(desk, "input[name=kind]")
    keys.press("Space")
    _tab_to_button(desk, "See times")
    keys.press("Enter")
    desk.page.wait_for_url("**/time")
    _tab_to(desk, "input[name=opening]")
    keys.press("Space")
    # From the first to the last: within the next day nobody could cancel it here.
    keys.press("ArrowLeft")
    ring = desk.page.evaluate(
        "getComputedStyle(document.activeElement.nextElementSibling).outlineWidth"
    )
    assert ring == "3px"
    _tab_to_button(desk, "Continue")
    keys.press("Enter")
    desk.page.wait_for_url("**/about")
    _tab_to(desk, "#reason")
    keys.type("By keyboard")
    _tab_to_button(desk, "Continue")
    keys.press("Enter")
    desk.page.wait_for_url("**/check")
    _tab_to_button(desk, "Book this appointment")
    keys.press("Enter")
    desk.page.wait_for_url("**/booked")
    _cancel_here(desk)


def test_a_booking_opens_the_chart_and_the_desk_checks_the_patient_in(
    browser: Browser, platform: Demo, axe_script: str
):
    with _page(browser, platform, axe_script) as tom, _page(browser, platform, axe_script) as ruiz:
        tom.sign_in("front-desk")
        _book_at_the_desk(tom, STRANGER, "ana-ruiz", signs_in=False)
        name = tom.page.locator("h1").inner_text()
        date = re.search(r"date=(\S+?)&", tom.page.locator(".back a").get_attribute("href") or "")
        assert date
        _press(tom, "Arrived", exact=True)
        assert tom.page.get_by_text("Arrived", exact=False).first.is_visible()
        _press(tom, "Check in")
        tom.check()
        _follow(tom.page.locator(".back a"))
        assert "Checked in" in tom.page.content()
        ruiz.sign_in("clinician").open(f"/my-day?date={date[1]}")
        row = ruiz.page.locator(".mine li", has_text=name).first
        assert "Checked in" in row.inner_text()
        for _ in range(20):
            if row.get_by_role("link", name="Open chart").count():
                break
            ruiz.page.reload()
        _follow(row.get_by_role("link", name="Open chart"))
        assert ruiz.page.get_by_role("heading", name=name).is_visible()
        ruiz.check()


@pytest.mark.parametrize(("role", "path"), [("patient", "/visits"), ("front-desk", "/schedule")])
def test_every_button_has_a_name_of_its_own(desk: Seen, role: str, path: str):
    desk.sign_in(role).open(path)
    if role == "front-desk":
        _to_a_day_with_visits(desk)
    twice = desk.page.evaluate(
        """() => {
          const known = {};
          for (const each of document.querySelectorAll("main a, main button")) {
            const name = each.textContent.replace(/\\s+/g, " ").trim();
            const leads = each.href || each.closest("form").action;
            (known[name] ??= new Set()).add(leads);
          }
          return Object.keys(known).filter((name) => known[name].size > 1);
        }"""
    )
    assert twice == []


def test_what_is_pressed_on_a_phone_is_large_enough(
    browser: Browser, platform: Demo, axe_script: str
):
    with _page(browser, platform, axe_script, size="phone") as phone:
        phone.sign_in("patient").open("/visits/book")
        _choose_kind(phone)
        boxes = [b.bounding_box() for b in phone.page.locator(".slot:visible, main .btn").all()]
        assert len(boxes) > 5
        assert all(b and b["height"] >= 44 and b["width"] >= 44 for b in boxes)


def _choose_kind(seen: Seen) -> None:
    _tick(seen.page.get_by_label(FOLLOW_UP))
    _press(seen, "See times")


def _choose_time(seen: Seen, number: int) -> str:
    """Chooses one of the times that are shown; returns how the page says it."""
    shown = seen.page.locator("form:has([name=from]) .slot:visible input")
    box = shown.last if number < 0 else shown.nth(number)
    words = box.locator("xpath=..").locator("label").inner_text()
    _tick(box)
    _press(seen, "Continue")
    found = re.search(r"\d+:\d\d [ap]m", words)
    assert found
    return found[0]


def _tick(box: Locator) -> None:
    # The box lies transparent over its label; a key ticks it whatever lies over both.
    box.focus()
    box.press("Space")
    assert box.is_checked()


def _press(seen: Seen, name: str, *, exact: bool = False) -> None:
    with seen.page.expect_navigation():
        seen.page.get_by_role("button", name=name, exact=exact).last.click()


def _follow(link: Locator) -> None:
    """Goes where a link leads, and waits until the page is there."""
    with link.page.expect_navigation():
        link.click()


def _find(seen: Seen, text: str) -> None:
    seen.page.locator("#q").fill(text)
    _press(seen, "Search")


def _coming(seen: Seen) -> int:
    return seen.open("/visits").page.locator("section[aria-labelledby=coming] .appt").count()


def _cancel_here(seen: Seen) -> None:
    booked = seen.page.url.split("/")[-2]
    seen.open(f"/visits/{booked}/cancel")
    _press(seen, "Cancel the appointment")
    assert seen.page.get_by_text("Your appointment is canceled").is_visible()


def _book_at_the_desk(seen: Seen, who: str, wanted: str, *, signs_in: bool = True) -> None:
    """Books the time of a value, or the first of a clinician, for a patient."""
    if signs_in:
        seen.sign_in("front-desk")
    seen.open("/schedule/book")
    _find(seen, who)
    _follow(seen.page.get_by_role("button", name="Book for").first)
    if " " not in wanted:
        seen.page.locator("#who").select_option(f"Practitioner/{wanted}")
        _press(seen, "Show times")
        _tick(seen.page.locator(".slot input").first)
    else:
        _tick(seen.page.locator(f'.slot input[value="{wanted}"]'))
    _press(seen, "Continue")
    _press(seen, "Book the visit")
    assert "/schedule/visits/" in seen.page.url


def _to_a_day_with_visits(seen: Seen) -> None:
    for _ in range(7):
        if seen.page.locator("a.ev:not(.open)").count():
            return
        _follow(seen.page.get_by_role("link", name="Next day"))
    raise AssertionError("The demo clinic has no visits in the next week.")


def _tab_to(seen: Seen, selector: str) -> None:
    for _ in range(90):
        seen.page.keyboard.press("Tab")
        if seen.page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    raise AssertionError(f"The keyboard does not reach {selector}.")


def _tab_to_button(seen: Seen, text: str) -> None:
    for _ in range(90):
        seen.page.keyboard.press("Tab")
        found = seen.page.evaluate(
            "[document.activeElement.tagName, document.activeElement.textContent.trim()]"
        )
        if found == ["BUTTON", text]:
            return
    raise AssertionError(f"The keyboard does not reach {text!r}.")
