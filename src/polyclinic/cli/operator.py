"""Who speaks to a running platform from the command line, and how that is proven.

A signed statement (RFC 7523) that lives for a minute and counts once; the key is in the data
folder, so whoever may read that folder is the operator.
"""

import asyncio
import base64
import binascii
import json
import os
import stat
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from polyclinic.cli.datafolder import DataFolder, operator_seed
from polyclinic.foundation import jose
from polyclinic.foundation.errors import Forbidden, Invalid, Unavailable
from polyclinic.foundation.vault import RootKey

AUDIENCE = "polyclinic-operator"
# An import waits for validation, sealing and fsync of up to 32 MB.
TIMEOUT = httpx.Timeout(300, connect=5)
ATTEMPTS = 8
# How long one unit of an import waits for a platform that starts again or recovers, however often
# it goes down meanwhile: eight attempts, each pause twice the last, could miss it every time.
PATIENCE_SECONDS = 120.0
PAUSE_LONGEST = 5.0  # seconds
BUSY = (429, 502, 503, 504)


class NotRunning(Unavailable):
    """No platform runs on that data folder."""


class BadKeyFile(Invalid):
    """The key file cannot be used."""


class Operator:
    """A running platform and the key that opens its operator's door."""

    def __init__(
        self, url: str, seed: bytes, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.url = url.rstrip("/")
        self._seed = seed
        self._tokens: dict[tuple[str, str], str] = {}
        self.http = httpx.AsyncClient(
            base_url=self.url, timeout=TIMEOUT, trust_env=False, transport=transport
        )

    @classmethod
    def of(cls, data: Path, url: str | None, key_file: Path | None) -> "Operator":
        """The platform of a data folder, or one that is named together with its key."""
        folder = DataFolder(data.absolute())
        if url is None:
            url = _address(folder)
        return cls(url, _seed(key_file or folder.operator_file))

    async def __aenter__(self) -> "Operator":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.http.aclose()

    async def token(self, client: str, scope: str) -> str:
        """A new access token for a client; raises Forbidden with identity's reason."""
        answer = await self._ask_token(client, scope)
        if answer.status_code != 200:
            raise Forbidden(f"No token: {said(answer)}")
        token = answer.json()["access_token"]
        self._tokens[client, scope] = token
        return token

    async def current_token(self, client: str, scope: str) -> str:
        """The token asked for before, or a new one once that was refused."""
        return self._tokens.get((client, scope)) or await self.token(client, scope)

    async def post(
        self, path: str, content: bytes, headers: dict[str, str], acting: tuple[str, str]
    ) -> httpx.Response:
        """Sends as a client with a scope."""
        return await self._send("POST", path, content, headers, acting)

    async def get(self, path: str, acting: tuple[str, str]) -> httpx.Response:
        """Asks as a client with a scope."""
        return await self._send("GET", path, b"", {}, acting)

    async def _send(
        self, method: str, path: str, content: bytes, headers: dict[str, str],
        acting: tuple[str, str],
    ) -> httpx.Response:  # fmt: skip
        """Asks again as long as it is patient, with a new token where the old one is refused."""
        until = time.monotonic() + PATIENCE_SECONDS
        attempt = 0
        while True:
            attempt += 1
            is_last = time.monotonic() >= until
            try:
                token = await self.current_token(*acting)
                sent = {**headers, "Authorization": f"Bearer {token}"}
                answer = await self.http.request(method, path, content=content, headers=sent)
            except (httpx.TransportError, Unavailable) as lost:
                if is_last:
                    raise Unavailable(f"The platform at {self.url} does not answer.") from lost
                await asyncio.sleep(_pause(attempt, None))
                continue
            if answer.status_code == 401:
                self._forget(acting, token)
            elif answer.status_code not in BUSY:
                return answer
            if is_last:
                return answer
            await asyncio.sleep(_pause(attempt, answer))

    async def _ask_token(self, client: str, scope: str) -> httpx.Response:
        for attempt in range(1, ATTEMPTS + 1):
            # Signed anew each time: a statement counts once, even if its answer got lost.
            statement = jose.assertion(
                self._seed, issuer="operator", audience=AUDIENCE, now=int(time.time())
            )
            body = {"client": client, "scope": scope, "assertion": statement}
            try:
                answer = await self.http.post("/identity/operator/token", json=body)
            except httpx.ConnectError as refused:
                raise NotRunning(f"No platform answers at {self.url}.") from refused
            except httpx.TransportError as lost:
                raise Unavailable(f"The platform at {self.url} does not answer.") from lost
            if answer.status_code not in BUSY or attempt == ATTEMPTS:
                return answer
            await asyncio.sleep(_pause(attempt, answer))
        raise AssertionError("the last attempt returns")

    def _forget(self, acting: tuple[str, str], token: str) -> None:
        # Several units are in flight: only the first one to notice renews.
        if self._tokens.get(acting) == token:
            del self._tokens[acting]


def said(answer: httpx.Response) -> str:
    """The reason in an answer: OAuth's, an OperationOutcome's, or the bare status."""
    try:
        value: Any = answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        value = {}
    if not isinstance(value, dict):
        value = {}
    if text := value.get("error_description"):
        return str(text)
    issues = [issue for issue in value.get("issue") or () if isinstance(issue, dict)]
    texts = [
        issue.get("diagnostics") or (issue.get("details") or {}).get("text") for issue in issues
    ]
    return "; ".join(filter(None, texts)) or f"the platform answered {answer.status_code}."


def _pause(attempt: int, answer: httpx.Response | None) -> float:
    asked = answer.headers.get("retry-after", "") if answer is not None else ""
    wanted = float(asked) if asked.isdecimal() else 0.25 * 2 ** min(attempt, 8)
    return min(max(wanted, 0.1), PAUSE_LONGEST)


def _address(folder: DataFolder) -> str:
    try:
        note = json.loads(folder.running_file.read_text())
        url, pid = str(note["url"]), int(note["pid"])
    except FileNotFoundError as missing:
        raise NotRunning(
            f"No platform runs on {folder.path}: start it with `polyclinic up`, "
            "or name another with --data, or --url and --key-file."
        ) from missing
    except PermissionError as refused:
        raise Forbidden(f"You may not read {folder.running_file}.") from refused
    except (ValueError, KeyError, TypeError) as broken:
        raise NotRunning(f"{folder.running_file} cannot be read.") from broken
    if not _is_alive(pid):
        raise NotRunning(f"The platform of {folder.path} is not running any more.")
    return url


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _seed(file: Path) -> bytes:
    """The signing secret in an operator key (a JWK), or derived from a root key."""
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise BadKeyFile(f"The key file {file} is readable by others; make it `chmod 600`.")
        content: Any = json.loads(file.read_text())
        if "kty" not in content:
            return operator_seed(RootKey.read(file))
        secret = str(content["d"])
        seed = base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
    except FileNotFoundError as missing:
        raise BadKeyFile(f"There is no key file at {file}.") from missing
    except PermissionError as refused:
        raise Forbidden(f"You may not read the key file {file}.") from refused
    except (ValueError, KeyError, TypeError, binascii.Error) as broken:
        raise BadKeyFile(f"The key file {file} cannot be read.") from broken
    if len(seed) != 32:
        raise BadKeyFile(f"The key file {file} holds no Ed25519 key.")
    return seed
