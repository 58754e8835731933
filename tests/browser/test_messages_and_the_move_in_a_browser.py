"""Staff see to messages and lead the move in a real browser, the shortest way, also by keyboard."""

from collections.abc import Iterator

import pytest
from browser_door import VIEWPORTS, Demo, Seen, open_page
from moving_clinic import Hospital
from playwright.sync_api import Browser, Locator, expect

MOVE = ("", "/plan", "/routes", "/routes/allergies", "/routes/problems", "/differences",
        "/differences?capability=meds", "/data", "/decisions")  # fmt: skip
# The plan has a hundred forms of one kind; a few of each page stand for all.
OPEN_SOME = "[...document.querySelectorAll('main details')].slice(0, 4).forEach(d => d.open = true)"


@pytest.fixture(scope="module")
def hospital(moving_platform: Demo) -> Iterator[Hospital]:
    with Hospital(moving_platform) as opened:
        yield opened


@pytest.fixture(scope="module")
def told(hospital: Hospital) -> dict[str, str]:
    """What messages came, by what became of them."""
    return hospital.day()


@pytest.fixture
def staff(
    browser: Browser, moving_platform: Demo, axe_script: str, told: dict[str, str]
) -> Iterator[Seen]:
    with open_page(browser, moving_platform, "desk", "light", axe_script) as page:
        yield page


def pages_of(role: str, told: dict[str, str]) -> list[str]:
    lists = {
        "leader": [f"/move{path}" for path in MOVE],
        "administrator": ["/messages", "/messages?state=done", "/messages?kind=none",
                          "/messages/waiting", "/messages/channels",
                          f"/messages/{told['stopped']}", f"/messages/{told['admitted']}"],
        "clinician": ["/messages", f"/messages/{told['no code']}", f"/messages/{told['result']}",
                      f"/messages/{told['no code']}?mend=FT1-7"],
        "front-desk": ["/messages/waiting", f"/messages/waiting/{told['alike']}",
                       f"/messages/waiting/{told['unknown']}",
                       f"/messages/stopped/{told['stopped']}",
                       f"/messages/stopped/{told['stopped']}?mend=PV1-19"],
    }  # fmt: skip
    return lists[role]


@pytest.mark.parametrize("role", ["administrator", "leader", "clinician", "front-desk"])
def test_every_page_is_clean_on_desk_and_phone_in_light_and_dark(
    staff: Seen, told: dict[str, str], role: str
):
    staff.sign_in("administrator" if role == "leader" else role)
    for path in pages_of(role, told):
        staff.open(path)
        staff.page.evaluate(OPEN_SOME)
        for size in ("desk", "phone"):
            width, height = VIEWPORTS[size]
            staff.page.set_viewport_size({"width": width, "height": height})
            for scheme in ("light", "dark"):
                staff.page.emulate_media(color_scheme=scheme)
                staff.check(colors_only=scheme == "dark")


def test_nothing_is_cut_off_on_a_phone(staff: Seen, told: dict[str, str]):
    # Panels clip what is too wide for them: the page does not scroll, and a button is gone.
    outside = """[...document.querySelectorAll('main :is(a, button, input, select, h1, h2, b)')]
        .filter(each => each.checkVisibility() && !each.closest('.compare, .x12, .vh, .bar'))
        .filter(each => { const r = each.getBoundingClientRect();
            return r.width > 2 && (r.right > innerWidth + 1 || r.left < -1); })
        .map(each => each.outerHTML.slice(0, 90))"""
    width, height = VIEWPORTS["phone"]
    staff.page.set_viewport_size({"width": width, "height": height})
    staff.sign_in("administrator")
    for path in (
        *pages_of("administrator", told),
        *pages_of("leader", told),
        "/move/plan",
        "/move/data",
    ):
        staff.open(path).page.evaluate(OPEN_SOME)
        assert staff.page.evaluate(outside) == [], path


def test_a_clinician_finds_what_stopped_mends_it_and_sees_what_it_did(
    staff: Seen, told: dict[str, str]
):
    page = staff.sign_in("clinician").page
    staff.open("/messages?state=waiting")
    page.get_by_role("link", name="Charges").first.click()
    expect(page.get_by_role("region", name="What is wrong")).to_contain_text("Billing")
    expect(page.locator(".life [aria-current=step]")).to_contain_text("Taken over")
    page.get_by_role("link", name="Mend FT1-7", exact=True).click()
    assert page.locator("#field1").input_value() == "FT1-7.1"
    assert page.locator("#text1").input_value() == "NOPE"
    page.locator("#text1").fill("Z1002")
    page.get_by_role("button", name="Put the mended copy in its place").click()
    expect(page.get_by_role("alert")).to_contain_text("Say why")
    assert page.locator("#text1").input_value() == "Z1002"
    page.locator("#fix-reason").fill("a code of another house")
    page.get_by_role("button", name="Put the mended copy in its place").click()
    _until(page.get_by_text("Done", exact=True))
    effects = page.locator("section[aria-labelledby=eff]")
    expect(effects).to_contain_text("Charge")
    assert "Mended by a copy" in page.locator(".hist").inner_text()
    staff.open(f"/messages/{told['no code']}")
    page.get_by_role("link", name="Its mended copy").click()
    staff.check()


def test_an_administrator_tries_a_message_again_by_keyboard_alone(staff: Seen, hospital: Hospital):
    page = staff.sign_in("administrator").page
    staff.open("/messages")
    _enter(page.get_by_role("link", name="Waits for a person").first)
    _enter(page.get_by_role("link", name="Appointment").first)
    hospital.know("D9")
    _tab_to(page.locator("#replay-reason"))
    page.keyboard.type("the directory knows the doctor")
    _enter(page.get_by_role("button", name="Try it again"))
    _until(page.locator(".sec-h .chip", has_not_text="Waits for a person"))
    expect(page.locator(".hist")).to_contain_text("the directory knows the doctor")


