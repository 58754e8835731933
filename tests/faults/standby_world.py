"""A PostgreSQL and the standby that its commits wait for, behind one address that may move."""

import asyncio
import contextlib
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import psutil
from apart_world import BadWay

from polyclinic.foundation.postgres import EmbeddedPostgres
from polyclinic.foundation.postgres.place import own_folder, prepare

ACCESS = (
    "local all all scram-sha-256\n"
    "host all all 127.0.0.1/32 scram-sha-256\n"
    "host replication polyclinic 127.0.0.1/32 scram-sha-256\n"
)
STANDBY = "standby"


class Pair:
    """`way` stands for the service before a cluster: it leads to the one that may write."""

    def __init__(self, folder: Path, free_port: Callable[[], int]) -> None:
        self._folder, self._port, self._second_port = folder, free_port(), free_port()
        self._second: subprocess.Popen[bytes] | None = None
        settings = {"listen_addresses": "127.0.0.1", "port": str(self._port)}
        self._first = EmbeddedPostgres(folder / "first", settings=settings, access=ACCESS)
        self.way = BadWay(free_port(), self._port, delay=0.0, bad=0.0)

    async def __aenter__(self) -> "Pair":
        await self._first.start()
        self._place = prepare(self._folder / "first")
        self._password = self._place.password_file.read_text()
        self._cluster = own_folder(self._place.base / "second", self._place.owner)
        try:
            self._copy()
            self.follow()
            await self.wait_for(STANDBY)
        except BaseException:
            self.lose_standby()
            await self._first.stop()
            raise
        self.way.__enter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.way.__exit__()
        self.lose_standby()
        await self._first.stop()

    @property
    def url(self) -> str:
        return self._url(self.way.port)

    async def wait_for(self, standby: str) -> None:
        """From now on each commit waits for this one; for nobody, if it is empty."""
        await self.say(f"ALTER SYSTEM SET synchronous_standby_names = '{standby}'")
        await self.say("SELECT pg_reload_conf()")
        end, wanted = time.monotonic() + 60, "sync" if standby else "async"
        while await self.say("SELECT sync_state FROM pg_stat_replication") != wanted:
            assert time.monotonic() < end, f"the standby is not {wanted}"
            await asyncio.sleep(0.1)

    async def say(self, query: str) -> Any:
        """To the first one, whatever the way leads to."""
        connection = await asyncpg.connect(self._url(self._port), timeout=10)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    def follow(self) -> None:
        """Starts the standby."""
        self._second = subprocess.Popen(
            [self._place.binaries / "postgres", "-D", self._cluster],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self._as_owner(),
        )

    def lose_standby(self) -> None:
        if self._second is not None:
            _kill(self._second.pid)
            self._second.wait(10)
            self._second = None

    def lose_first(self) -> None:
        """Its machine is gone for ever."""
        pid = self._first.pid
        assert pid is not None
        assert self._first._keeper is not None
        self._first._keeper.cancel()  # nobody starts it again
        _kill(pid)
        self._take_over()

    def cut_off_first(self) -> None:
        """It works on, and nobody comes to it any more."""
        self.way.cut()
        self._take_over()

    def _take_over(self) -> None:
        """The standby may write from now on, and what asks for the database comes to it."""
        if self._second is None:
            self.follow()
        end = time.monotonic() + 30
        while self._run("pg_ctl", "promote", "-D", str(self._cluster)).returncode != 0:
            assert time.monotonic() < end, "the standby does not take over"
            time.sleep(0.2)
        self.way.to, self.way.is_open = self._second_port, True

    def _copy(self) -> None:
        source = f"host=127.0.0.1 port={self._port} user=polyclinic password={self._password}"
        done = self._run(
            "pg_basebackup", "-R", "-c", "fast", "-D", str(self._cluster),
            "-d", f"{source} application_name={STANDBY}",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        with (self._cluster / "postgresql.conf").open("a") as settings:
            settings.write(f"port = '{self._second_port}'\nunix_socket_directories = ''\n")
            settings.write("log_directory = 'log'\n")

    def _url(self, port: int) -> str:
        return f"postgresql://polyclinic:{self._password}@127.0.0.1:{port}/postgres"

    def _run(self, tool: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._place.binaries / tool, *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            **self._as_owner(),
        )

    def _as_owner(self) -> dict[str, Any]:
        owner = self._place.owner
        return {
            "user": owner.uid if owner else None,
            "group": owner.gid if owner else None,
            "extra_groups": [] if owner else None,
            "cwd": self._place.base,
            "env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
        }


def _kill(pid: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        server = psutil.Process(pid)
        for each in [server, *server.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
