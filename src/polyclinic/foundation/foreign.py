"""A PostgreSQL that is not ours: others write to it, and its tables are whatever they are.

Its password comes from a password file or the environment, as for every PostgreSQL client
(PGPASSFILE, PGPASSWORD), and nothing that the server says is passed on: it quotes values.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import asyncpg

from polyclinic.foundation.errors import Conflict, Unavailable

CONNECTIONS = 3
# A statement of ours neither holds nor waits for locks of theirs longer than this (milliseconds).
_SESSION = {
    "statement_timeout": "30000",
    "lock_timeout": "5000",
    "idle_in_transaction_session_timeout": "30000",
    # An error where rows would be hidden from us: a table half read is not a table moved.
    "row_security": "off",
    # Texts of values must not depend on who looks.
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
}
_LOCAL = ("", "localhost", "127.0.0.1", "::1")
_LACKING = (
    asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError
)  # fmt: skip
# A value out of range or too long, a constraint, a trigger's own objection.
_NOT_TAKEN = (
    asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.RaiseError
)  # fmt: skip
_LOST = (
    asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError
)  # fmt: skip


class NotTaken(Conflict):
    """The other database does not take this."""

    constraint = ""


class Lacking(Unavailable):
    """The other database lacks a table or a column, or does not give us the right to it."""


class ForeignDatabase:
    """Sessions that can only read, and others that write; opened when they are needed."""

    def __init__(self, url: str, name: str) -> None:
        self._url, self._name = url, name
        self._pools: dict[bool, Any] = {}
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[Any, None]:
        """A connection that sees one moment for as long as the block lasts."""
        with _in_words():
            async with (
                (await self._pool(writes=False)).acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[Any, None]:
        """A connection in a transaction. Raises NotTaken."""
        with _in_words():
            async with (
                (await self._pool(writes=True)).acquire() as connection,
                connection.transaction(isolation="read_committed"),
            ):
                yield connection

    async def close(self) -> None:
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            # Cut short, it ends what is still under way.
            with suppress(TimeoutError):
                await asyncio.wait_for(pool.close(), 5)

    async def _pool(self, *, writes: bool) -> Any:
        async with self._opening:
            if writes not in self._pools:
                settings = {**_SESSION, "application_name": self._name}
                self._pools[writes] = await asyncpg.create_pool(
                    self._url,
                    min_size=0,
                    max_size=CONNECTIONS,
                    timeout=10,
                    command_timeout=60,
                    # Its tables change under us: a prepared plan would fail then.
                    statement_cache_size=0,
                    ssl=tls_of(self._url),
                    server_settings={
                        **settings, "default_transaction_read_only": "off" if writes else "on"
                    },
                )  # fmt: skip
            return self._pools[writes]


def tls_of(url: str) -> Literal["verify-full", True] | None:
    """Another machine must prove who it is unless the address says `sslmode`; none: as it says."""
    parts = urlsplit(url)
    said = parse_qs(parts.query)
    host = said.get("host", [parts.hostname or ""])[0]
    if "sslmode" in said or host in _LOCAL or host.startswith("/"):
        return None
    return "verify-full" if "sslrootcert" in said else True


@contextmanager
def _in_words() -> Generator[None, None, None]:
    try:
        yield
    except _LACKING:
        raise Lacking(place="source") from None
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError):
        text = "The old system's database does not let us in; is the password in PGPASSFILE?"
        raise Unavailable(text, place="source") from None
    except _NOT_TAKEN as refused:
        said = NotTaken(place="source")
        said.constraint = getattr(refused, "constraint_name", None) or ""
        raise said from None
    except (*_LOST, TimeoutError):
        raise Unavailable("The old system's database does not answer.", place="source") from None
