"""Who saw my record, in a real browser: a clinician looks, and the patient reads it in words."""

import time

from browser_door import Demo, Seen, open_page
from playwright.sync_api import Browser


def _maria_is_looked_at(browser: Browser, platform: Demo, axe_script: str) -> None:
    with open_page(browser, platform, "desk", "light", axe_script) as seen:
        person = platform.person("patient").person
        assert person is not None
        seen.sign_in("clinician").open(f"/patients/{person.partition('/')[2]}")
        assert seen.page.get_by_role("heading", level=1).first.is_visible()


def _awaited(seen: Seen, words: str) -> None:
    """What was done is gathered within a second or two."""
    until = time.monotonic() + 30
    while not seen.open("/who-saw").page.get_by_text(words).count():
        assert time.monotonic() < until, seen.page.content()
        time.sleep(0.5)


def test_a_patient_reads_who_saw_their_record(
    browser: Browser, platform: Demo, axe_script: str, size: str
):
    _maria_is_looked_at(browser, platform, axe_script)
    with open_page(browser, platform, size, "light", axe_script) as seen:
        seen.in_dark_too = True
        seen.sign_in("patient")
        link = seen.page.get_by_role("link", name="Who saw your record")
        assert link.count() == 1
        _awaited(seen, "test results and measurements")
        assert seen.page.get_by_role("heading", name="Who saw your record").is_visible()
        assert seen.page.get_by_text("Care team").first.is_visible()
        assert "Maria" not in seen.page.locator("main").inner_text(), "what she did is left out"
        seen.check()
