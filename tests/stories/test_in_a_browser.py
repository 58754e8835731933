"""The story once more in a real browser: sign in, read results, leave, press the back button."""

import os
from pathlib import Path

import pytest
from playwright.async_api import async_playwright
from story_clinic import PEOPLE, Clinic

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


async def test_a_patient_reads_results_in_a_browser_and_leaves_nothing_behind(topology: Clinic):
    if not Path(CHROMIUM).exists():
        pytest.fail(f"There is no browser at {CHROMIUM}: apt-get install chromium.", pytrace=False)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            page = await browser.new_page()
            page.set_default_timeout(30_000)
            await _sign_in(page, topology)
            await page.get_by_role("link", name="Results").first.click()
            await page.wait_for_url("**/results")
            assert await page.locator("h1").count() == 1
            seen = page.url
            await page.goto(f"{topology.url}/home")
            await page.locator("details.menu summary").click()
            await page.locator(".menu").get_by_role("button", name="Sign out").click()
            await page.wait_for_url("**/signed-out")
            await page.go_back(wait_until="load")
            assert "Maria Keller" not in await page.content()
            await page.goto(seen)
            assert "/identity/authorize" in page.url
            left = [c["name"] for c in await page.context.cookies()]
            # The session's, under either name; a new sign-in has just begun with one of its own.
            assert not {"polyclinic", "__Host-polyclinic"} & set(left)
        finally:
            await browser.close()


async def _sign_in(page, topology: Clinic) -> None:
    maria = PEOPLE["maria"]
    await page.goto(topology.url)
    await page.get_by_label("User name").fill(maria.user)
    await page.get_by_label("Password", exact=True).fill(maria.password)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/home")
    assert "Maria Keller" in await page.content()
