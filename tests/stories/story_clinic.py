"""What the stories share: processes of a clinic, and a visitor who follows pages and forms."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from polyclinic.assembly.services import SERVICES
from polyclinic.demo.people import sign_ins

NAMES = tuple(service.name for service in SERVICES)
PEOPLE = {each.user: each for each in sign_ins()}
OPENED: list[httpx.Client] = []  # closed after each story
T = TypeVar("T")


@contextlib.contextmanager
def a_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="polyclinic-stories-"))
    if os.geteuid() == 0:
        folder.chmod(0o711)  # PostgreSQL's own user must be able to pass
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(found: Callable[[], T | None], seconds: float = 20, what: str = "it") -> T:
    """Waits until something is true, and says what it waited for when it never was."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := found():
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {seconds} s")


class Program:
    """`polyclinic …` in a process of its own; what it says is kept in a file."""

    def __init__(self, said: Path, *words: str, **environ: str) -> None:
        self.said = said
        self._words, self._environ = words, environ
        self.start()

    def start(self) -> None:
        kept = {n: v for n, v in os.environ.items() if not n.startswith("POLYCLINIC_")}
        with self.said.open("a") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "polyclinic", *self._words],
                stdout=out,
                stderr=out,
                env={**kept, **self._environ},
                start_new_session=True,
            )

    def again(self, **more: str) -> "Program":
        """The same command, told more."""
        return Program(self.said, *self._words, **self._environ, **more)

    def stop(self, word: int = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(word)
        try:
            self.process.wait(20)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait(10)

    def lines(self) -> list[dict[str, Any]]:
        """Its JSON log lines."""
        return [json.loads(s) for s in self.said.read_text().splitlines() if s.startswith("{")]


@dataclass(eq=False)
class Clinic:
    """A running clinic: its front door, how the operator reaches it, and its processes."""

    name: str
    url: str
    operator: tuple[str, ...]
    folder: Path
    log: Path  # of the process whose door is the front door
    programs: dict[str, Program] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    surroundings: dict[str, str] = field(default_factory=dict)
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)
    postgres: Path | None = None  # the folder of its PostgreSQL
    key: Path | None = None  # the root key
    mllp_port: int = 0  # where HL7 v2 messages come in

    def database_url(self) -> str:
        """Of its PostgreSQL, as the owner; asked anew, for a story may have restarted it."""
        assert self.postgres is not None
        home = self.postgres
        socket_folder = (home / "cluster" / "postmaster.pid").read_text().splitlines()[4]
        password = (home / "password").read_text()
        return f"postgresql://polyclinic:{password}@/postgres?host={quote(socket_folder, safe='')}"

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        word, *more = words
        return subprocess.run(
            [sys.executable, "-m", "polyclinic", word, *self.operator, *more],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def token(self, scope: str = "system/*.cruds", client: str = "story") -> str:
        """What `polyclinic token` prints; asked once for each use, as a script would keep it."""
        if (client, scope) not in self.tokens:
            given = self.command("token", "--client", client, "--scope", scope)
            assert given.returncode == 0, given.stderr
            self.tokens[client, scope] = given.stdout.splitlines()[-1]
        return self.tokens[client, scope]

    def api(self, token: str | None = None, **more: Any) -> httpx.Client:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        client = httpx.Client(
            base_url=self.url, headers=headers, timeout=60, trust_env=False, **more
        )
        OPENED.append(client)
        return client

    def is_ready(self, name: str) -> bool:
        try:
            answer = httpx.get(f"{self.url}/{name}/health/ready", timeout=5, trust_env=False)
        except httpx.TransportError:
            return False
        return answer.status_code == 200

    def await_ready(self, *names: str, seconds: float = 60) -> None:
        def ready() -> bool:
            broken = [n for n, p in self.programs.items() if p.process.poll() is not None]
            assert not broken, self.programs[broken[0]].said.read_text()[-2000:]
            return all(self.is_ready(name) for name in names)

        until(ready, seconds, f"{names} ready")

    def visitor(self, **more: Any) -> "Visitor":
        return Visitor(self.url, **more)

    def signed_in(self, user: str) -> "Visitor":
        visitor = self.visitor()
        answer = visitor.sign_in(user)
        assert answer.status_code == 200, answer.text[:500]
        return visitor


@dataclass
class Form:
    """A form of a page with the values that it brings along."""

    action: str = ""
    method: str = "get"
    values: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif tag == "input" and self.forms and "name" in given:
            self.forms[-1].values[given["name"]] = given.get("value", "")
        elif tag == "a" and "href" in given:
            self.links.append(given["href"])


def read_page(text: str) -> tuple[list[Form], list[str]]:
    read = _Forms()
    read.feed(text)
    return read.forms, read.links


class _AsOnLoopback(httpx.HTTPTransport):
    """Browsers count 127.0.0.1 as a safe place for Secure cookies; httpx does not."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        answer.headers = httpx.Headers(
            [(key, value.replace(b"; Secure", b"")) for key, value in answer.headers.raw]
        )
        return answer


class Visitor:
    """A browser without a screen: keeps cookies as one does, follows redirects, sends forms."""

    def __init__(self, url: str, **more: Any) -> None:
        self.http = httpx.Client(
            base_url=url,
            transport=_AsOnLoopback(),
            follow_redirects=True,
            timeout=30,
            trust_env=False,
            **more,
        )
        OPENED.append(self.http)
        self.http.headers["accept"] = "text/html,application/xhtml+xml"
        self.page: httpx.Response | None = None

    def get(self, path: str) -> httpx.Response:
        self.page = self.http.get(path)
        return self.page

    def send(self, action: str, **typed: str) -> httpx.Response:
        """Fills in the form of the current page that goes to an address."""
        assert self.page is not None
        forms, _ = read_page(self.page.text)
        posted = (form for form in forms if form.method == "post")
        form = next((form for form in posted if form.action == action), None)
        assert form is not None, f"no form for {action} among {[f.action for f in forms]}"
        url = self.page.url.join(form.action)
        headers = {"origin": f"{url.scheme}://{url.netloc.decode()}"}
        headers["sec-fetch-site"] = "same-origin"
        self.page = self.http.post(url, data={**form.values, **typed}, headers=headers)
        return self.page

    def sign_in(self, user: str, password: str | None = None) -> httpx.Response:
        self.get("/")
        typed = PEOPLE[user].password if password is None else password
        return self.send("/identity/sign-in", user=user, password=typed)

    def links(self, beginning: str) -> list[str]:
        assert self.page is not None
        found = [link for link in read_page(self.page.text)[1] if link.startswith(beginning)]
        return list(dict.fromkeys(found))
