"""One embedded PostgreSQL: made, started, kept alive, stopped, and gone when we are gone."""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from polyclinic.foundation.postgres import archiving, leftovers
from polyclinic.foundation.postgres.configuration import HOST_BASED_ACCESS, configuration
from polyclinic.foundation.postgres.place import Place, prepare, socket_folder
from polyclinic.foundation.starting import CannotStart, refused_by_disk

# Waits for the end of its standard input, which comes when our process ends in whatever way,
# and then stops the server if it is still the same one.
WATCH = 'read -r _; p=; read -r p < "$1"; if [ "$p" = "$2" ]; then kill -INT "$2"; fi'
RESTARTS = 3  # within RESTART_SECONDS; more often, something is wrong that we cannot mend
RESTART_SECONDS = 60
SHARED_MEMORY_SECONDS = 30  # how long the last backends of a killed server may take to notice
# How PostgreSQL words it; on a disk that is quite full its log stays empty.
FULL_DISK = ("No space left on device", "Check free disk space", "wrote only")
WAL_SEGMENT = 16 << 20  # bytes; with less free than that the server cannot go on


def _silent(_: str) -> None:
    return None


class EmbeddedPostgres:
    """A PostgreSQL of our own in `<data>/postgres`; `say` hears one line when a wait is long.

    With `archive`, a folder of backups, each finished piece of the write-ahead log is kept there.
    """

    def __init__(
        self,
        data: Path,
        *,
        settings: Mapping[str, str] | None = None,
        archive: Path | None = None,
        access: str = HOST_BASED_ACCESS,
        say: Callable[[str], None] = _silent,
    ) -> None:
        self.data = data.absolute()
        self._archive, self._access = archive, access
        self._settings = dict(settings or {})
        self._say = say
        self._lock: int | None = None
        self._place: Place | None = None
        self._sockets: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def hold(self) -> bool:
        """Takes the data folder for this process; True when there is no database in it yet."""
        if self._place is None:
            try:
                self._place = await asyncio.to_thread(self._take)
            except BaseException:
                await self.stop()
                raise
        return not self._place.cluster.exists()

    async def start(self) -> str:
        """Starts the server and waits until it answers; the address it returns holds a password."""
        await self.hold()
        assert self._place is not None
        place = self._place
        try:
            await asyncio.to_thread(self._prepare, place)
            await self._launch(place)
        except OSError as refused:
            await self.stop()
            raise refused_by_disk(refused, self.data) from refused
        except BaseException:
            await self.stop()
            raise
        self._keeper = asyncio.create_task(self._keep_alive(place))
        return address(place, str(self._sockets))

    async def lost(self) -> None:
        """Ends only when the server ended and could not be started again: raises CannotStart."""
        if self._keeper is not None:
            await asyncio.shield(self._keeper)

    async def stop(self) -> None:
        """Stops the server cleanly; harmless when it never started."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
            self._keeper = None
        await self._end_server()
        if self._sockets is not None and self._sockets.name.startswith("polyclinic-"):
            shutil.rmtree(self._sockets, ignore_errors=True)
        self._sockets = self._place = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _take(self) -> Place:
        place = prepare(self.data)
        self._lock = leftovers.take_lock(self.data)
        return place

    def _prepare(self, place: Place) -> None:
        if not place.cluster.exists():
            self._say("PostgreSQL is set up in a new data folder.")
            if place.base != place.home:
                self._say(f"Its own user cannot come there, so its files are in {place.base}.")
            _make_cluster(place)
        leftovers.check_major(place)
        leftovers.stop_orphan(place, self._say)
        if not place.password_file.exists():
            raise CannotStart(
                f"The password file {place.password_file} is missing; bring it back from a backup."
            )
        self._sockets = socket_folder(place)
        settings = dict(self._settings)
        if self._archive is not None:
            settings = {**archiving.prepare_archive(place, self._archive), **settings}
        text = configuration(self._sockets, place.log, settings)
        _write(place.cluster / "postgresql.conf", text, place)
        _write(place.cluster / "pg_hba.conf", self._access, place)

    async def _launch(self, place: Place) -> None:
        """Starts the server; waits while backends of a killed one still hold its memory."""
        until = time.monotonic() + SHARED_MEMORY_SECONDS
        while True:
            self._process = _spawn(
                place, [str(place.binaries / "postgres"), "-D", str(place.cluster)]
            )
            self._watcher = _watch(place, self._process.pid)
            if await self._ready(place):
                if self._archive is not None:
                    # The checkpointer went to sleep before the start was over, when it closes no
                    # pieces of the log, and would only look again at the first checkpoint.
                    self._process.send_signal(signal.SIGHUP)
                return
            await self._end_server()
            told = _told(place)
            if "pre-existing shared memory block" not in told or time.monotonic() > until:
                raise _reason(told, place)
            await asyncio.sleep(0.2)

    async def _ready(self, place: Place) -> bool:
        """True when it takes connections, False when it ended; recovery may take its time."""
        assert self._process is not None
        began = said = time.monotonic()
        while self._process.poll() is None:
            if _status(place, self._process.pid) == "ready":
                return True
            now = time.monotonic()
            if now - said >= 2:
                said = now
                self._say(
                    f"PostgreSQL recovers what an interruption left open ({now - began:.0f} s)."
                )
            await asyncio.sleep(0.02)
        return False

    async def _keep_alive(self, place: Place) -> None:
        """Starts the server again when it ends by itself, a few times a minute at most."""
        recent: list[float] = []
        while True:
            await asyncio.sleep(0.2)
            if self._process is None or self._process.poll() is None:
                continue
            now = time.monotonic()
            recent = [then for then in recent if now - then < RESTART_SECONDS]
            if len(recent) >= RESTARTS:
                raise _reason(_told(place), place)
            recent.append(now)
            self._say("PostgreSQL ended unexpectedly and is started again.")
            await self._end_server()
            await self._launch(place)

    async def _end_server(self) -> None:
        process, watcher = self._process, self._watcher
        self._process = self._watcher = None
        if process is not None:
            await _end(process)
        if watcher is not None:
            # With the server gone the watcher finds nothing to stop and ends as well.
            assert watcher.stdin is not None
            watcher.stdin.close()
            await _ended(watcher, 5)


def address(place: Place, sockets: str) -> str:
    """The address of a server's owner; it holds the password."""
    password = place.password_file.read_text()
    return f"postgresql://polyclinic:{password}@/postgres?host={quote(sockets, safe='')}"


