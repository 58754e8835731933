"""The ways that X12 files travel to payers and back: a folder, or an address.

In the folder ours go to `out` and theirs come to `in`. A file that is being written has a name that
begins with a point; it counts when it has its own. What was taken in moves to `done`, what was held
or refused to `held`: nothing is deleted. At an address ours are POSTed to `/files`; theirs are
listed there, read one by one, and deleted once we have them.
"""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import httpx
import msgspec

from polyclinic.foundation import ids
from polyclinic.foundation.errors import Unavailable
from polyclinic.foundation.work import in_thread

SIZE_MAX = 32 * 1024 * 1024
SECONDS = 20.0
GONE = 404


class Exchange(Protocol):
    """Where files go and come from."""

    async def put(self, name: str, content: bytes) -> None:
        """Sends a file; sent twice under one name it is one file."""
        ...

    async def names(self) -> list[str]:
        """What has come, the oldest name first."""
        ...

    async def read(self, name: str) -> bytes | None:
        """None when it is gone: another replica was faster."""
        ...

    async def done(self, name: str, *, is_good: bool) -> None:
        """It is ours now; it is not listed again."""
        ...


@dataclass(frozen=True, slots=True)
class Folder:
    """The exchange folder of the settings."""

    path: Path

    async def put(self, name: str, content: bytes) -> None:
        await in_thread(self._put, name, content)

    async def names(self) -> list[str]:
        return await in_thread(self._names)

    async def read(self, name: str) -> bytes | None:
        return await in_thread(self._read, name)

    async def done(self, name: str, *, is_good: bool) -> None:
        await in_thread(self._done, name, "done" if is_good else "held")

    def _put(self, name: str, content: bytes) -> None:
        """It is there whole or not at all, also after a power cut."""
        target = self._part("out") / name
        half = target.with_name(f".{name}.{ids.new_id()}.part")  # another replica may be at it
        with half.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        half.replace(target)

    def _names(self) -> list[str]:
        found = self._part("in").iterdir()
        return sorted(f.name for f in found if f.is_file() and not f.name.startswith("."))

    def _read(self, name: str) -> bytes | None:
        """Of a file that is too large only so much that it is refused."""
        try:
            with (self._part("in") / name).open("rb") as file:
                return file.read(SIZE_MAX + 1)
        except FileNotFoundError:
            return None

    def _done(self, name: str, where: str) -> None:
        """A name that was there before gets a number."""
        plain = target = self._part(where) / name
        number = 1
        while target.exists():
            number += 1
            target = plain.with_name(f"{name}.{number}")
        with contextlib.suppress(FileNotFoundError):  # another replica was faster
            (self.path / "in" / name).replace(target)

    def _part(self, name: str) -> Path:
        part = self.path / name
        part.mkdir(parents=True, exist_ok=True)
        return part


class _Listed(msgspec.Struct, frozen=True):
    files: list[str]


@dataclass(frozen=True, slots=True)
class Address:
    """A payer or clearing house over HTTP."""

    url: str

    async def put(self, name: str, content: bytes) -> None:
        _need(await self._ask("PUT", name, content))

    async def names(self) -> list[str]:
        content = _need(await self._ask("GET"))
        try:
            return sorted(msgspec.json.decode(content, type=_Listed).files)
        except msgspec.DecodeError as broken:
            raise Unavailable("The payer gave an unreadable answer.", place="payer") from broken

    async def read(self, name: str) -> bytes | None:
        status, content = await self._ask("GET", name)
        return None if status == GONE else _need((status, content))

    async def done(self, name: str, *, is_good: bool) -> None:  # noqa: ARG002 - it is ours either way
        answer = await self._ask("DELETE", name)
        if answer[0] != GONE:
            _need(answer)

    async def _ask(
        self, method: str, name: str | None = None, content: bytes | None = None
    ) -> tuple[int, bytes]:
        """Status and body, of a body that is too large only so much that it is refused."""
        path = "/files" if name is None else f"/files/{quote(name, safe='')}"
        url, body = self.url.rstrip("/") + path, bytearray()
        try:
            async with (
                httpx.AsyncClient(timeout=SECONDS, follow_redirects=False) as client,
                client.stream(method, url, content=content) as answer,
            ):
                async for part in answer.aiter_bytes():
                    body += part[: SIZE_MAX + 1 - len(body)]
                    if len(body) > SIZE_MAX:
                        break
        except httpx.HTTPError as lost:
            raise Unavailable("The payer does not answer.", place="payer") from lost
        return answer.status_code, bytes(body)


def _need(answer: tuple[int, bytes]) -> bytes:
    status, content = answer
    if not 200 <= status < 300:
        raise Unavailable("The payer refused a request.", place="payer")
    return content
