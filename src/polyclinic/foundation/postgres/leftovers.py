"""What an earlier run left behind: its lock, an orphaned server, a stale postmaster.pid."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from polyclinic.foundation.postgres.place import Place
from polyclinic.foundation.starting import CannotStart, refused_by_disk

MAJOR = "18"
# A fast shutdown ends with a checkpoint, which may write all of shared_buffers to a slow disk.
FAST_SHUTDOWN_SECONDS = 60


def take_lock(data: Path) -> int:
    """The one process of a data folder; the lock goes with the process, however it ends."""
    folder = data / "postgres"
    try:
        held = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as refused:
        raise refused_by_disk(refused, data) from refused
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        other = os.read(held, 20).decode() or "unknown"
        os.close(held)
        raise CannotStart(
            f"Another polyclinic (process {other}) already runs on {data}; "
            "stop it first, or choose another folder with --data."
        ) from None
    os.ftruncate(held, 0)
    os.pwrite(held, str(os.getpid()).encode(), 0)
    return held


def check_major(place: Place) -> None:
    """Refuses a cluster of another PostgreSQL, with the way out."""
    found = (place.cluster / "PG_VERSION").read_text().strip()
    if found == MAJOR:
        return
    raise CannotStart(
        f"The database in {place.cluster} was written by PostgreSQL {found}, and this release "
        f"brings PostgreSQL {MAJOR}: start it once more with the release that wrote it, save it "
        "with pg_dumpall, and read that into a new data folder."
    )


def stop_orphan(place: Place, say: Callable[[str], None]) -> None:
    """Stops a server that outlived its process, and clears a postmaster.pid of nobody.

    Called under the lock: a server found here has no owner any more.
    """
    pid = _recorded_pid(place)
    if pid is None:
        return
    if _is_our_server(pid, place):
        say("A PostgreSQL of an interrupted run is still up; it is stopped first.")
        _end(pid, place)
    elif serving_pid(place) is None:
        # The number may belong to any process by now, which PostgreSQL would take for a server.
        place.postmaster_file.unlink(missing_ok=True)


def _recorded_pid(place: Place) -> int | None:
    try:
        first = place.postmaster_file.read_text().split("\n", 1)[0]
    except FileNotFoundError:
        return None
    return int(first) if first.isdigit() else None


def serving_pid(place: Place) -> int | None:
    """The process of the server that runs on these files, if one does."""
    pid = _recorded_pid(place)
    return pid if pid is not None and _is_our_server(pid, place) else None


def _is_our_server(pid: int, place: Place) -> bool:
    words = _command_line(pid)
    return "postgres" in words and str(place.cluster) in words


def _command_line(pid: int) -> str:
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):
            return ""
    shown = subprocess.run(
        ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return shown.stdout


def _end(pid: int, place: Place) -> None:
    for word, seconds in ((signal.SIGINT, FAST_SHUTDOWN_SECONDS), (signal.SIGQUIT, 10)):
        try:
            os.kill(pid, word)
        except ProcessLookupError:
            return
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if not _is_our_server(pid, place):
                return
            time.sleep(0.05)
    raise CannotStart(f"The PostgreSQL of an interrupted run (process {pid}) does not stop.")
