"""Pages for people who see them otherwise: in forced colours, from right to left, on paper."""

import re
from collections.abc import Iterator

import pytest
from browser_door import Demo, Seen, open_page
from playwright.sync_api import Browser

PAGES = {
    "patient": ("/home", "/visits", "/visits/book", "/results", "/medicines", "/bills"),
    "front-desk": ("/schedule?date={day}", "/schedule/book"),
    "clinician": ("/my-day?date={day}", "/patients"),
}
ROLES = pytest.mark.parametrize("role", list(PAGES))
# What is wider than it may be, but for what is hidden on purpose.
SPILT = """() => [...document.querySelectorAll("main *")].filter((each) =>
  each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 0
  && !each.closest(".vh, svg, thead") && getComputedStyle(each).overflowX === "visible"
  && getComputedStyle(each).display !== "inline"
).map((each) => `${each.tagName}.${each.className}`)"""
# A heading begins at the edge at which one begins to read: the room to its left and right.
GAPS = """() => {
  const words = document.createRange();
  words.selectNodeContents(document.querySelector("main h1"));
  const [heading, page] = [words, document.querySelector("main")]
    .map((each) => each.getBoundingClientRect());
  return [heading.left - page.left, page.right - heading.right];
}"""
COLOURS = """(selector) => {
  const shown = [...document.querySelectorAll(selector)].filter((each) => each.offsetParent);
  return shown.map((each) => getComputedStyle(each).color);
}"""


@pytest.fixture(params=["desk", "phone"])
def either(
    browser: Browser, platform: Demo, axe_script: str, request: pytest.FixtureRequest
) -> Iterator[Seen]:
    with open_page(browser, platform, request.param, "light", axe_script) as page:
        yield page


@ROLES
def test_in_forced_colours_or_from_right_to_left_nothing_is_lost(either: Seen, role: str):
    either.sign_in(role)
    for path in _paths(either, role):
        either.page.emulate_media(forced_colors="active")
        either.open(path).check()
        either.page.emulate_media(forced_colors="none")
        either.page.evaluate("document.documentElement.dir = 'rtl'")
        either.check()
        assert either.page.evaluate(SPILT) == [], path
        left, right = either.page.evaluate(GAPS)
        assert right < left, path


def test_in_forced_colours_a_range_still_shows_its_dot(desk: Seen):
    desk.sign_in("patient")
    desk.page.emulate_media(forced_colors="active")
    desk.open("/results")
    dots = "[...document.querySelectorAll('.rng .pt')].map((dot) => getComputedStyle(dot).fill)"
    ink = desk.page.evaluate("getComputedStyle(document.body).color")
    assert set(desk.page.evaluate(dots)) == {ink}


@pytest.mark.parametrize(("role", "path"), [("patient", "/visits"), ("patient", "/results")])
def test_a_page_is_printed_dark_on_white_without_buttons_even_from_a_dark_screen(
    browser: Browser, platform: Demo, axe_script: str, role: str, path: str
):
    with open_page(browser, platform, "desk", "dark", axe_script) as page:
        page.sign_in(role).open(path)
        page.page.emulate_media(media="print", color_scheme="dark")
        assert page.page.locator(".btn:visible, nav:visible, .menu:visible").count() == 0
        for colour in page.page.evaluate(COLOURS, "main h1, main h2, main h3, main p, main .muted"):
            channels = [int(each) for each in re.findall(r"\d+", colour)[:3]]
            assert max(channels) < 128, colour
        assert page.page.locator("h1").is_visible()


def _paths(seen: Seen, role: str) -> list[str]:
    """The pages of a role; the day's on the next day that has visits."""
    day = ""
    if role != "patient":
        seen.open("/schedule")
        for _ in range(7):
            if seen.page.locator("a.ev:not(.open)").count():
                break
            with seen.page.expect_navigation():
                seen.page.get_by_role("link", name="Next day").click()
        on = re.search(r"date=([0-9-]+)", seen.page.url)
        day = on[1] if on else ""
    return [path.format(day=day) for path in PAGES[role]]
