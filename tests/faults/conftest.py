"""A real `polyclinic up` in a process of its own, on a free port and a folder of its own."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

# Tests are imported one by one, not as a package; what they share lies beside them.
sys.path.insert(0, str(Path(__file__).parent))


class Up:
    """`polyclinic up` as a person starts it; by default with identity alone, which starts fast."""

    def __init__(self, data: Path, *more: str, port: int | None = None) -> None:
        self.data = data
        self.port = port or _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        words = ["up", "--data", str(data), "--port", str(self.port)]
        words += more or ("--seed", "none", "--services", "identity")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "polyclinic", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    def ready(self, seconds: float = 60) -> "Up":
        until = time.monotonic() + seconds
        while not any("Ctrl-C stops everything" in line for line in self.lines):
            if self.process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"not ready: {self.lines} {self.end()}")
            time.sleep(0.02)
        return self

    def end(self, word: int | None = None, seconds: float = 30) -> tuple[int, str]:
        """Sends a signal, if any, and waits: the exit code and all that was said to stderr."""
        if word is not None:
            self.process.send_signal(word)
        try:
            code = self.process.wait(seconds)
        finally:
            if self.process.poll() is None:
                self.process.kill()
        self._reader.join()
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        said = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        return code, said


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _processes_of(data: Path) -> list[psutil.Process]:
    """Whatever works for a data folder: the platform, its PostgreSQL, its watcher."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            if str(data) in " ".join([*process.cmdline(), process.cwd()]):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def _postmaster_of(data: Path) -> psutil.Process:
    (found,) = (p for p in _processes_of(data) if p.name() == "postgres" and "-D" in p.cmdline())
    return found


@pytest.fixture
def free_port() -> Callable[[], int]:
    return _free_port


@pytest.fixture
def processes_of() -> Callable[[Path], list[psutil.Process]]:
    return _processes_of


@pytest.fixture
def postmaster_of() -> Callable[[Path], psutil.Process]:
    return _postmaster_of


@pytest.fixture
def data() -> Iterator[Path]:
    base = Path(tempfile.mkdtemp(prefix="polyclinic-faults-"))
    if os.geteuid() == 0:
        base.chmod(0o711)  # PostgreSQL's own user must be able to pass
    folder = base / "data"
    yield folder
    for process in _processes_of(base):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def start(data: Path) -> Iterator[type[Up]]:
    """Starts `up`; whatever still runs at the end of the test is killed."""
    started: list[Up] = []

    class Tracked(Up):
        def __init__(self, *more: str, port: int | None = None, data: Path = data) -> None:
            super().__init__(data, *more, port=port)
            started.append(self)

    yield Tracked
    for each in started:
        if each.process.poll() is None:
            each.end(signal.SIGKILL)
        elif not each.process.stdout.closed:
            each.end()