def test_the_desk_says_by_keyboard_alone_that_somebody_is_new(staff: Seen):
    page = staff.sign_in("front-desk").page
    staff.open("/messages/waiting")
    _enter(page.get_by_role("link", name="Compare").first)
    _tab_to(page.locator("input[type=radio]").first)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.get_by_label("A new person").is_checked()
    _enter(page.get_by_role("button", name="Save this answer"))
    expect(page.get_by_role("status").first).to_contain_text("somebody new")


def test_a_silent_channel_is_seen_and_a_channel_closed_and_opened(staff: Seen):
    page = staff.sign_in("administrator").page
    staff.open("/messages/channels")
    channel = page.locator("section.panel", has_text="night-laboratory")
    channel.get_by_role("button", name="Close this channel").click()
    expect(page.get_by_role("status").first).to_contain_text("The channel is closed")
    staff.check()
    channel.get_by_role("button", name="Open this channel").click()
    expect(page.get_by_role("status").first).to_contain_text("The channel is open")


def test_an_administrator_reads_the_plan_and_judges_a_difference(staff: Seen):
    page = staff.sign_in("administrator").page
    staff.open("/move")
    page.get_by_role("link", name="Plan").click()
    step = page.locator("details.gates", has_text="Allergies").first
    step.locator("summary").first.click()
    assert step.get_by_text("In shadow no S1 or S2 difference is open").first.is_visible()
    staff.open("/move")
    page.get_by_role("link", name="Judge").first.click()
    worst = page.locator(".diff.s1").first
    worst.get_by_role("button", name="Keep the verdict").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose what this difference is")
    staff.check()
    worst.get_by_label("What it is").select_option(label="Noise")
    worst.get_by_role("button", name="Keep the verdict").click()
    expect(page.get_by_role("alert")).to_contain_text("until when")
    assert worst.get_by_label("What it is").input_value() == "noise"
    worst.get_by_label("What it is").select_option(label="A fault of the new side")
    worst.get_by_role("button", name="Keep the verdict").click()
    expect(worst.locator(".chip").last).to_contain_text("A fault of the new side")


def test_a_capability_steps_up_and_is_killed_by_keyboard_alone(staff: Seen):
    page = staff.sign_in("administrator").page
    staff.open("/move")
    _enter(page.get_by_role("link", name="Allergies").first)
    expect(page.locator(".sec-h .chip").first).to_contain_text("Canary 50%")
    expect(page.locator("section[aria-labelledby=w]")).to_contain_text("The plan asks for more")
    _tab_to(page.locator("details.override > summary"))
    page.keyboard.press("Enter")
    _enter(page.get_by_role("button", name="Go to 100% with open gates"))
    expect(page.get_by_role("alert")).to_contain_text("Say why")
    staff.check()
    _tab_to(page.locator("#override"))
    page.keyboard.type("Nothing differed at half.")
    _enter(page.get_by_role("button", name="Go to 100% with open gates"))
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        staff.check(colors_only=scheme == "dark")
    _enter(page.get_by_role("button", name="now"))
    expect(page.locator(".sec-h .chip").first).to_contain_text("Canary 100%")
    _tab_to(page.locator("#reason"))
    page.keyboard.type("An exercise.")
    _enter(page.get_by_role("button", name="Kill switch"))
    staff.check()
    _enter(page.get_by_role("button", name="Kill switch, now"))
    expect(page.locator(".sec-h")).to_contain_text("Held")
    expect(page.locator(".life [aria-current=step]")).to_contain_text("Off")
    staff.open("/move/decisions")
    assert page.locator("tbody tr").first.inner_text().count("An exercise.") == 1
    overridden = page.locator("tbody tr", has_text="Went on with open gates").first
    expect(overridden).to_contain_text("Nothing differed at half.")
    staff.check()


def test_the_desk_says_by_keyboard_alone_whose_a_message_is_that_stopped(staff: Seen):
    page = staff.sign_in("front-desk").page
    staff.open("/messages/waiting")
    _enter(page.get_by_role("link", name="See to it").first)
    expect(page.locator("section[aria-labelledby=read]")).to_contain_text("Oakes^Rowan")
    _tab_to(page.locator("summary", has_text="Say whose it is"))
    page.keyboard.press("Enter")
    _tab_to(page.locator("main #q"))
    page.keyboard.type("Keller")
    _enter(page.get_by_role("button", name="Find", exact=True))
    staff.check()
    _tab_to(page.locator("input[type=radio]").first)
    page.keyboard.press("Space")
    _enter(page.get_by_role("button", name="It is theirs"))
    expect(page.get_by_role("status").first).to_contain_text("can open the message now")
    assert page.get_by_role("link", name="See to it").count() == 0


def _tab_to(wanted: Locator) -> None:
    """Goes there as somebody without a mouse does."""
    page = wanted.page
    for _ in range(120):
        if wanted.evaluate("each => each === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{wanted} cannot be reached with the Tab key")


def _enter(wanted: Locator) -> None:
    _tab_to(wanted)
    with wanted.page.expect_navigation(wait_until="load"):
        wanted.page.keyboard.press("Enter")


def _until(wanted: Locator) -> None:
    """Messages are worked on beside the page: looks again until it is so."""
    for _ in range(60):
        if wanted.count():
            return
        wanted.page.wait_for_timeout(250)
        wanted.page.reload(wait_until="load")
    raise AssertionError(f"{wanted} did not come")
