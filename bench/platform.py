"""A platform of our own for the run: a process started as a person does, in a temporary folder."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

SCOPE = "system/*.cruds"
START_SECONDS = 120
# A claim is sent only by a clinic that says who it is.
CLINIC = {
    "POLYCLINIC_BILLING_CLINIC_ADDRESS": "5 Main Street; Springfield; MA; 011031234",
    "POLYCLINIC_BILLING_CLINIC_TELEPHONE": "4135550100",
}


@dataclass
class Platform:
    """`polyclinic up`, with its data folder and its PostgreSQL."""

    data: Path
    port: int
    process: psutil.Popen | None = None
    environment: dict[str, str] = field(default_factory=dict[str, str])  # beside CLINIC
    starts: list[float] = field(default_factory=list[float])  # seconds to the first page

    @property
    def cluster(self) -> Path:
        note = self.data / "postgres" / "place"
        base = Path(note.read_text()) if note.exists() else self.data / "postgres"
        return base / "cluster"

    @property
    def postmaster(self) -> psutil.Process:
        return psutil.Process(int((self.cluster / "postmaster.pid").read_text().splitlines()[0]))

    @property
    def postgres_environment(self) -> dict[str, str]:
        """How libpq finds this PostgreSQL as its owner."""
        sockets = (self.cluster / "postmaster.pid").read_text().splitlines()[4]
        password = (self.data / "postgres" / "password").read_text()
        words = {"PGHOST": sockets, "PGUSER": "polyclinic", "PGPASSWORD": password}
        return {**words, "PGDATABASE": "postgres", "PATH": "/usr/bin:/bin", "LC_ALL": "C"}

    def start(self) -> None:
        """Starts it and waits for its first page; notes how long that took."""
        words = ["up", "--data", str(self.data), "--port", str(self.port), "--seed", "none"]
        began = time.monotonic()
        log = (self.data.parent / "up.log").open("ab")
        with log:
            self.process = psutil.Popen(
                [sys.executable, "-m", "polyclinic", *words],
                stdout=log,
                stderr=log,
                env={**os.environ, **CLINIC, **self.environment},
                start_new_session=True,
            )
        while not self._shows_a_page():
            if self.process.poll() is not None or time.monotonic() - began > START_SECONDS:
                said = (self.data.parent / "up.log").read_text()[-2000:]
                raise RuntimeError(f"polyclinic up did not come up:\n{said}")
            time.sleep(0.02)
        self.starts.append(time.monotonic() - began)

    def stop(self) -> None:
        process, self.process = self.process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except psutil.TimeoutExpired:
            process.kill()

    def token(self) -> str:
        words = ["token", "--data", str(self.data), "--client", "bench", "--scope", SCOPE]
        said = subprocess.run(
            [sys.executable, "-m", "polyclinic", *words], capture_output=True, text=True, check=True
        )
        return said.stdout.splitlines()[-1]

    def _shows_a_page(self) -> bool:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=10) as page,
        ):
            return page.status == 200 and b"</html>" in page.read()
        return False


@contextlib.contextmanager
def own_platform(under: Path | None, **environment: str) -> Iterator[Platform]:
    """A new data folder with a running platform; both are gone afterwards."""
    base = Path(tempfile.mkdtemp(prefix="polyclinic-bench-", dir=under))
    if os.geteuid() == 0:
        base.chmod(0o711)  # PostgreSQL's own user must be able to pass
    platform = Platform(base / "data", free_port(), environment=environment)
    try:
        platform.start()
        yield platform
    finally:
        platform.stop()
        shutil.rmtree(base, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
