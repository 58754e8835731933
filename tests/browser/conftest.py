"""A real browser before the real platform: `polyclinic up` once a run, Debian's Chromium, axe."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from browser_door import ARGUMENTS, VIEWPORTS, Demo, Seen, open_page
from moving_clinic import leaving
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
START_SECONDS = 180


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For one module: Playwright's waiting loop and pytest-asyncio's do not share a thread."""
    if not CHROMIUM.exists():
        pytest.fail(
            f"There is no browser at {CHROMIUM}. Install one (`apt-get install chromium`) or name "
            "it: CHROMIUM=/path/to/chromium.",
            pytrace=False,
        )
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=str(CHROMIUM), headless=True, args=list(ARGUMENTS)
        )
        yield found
        found.close()


@pytest.fixture(scope="session")
def axe_script() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text()


@pytest.fixture(scope="package")
def platform() -> Iterator[Demo]:
    """The demo clinic, started as a newcomer would; stopped and removed afterwards."""
    with demo_clinic() as started:
        yield started


@pytest.fixture(scope="module")
def paying_platform() -> Iterator[Demo]:
    """A demo clinic of one module's own that knows its public address, so bills carry links."""
    with demo_clinic(is_public=True) as started:
        yield started


@pytest.fixture(scope="module")
def moving_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo clinic that leaves an old system: one capability moved in part, others compared."""
    with leaving(tmp_path_factory.mktemp("harbor"), demo_clinic) as started:
        yield started


@contextlib.contextmanager
def demo_clinic(
    *, is_public: bool = False, surroundings: Mapping[str, str] | None = None
) -> Iterator[Demo]:
    folder = Path(tempfile.mkdtemp(prefix="polyclinic-browser-"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    output = (folder / "output.txt").open("w+")
    command = [sys.executable, "-m", "polyclinic", "up", "--data", str(folder / "data")]
    url = f"http://127.0.0.1:{port}"
    started = subprocess.Popen(
        [*command, "--port", str(port), "--seed", "demo"],
        stdout=output,
        stderr=output,
        env={
            **os.environ,
            **({"POLYCLINIC_PUBLIC_URL": url} if is_public else {}),
            **(surroundings or {}),
        },
    )
    try:
        _wait(started, url, folder / "output.txt")
        yield Demo(url, folder / "data", ("http://127.0.0.1:",) if is_public else ())
    finally:
        started.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            started.wait(30)
        if started.poll() is None:
            started.kill()
        output.close()
        shutil.rmtree(folder, ignore_errors=True)


def _wait(started: "subprocess.Popen[bytes]", url: str, output: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if started.poll() is not None:
            pytest.fail(f"The platform did not start:\n{output.read_text()}", pytrace=False)
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/health/ready", trust_env=False).status_code == 200:
                return
        time.sleep(0.2)
    pytest.fail(f"The platform was not ready in {START_SECONDS} s:\n{output.read_text()}")


@pytest.fixture(params=list(VIEWPORTS))
def size(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def seen(browser: Browser, platform: Demo, size: str, axe_script: str) -> Iterator[Seen]:
    """A page of its own in one size, looked at in both colour schemes."""
    with open_page(browser, platform, size, "light", axe_script) as page:
        page.in_dark_too = True
        yield page


@pytest.fixture
def desk(browser: Browser, platform: Demo, axe_script: str) -> Iterator[Seen]:
    """A page of desk size in light colours."""
    with open_page(browser, platform, "desk", "light", axe_script) as page:
        yield page
