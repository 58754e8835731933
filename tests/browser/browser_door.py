"""What a browser test does again and again: open a page, sign in, look for faults."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Page, Route

from polyclinic.demo.people import SignIn, sign_ins

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
VIEWPORTS = {"desk": (1280, 900), "phone": (390, 844), "reflow": (320, 640)}
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Axe looks at what is drawn at this moment; the rule that needs a whole page is kept. Only what is
# wrong comes out of the browser: to bring all that is right takes longer than to look.
RUN = """options => axe.run(document, {runOnly: options, resultTypes: ["violations"]})
  .then(found => found.violations.map(each => [each.id, String(each.nodes[0].target)]))"""
ALL = {"type": "tag", "values": TAGS}
# What a color scheme can change.
COLORS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
# Colors fade; half-way they have a contrast of neither look. Waiting for the end is no way: a
# browser that draws nothing meanwhile lets them stand. What turns without end has none to go to.
FADED = """() => document.getAnimations()
  .filter(each => each.effect.getComputedTiming().endTime !== Infinity)
  .forEach(each => each.finish())"""
EXPECTED = tuple(f"status of {status}" for status in (401, 403, 404, 409, 422, 503))


@dataclass(frozen=True)
class Demo:
    """The running demo clinic."""

    url: str
    data: Path
    # Where its pages may lead besides itself: the card company's own page.
    beside: tuple[str, ...] = ()

    def person(self, role: str) -> SignIn:
        return next(each for each in sign_ins() if each.role == role)


@dataclass
class Seen:
    """A browser's page and what went wrong in it."""

    page: Page
    demo: Demo
    axe: str
    in_dark_too: bool = False
    problems: list[str] = field(default_factory=list)

    def sign_in(self, role: str) -> "Seen":
        person = self.demo.person(role)
        self.page.goto(f"{self.demo.url}/")
        self.page.get_by_label("User name").fill(person.user)
        self.page.locator("input[type=password]").fill(person.password)
        self.page.locator("form button[type=submit], form button:not([type])").last.click()
        self.page.wait_for_url(lambda url: "/identity/" not in url)
        return self

    def open(self, path: str) -> "Seen":
        self.page.goto(self.demo.url + path, wait_until="load")
        return self

    def violations(self, *, colors_only: bool = False) -> list[tuple[str, str]]:
        # Half a page, or one without its styles yet, has faults of its own.
        self.page.wait_for_load_state("load")
        self.page.evaluate(FADED)
        # `evaluate` works under our content security policy; a script tag would not.
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(self.axe)
        found = self.page.evaluate(RUN, COLORS if colors_only else ALL)
        return [(rule, target) for rule, target in found]

    def check(self, *, colors_only: bool = False) -> None:
        """No axe violation, no sideways scrolling, no console error, nothing from elsewhere.

        `colors_only` is for a page that was looked at before, in its other color scheme. A page
        that is looked at `in_dark_too` is asked both ways where it stands.
        """
        found = self.violations(colors_only=colors_only)
        if self.in_dark_too:
            self.page.emulate_media(color_scheme="dark")
            found += self.violations(colors_only=True)
            self.page.emulate_media(color_scheme="light")
        assert found == [], (self.page.url, found)
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
            self.page.url
        )
        assert self.problems == [], self.problems


@contextmanager
def open_page(
    browser: Browser, demo: Demo, size: str, scheme: str, axe: str, **more: object
) -> Iterator[Seen]:
    width, height = VIEWPORTS[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        locale="en-US",
        timezone_id="America/New_York",
        reduced_motion="reduce",
        service_workers="block",
        color_scheme=scheme,
        **more,
    )
    context.set_default_timeout(30_000)
    seen = Seen(context.new_page(), demo, axe)

    def message(said: ConsoleMessage) -> None:
        # A refused page is a console error of the browser's own; tests ask for some of them.
        if said.type == "error" and not any(e in said.text for e in EXPECTED):
            seen.problems.append(said.text)

    def elsewhere(route: Route) -> None:
        seen.problems.append(f"external {route.request.url}")
        route.abort()

    seen.page.on("console", message)
    seen.page.on("pageerror", lambda error: seen.problems.append(str(error)))
    known = (demo.url, "data:", *demo.beside)
    context.route(lambda url: not url.startswith(known), elsewhere)
    yield seen
    context.close()
