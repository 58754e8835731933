"""Risks in a real browser: a chart's panel, its release to the patient, and the worklist."""

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from browser_door import Demo, Seen, open_page
from playwright.sync_api import Browser

from polyclinic.demo import people

CHART = f"/patients/{people.MARIA_KELLER.partition('/')[2]}"
PREVENT = "Risk of cardiovascular disease (AHA PREVENT)"
# Her days in hospital lie three weeks back: what is first to be done about her.
LACE = "Return to hospital or death within 30 days (LACE)"
PRESSURE = "systolic-of-maria"


def pressure(number: int) -> dict[str, object]:
    """The last two of a year count, as their mean: high enough to be the first of the reasons."""
    when = datetime.now(UTC) - timedelta(days=number)
    return {
        "resourceType": "Observation",
        "id": f"{PRESSURE}-{number}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]},
        "subject": {"reference": people.MARIA_KELLER},
        "effectiveDateTime": f"{when:%Y-%m-%dT%H:%M:%SZ}",
        "valueQuantity": {
            "value": 168, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]",
        },
    }  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def measured(platform: Demo) -> None:
    """Maria's blood pressure, by which her risk can be told; told once it is kept."""
    command = [sys.executable, "-m", "polyclinic", "token", "--data", str(platform.data)]
    said = subprocess.run(
        [*command, "--client", "insights-test", "--scope", "system/*.cruds"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    headers = {"authorization": f"Bearer {said.stdout.split()[-1]}"}
    with httpx.Client(base_url=platform.url, headers=headers, trust_env=False) as client:
        for number in (1, 2):
            path = f"/fhir/Observation/{PRESSURE}-{number}"
            client.put(path, json=pressure(number)).raise_for_status()
        end = time.monotonic() + 60
        while not _is_kept(client):
            assert time.monotonic() < end, "the score was never kept"
            time.sleep(0.3)


def _is_kept(client: httpx.Client) -> bool:
    answer = client.post("/insights/chart", json={"patient": people.MARIA_KELLER})
    scores = answer.raise_for_status().json()["scores"]
    return any(each["method"] == "prevent" and each["assessment"] for each in scores)


@pytest.fixture(params=["desk", "phone"])
def either(
    browser: Browser, platform: Demo, axe_script: str, request: pytest.FixtureRequest
) -> Iterator[Seen]:
    with open_page(browser, platform, request.param, "light", axe_script) as page:
        page.in_dark_too = True
        yield page


def test_risk_pages_are_clean_in_both_sizes_and_schemes(either: Seen):
    either.sign_in("clinician").open(f"{CHART}/risks").check()
    for each in either.page.locator("summary:visible").all():
        each.click()
    either.check()
    either.open("/worklist").check()
    for each in either.page.locator("summary:visible", has_text="Dismiss").all():
        each.click()
    either.check()


def test_the_models_page_is_clean_and_has_what_is_shipped_as_a_draft(either: Seen):
    either.sign_in("administrator").open("/models").check()
    assert either.page.get_by_role("row", name="incident-diabetes-5y").get_by_text("Draft").count()
    assert either.page.get_by_text("Diabetes within five years").count()
    either.page.get_by_text("Have one learned").click()
    either.check()
    with either.page.expect_navigation():
        either.page.get_by_role("link", name="incident-diabetes-5y").first.click()
    for each in either.page.locator("summary:visible", has_text="Propose").all():
        each.click()
    either.check()


def test_a_score_leads_to_the_exact_measurement_behind_it(desk: Seen):
    desk.sign_in("clinician").open(CHART)
    part = desk.page.locator("#risks", has_text=PREVENT)
    part.wait_for()
    with desk.page.expect_navigation():
        part.get_by_role("link", name="All risks").click()
    score = desk.page.locator("section.risk", has=desk.page.get_by_role("heading", name=PREVENT))
    assert "of 100 people like this one within 10 years" in score.inner_text()
    with desk.page.expect_navigation():
        score.locator(".why").get_by_role("link", name="Systolic blood pressure").click()
    assert f"/risks/Observation/{PRESSURE}-" in desk.page.url
    assert desk.page.get_by_text("168 mmHg").is_visible()
    desk.check()


def test_a_patient_reads_a_score_only_while_it_is_released(
    browser: Browser, platform: Demo, axe_script: str
):
    with open_page(browser, platform, "phone", "light", axe_script) as maria:
        maria.sign_in("patient").open("/home")
        heading = maria.page.get_by_role("heading", name="Your risks, in plain words")
        assert heading.count() == 0
        with open_page(browser, platform, "desk", "light", axe_script) as ana:
            ana.sign_in("clinician").open(f"{CHART}/risks")
            _press(ana, "Show to the patient")
            ana.check()
            maria.open("/home").check()
            assert heading.is_visible()
            assert "Of 100 people like you, about" in maria.page.locator("main").inner_text()
            _press(ana, "Take back")
        maria.open("/home")
        assert heading.count() == 0


def test_the_worklist_is_worked_off_and_names_nobody_in_addresses(desk: Seen):
    desk.sign_in("clinician").open("/worklist")
    rows = desk.page.locator("li.wl", has_text="KELLER")
    assert LACE in rows.inner_text()
    _press(desk, "Accept", LACE)
    desk.check()
    assert desk.page.url.endswith("/worklist?done=accepted")
    assert "Yours" in rows.inner_text()
    rows.locator("summary", has_text="Done").first.click()
    _press(desk, "Done", LACE)
    assert desk.page.get_by_role("alert").inner_text().endswith("Say what came of it.")
    desk.check()
    rows.get_by_label("What came of it?").first.select_option("treated")
    _press(desk, "Done", LACE)
    assert desk.page.url.endswith("/worklist?done=done")
    assert LACE not in desk.page.locator("main").inner_text()


def _press(seen: Seen, deed: str, risk: str = PREVENT) -> None:
    """What is done about Maria's risk by that button."""
    with seen.page.expect_navigation():
        seen.page.locator("button:visible", has_text=deed).filter(has_text=risk).click()