def running_address(data: Path) -> str | None:
    """Where the server of a data folder answers, if one runs there under whatever process."""
    if not (data / "postgres").is_dir():
        return None
    place = prepare(data.absolute())
    pid = leftovers.serving_pid(place)
    if pid is None or _status(place, pid) != "ready":
        return None
    return address(place, place.postmaster_file.read_text().splitlines()[4])


def _make_cluster(place: Place) -> None:
    """initdb beside the cluster's place, then one rename: a cluster is whole or absent."""
    for unfinished in place.base.glob("unfinished-*"):
        shutil.rmtree(unfinished, ignore_errors=True)
    fresh = place.base / f"unfinished-{secrets.token_hex(4)}"
    fresh.mkdir(mode=0o700)
    _give(fresh, place)
    password = secrets.token_hex(24)
    _write(fresh / "password", password, place)
    # The words of initdb: no locale of the machine decides how our data sorts.
    words = (
        "--username=polyclinic --encoding=UTF8 --auth=scram-sha-256 --no-instructions "
        "--locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C --data-checksums"
    )
    command = [str(place.binaries / "initdb"), *words.split()]
    command += [f"--pwfile={fresh / 'password'}", f"--pgdata={fresh / 'cluster'}"]
    if _spawn(place, command).wait() != 0:
        told = _told(place)
        shutil.rmtree(fresh, ignore_errors=True)
        raise _reason(told, place)
    _write_ours(place.password_file, password)
    (fresh / "cluster").rename(place.cluster)
    shutil.rmtree(fresh, ignore_errors=True)


def _spawn(
    place: Place, command: list[str], stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Starts a process of the server's user, outside our terminal's reach (Ctrl-C is for us)."""
    owner = place.owner
    with (place.home / "start.log").open("wb") as said:
        return subprocess.Popen(
            command,
            user=owner.uid if owner else None,
            group=owner.gid if owner else None,
            extra_groups=[] if owner else None,
            stdin=stdin,
            stdout=said,
            stderr=said,
            cwd=place.base,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            umask=0o077,
            start_new_session=True,
        )


def _watch(place: Place, pid: int) -> subprocess.Popen[bytes]:
    owner = place.owner
    return subprocess.Popen(
        ["/bin/sh", "-c", WATCH, "polyclinic-watch", str(place.postmaster_file), str(pid)],
        user=owner.uid if owner else None,
        group=owner.gid if owner else None,
        extra_groups=[] if owner else None,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )


def _status(place: Place, pid: int) -> str | None:
    """What the server says of itself in the eighth line of postmaster.pid."""
    with contextlib.suppress(FileNotFoundError):
        lines = place.postmaster_file.read_text().splitlines()
        if len(lines) >= 8 and lines[0] == str(pid):
            return lines[7].strip()
    return None


async def _end(process: subprocess.Popen[bytes]) -> None:
    """A fast shutdown; when that takes too long an immediate one, mended at the next start."""
    for word, seconds in (
        (signal.SIGINT, leftovers.FAST_SHUTDOWN_SECONDS),
        (signal.SIGQUIT, 10),
        (signal.SIGKILL, 10),
    ):
        if process.poll() is not None:
            return
        process.send_signal(word)
        if await _ended(process, seconds):
            return


async def _ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            return True
        await asyncio.sleep(0.02)
    return False


def _told(place: Place) -> str:
    """The last words of the server: before its log opened, and in the newest log file."""
    files = [place.home / "start.log"]
    files += sorted(place.log.glob("*.log"), key=lambda file: file.stat().st_mtime)[-1:]
    texts: list[str] = []
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            texts.append(file.read_bytes()[-64_000:].decode(errors="replace"))
    return "\n".join(texts)


def _free(place: Place) -> int:
    return shutil.disk_usage(place.base).free


def _reason(told: str, place: Place) -> CannotStart:
    if any(words in told for words in FULL_DISK) or _free(place) < WAL_SEGMENT:
        return CannotStart(f"The disk of {place.base} is full; free some space and start again.")
    last = [
        line for line in told.splitlines() if "FATAL" in line or "PANIC" in line or "error:" in line
    ]
    why = last[-1].split(":  ")[-1].strip() if last else "it ended without a word"
    return CannotStart(f"PostgreSQL does not start: {why} (more in {place.log}).")


def _write(file: Path, text: str, place: Place) -> None:
    _write_ours(file, text)
    _give(file, place)


def _write_ours(file: Path, text: str) -> None:
    """Replaces a file as a whole, readable by its owner alone."""
    beside = file.with_name(f"{file.name}.new")
    with contextlib.suppress(FileNotFoundError):
        beside.unlink()
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as writer:
        writer.write(text)
        writer.flush()
        os.fsync(handle)
    beside.rename(file)


def _give(path: Path, place: Place) -> None:
    if place.owner is not None:
        os.chown(path, place.owner.uid, place.owner.gid)
