"""Replicas of the services, each a process of its own, behind an edge of its own; and bad ways."""

import asyncio
import contextlib
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from ledger import SCOPE, Hands, asked_token, await_ready

sys.path.append(str(Path(__file__).parents[1] / "stories"))
from story_clinic import Program

from polyclinic.assembly.hop import write_edge_key
from polyclinic.foundation.vault import RootKey

SERVICES = ("identity", "records")


class Apart:
    """Identity and records in each replica; `between` may lead the edge another way to one."""

    def __init__(
        self,
        database_url: str,
        key: Path,
        folder: Path,
        free_port: Callable[[], int],
        copies: int,
        between: Callable[[int], int] = lambda port: port,
    ) -> None:
        told = {"POLYCLINIC_DATABASE_URL": database_url, "POLYCLINIC_KEY_FILE": str(key)}
        self._key = key
        self.urls = [f"http://127.0.0.1:{free_port()}" for _ in range(copies)]
        ports = [int(url.rpartition(":")[2]) for url in self.urls]
        said = folder / "said.txt"
        self.replicas = [Program(said, "serve", *SERVICES, "--port", str(p), **told) for p in ports]
        write_edge_key(RootKey.read(key), folder / "edge.key")
        ways = "|".join(f"http://127.0.0.1:{between(port)}" for port in ports)
        door = free_port()
        self.url = f"http://127.0.0.1:{door}"
        self.edge = Program(
            said, "edge", "--port", str(door),
            POLYCLINIC_EDGE_KEY_FILE=str(folder / "edge.key"),
            POLYCLINIC_PEERS=",".join(f"{name}={ways}" for name in SERVICES),
        )  # fmt: skip

    def __enter__(self) -> "Apart":
        try:
            for url in self.urls:
                await_ready(url)
            await_ready(f"{self.url}/records")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self.edge, *self.replicas):
            each.stop()

    def token(self) -> str:
        words = ("--url", self.urls[0], "--key-file", str(self._key), "--scope", SCOPE)
        return asked_token(*words)


class Readers(Hands):
    """Clients that ask once and never again: what each was answered, and how long it waited."""

    def __init__(self, url: str, token: str, path: str, count: int = 4, wait: float = 20) -> None:
        self.answers: list[tuple[float, int, float]] = []  # when, which status, seconds; 0: none
        self.words: set[str] = set()  # what those heard who were refused: no data are in it
        self._url, self._token, self._path, self._wait = url, token, path, wait
        self.hands = count

    @property
    def failed(self) -> list[int]:
        return [status for _, status, _ in self.answers if status != 200]

    def _work(self) -> None:
        headers = {"authorization": f"Bearer {self._token}"}
        with httpx.Client(headers=headers, timeout=self._wait, trust_env=False) as client:
            while not self._stop.is_set():
                began = time.monotonic()
                try:
                    answer = client.get(self._url + self._path)
                    status = answer.status_code
                    if status != 200:
                        self.words.add(answer.text)
                except httpx.TransportError:
                    status = 0
                self.answers.append((began, status, time.monotonic() - began))
                time.sleep(0.02)


class BadWay:
    """A way to a port on which all takes longer, and now and then a request and its answer do not
    come through: the connection breaks, or nothing is heard any more."""

    def __init__(self, port: int, to: int, delay: float, bad: float) -> None:
        self.port, self.to, self.delay, self.bad = port, to, delay, bad
        self.is_open = True
        self.requests = self.connections = self.broken = self.stalled = 0
        self._ends = set[asyncio.StreamWriter]()
        self._dice = random.Random(port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "BadWay":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Ends what is under way; nothing new comes through while it is not open."""
        self.is_open = False
        self._loop.call_soon_threadsafe(lambda: [each.transport.abort() for each in self._ends])

    def _run(self) -> None:
        listening = asyncio.start_server(self._pass, "127.0.0.1", self.port)
        server = self._loop.run_until_complete(listening)
        self._loop.run_forever()
        server.close()
        for each in asyncio.all_tasks(self._loop):
            each.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.1))

    async def _pass(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.CancelledError):
            if self.is_open:
                far, there = await asyncio.open_connection("127.0.0.1", self.to)
                self._ends |= {there, back}
                await asyncio.gather(self._there(near, there, back), self._back(far, back))
                self._ends -= {there, back}
        back.close()

    async def _there(self, near: asyncio.StreamReader, *ends: asyncio.StreamWriter) -> None:
        """One part is one request here: they are small."""
        there, back = ends
        while part := await near.read(1 << 16):
            if b" HTTP/1.1\r\n" in part:
                self.requests += 1
                await asyncio.sleep(self.delay)
                if self._dice.random() < self.bad:
                    if self._dice.random() < 0.5:
                        self.broken += 1
                        back.close()
                        break
                    self.stalled += 1
                    while await near.read(1 << 16):  # its body, and whatever else
                        pass
                    break
            there.write(part)
            await there.drain()
            if not self.is_open:
                back.close()
                break
        there.close()

    async def _back(self, far: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        while part := await far.read(1 << 16):
            back.write(part)
            await back.drain()
        back.close()
