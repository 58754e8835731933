"""A service's PostgreSQL: short transactions and single statements under the service's own role.

A query is a `LiteralString`: a query put together from values is a type error.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, LiteralString, cast

import asyncpg

from polyclinic.foundation import tracing
from polyclinic.foundation.errors import Overloaded, Unavailable
from polyclinic.foundation.telemetry import Metrics

Connection = asyncpg.Connection
Row = asyncpg.Record

# SQLSTATE of what passes by itself: connections, resources, an operator's hand, a replica that
# was asked to write, and transactions that took longer than we let them.
_PASSING = ("08", "53", "57", "25006", "25P03", "25P04")
# InternalClientError: what asyncpg says when a server that is killed cuts an answer off.
_TROUBLE = (
    asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError
)  # fmt: skip


def trouble(error: BaseException) -> Unavailable | None:
    """What goes wrong with the database rather than with a request: it may be tried again."""
    if isinstance(error, asyncpg.QueryCanceledError | TimeoutError):
        return Unavailable("The database took too long; try again shortly.")
    if isinstance(error, asyncpg.PostgresError):
        passing = (error.sqlstate or "").startswith(_PASSING)
        return Unavailable("The database does not answer.") if passing else None
    # A value that asyncpg cannot send is an InterfaceError too, and nobody's lost connection.
    lost = isinstance(error, asyncpg.InterfaceError) and not isinstance(error, ValueError)
    if lost or isinstance(error, asyncpg.InternalClientError | OSError):
        return Unavailable("The database does not answer.")
    return None


async def _nothing(_: Any) -> None:
    """Our statements leave no session state behind, so a release needs no round trip."""


class _Alone:
    """Hears that a commit stopped waiting for the standby: this machine alone has it.

    PostgreSQL says so in a warning beside its success, when the wait took longer than a statement
    may, or an operator ended it (`SyncRepWaitForLSN`).
    """

    is_so = False

    def __call__(self, _: Any, message: asyncpg.PostgresLogMessage) -> None:
        self.is_so |= message.server_source_function == "SyncRepWaitForLSN"


class Transaction:
    """All that is said in it is kept together, or none of it."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.says = False

    def said(self) -> None:
        """Notes that an event was announced in it; who numbers them is woken after the commit."""
        self.says = True

    async def fetch(self, query: LiteralString, *values: object) -> list[Row]:
        return await self.connection.fetch(query, *values)

    async def fetchrow(self, query: LiteralString, *values: object) -> Row | None:
        return await self.connection.fetchrow(query, *values)

    async def fetchval(self, query: LiteralString, *values: object) -> Any:
        return await self.connection.fetchval(query, *values)

    async def execute(self, query: LiteralString, *values: object) -> str:
        return await self.connection.execute(query, *values)

    async def executemany(self, query: LiteralString, rows: Sequence[Sequence[object]]) -> None:
        await self.connection.executemany(query, rows)


class Database:
    """A small pool of connections under one service's role.

    `aside` are a few more, for short statements that somebody needs in the middle of a transaction
    and that must be kept whatever becomes of it, such as a patient's key. Asked of the pool itself
    they waited for transactions that waited for the locks of the one that asked.
    """

    def __init__(
        self,
        pool: Any,
        schema: str,
        dial: Callable[[], Awaitable[Any]],
        aside: "Database | None" = None,
    ) -> None:
        self._pool, self._dial = pool, dial
        self._waiting = 0
        # Set when an event was announced here; the sequencer waits for it.
        self.news = asyncio.Event()
        self.schema = schema
        self.aside = aside or self

    @classmethod
    async def connect(
        cls, url: str, schema: str, *, size: int = 5, size_aside: int = 2
    ) -> "Database":
        """Opens the pools of a service; the role and its password are part of the address."""
        settings = {
            "search_path": schema,
            "application_name": f"polyclinic {schema}",
            "statement_timeout": "30000",
            # An open transaction would stall the event feed of everybody (decisions/0010).
            "transaction_timeout": "30000",
            "idle_in_transaction_session_timeout": "30000",
            "jit": "off",
            "timezone": "UTC",
        }

        async def pool(size: int) -> Any:
            return await asyncpg.create_pool(
                url,
                min_size=0,
                max_size=size,
                command_timeout=60,
                max_inactive_connection_lifetime=0,
                reset=_nothing,
                server_settings=settings,
            )

        async def dial() -> Any:
            return await asyncpg.connect(
                url, timeout=10, command_timeout=60, server_settings=settings
            )

        return cls(await pool(size), schema, dial, cls(await pool(size_aside), schema, dial))

    async def close(self) -> None:
        await self._pool.close()
        if self.aside is not self:
            await self.aside.close()

    def watch(self, metrics: Metrics) -> None:
        """Shows how many connections are in use and who waits for one."""
        for name, each in (("requests", self), ("aside", self.aside)):
            each._watch(metrics, name)

    def _watch(self, metrics: Metrics, name: str) -> None:
        pool = self._pool
        metrics.watch_pool(
            name,
            pool.get_max_size(),
            lambda: pool.get_size() - pool.get_idle_size(),
            lambda: self._waiting,
        )

    async def connect_beside(self) -> Any:
        """A connection beside the pool, for what lasts; who asks for it closes it."""
        async with self.guarded():
            return await self._dial()

    @asynccontextmanager
    async def guarded(self) -> AsyncGenerator[None, None]:
        """Says as Unavailable what passes by itself."""
        try:
            yield
        except (TimeoutError, *_TROUBLE) as lost:
            if (passing := trouble(lost)) is None:
                raise
            raise passing from lost

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Any, None]:
        """One connection of the pool; raises Unavailable while PostgreSQL does not answer."""
        self._waiting += 1
        try:
            connection = await self._pool.acquire(timeout=10)
        except TimeoutError as late:
            raise Overloaded("All connections to the database are busy.") from late
        except _TROUBLE as lost:
            raise trouble(lost) or lost from lost
        finally:
            self._waiting -= 1
        alone = _Alone()
        try:
            connection.add_log_listener(alone)
            yield connection
        except _TROUBLE as lost:
            if (passing := trouble(lost)) is None:
                raise
            raise passing from lost
        finally:
            with suppress(asyncpg.InterfaceError):  # it is lost
                connection.remove_log_listener(alone)
            await self._pool.release(connection)
        if alone.is_so:
            raise Unavailable("The database's standby does not answer.")

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Transaction, None]:
        """READ COMMITTED; what must be unique is guarded by constraints, never by isolation."""
        spoken = {"db.system.name": "postgresql", "db.namespace": self.schema}
        with tracing.span("client", "transaction", said=spoken, is_leaf=True):
            async with self.connection() as connection:
                async with connection.transaction():
                    transaction = Transaction(connection)
                    yield transaction
                if transaction.says:
                    self.said()

    def said(self) -> None:
        """Wakes who numbers events: one was announced and is committed."""
        self.news.set()

    async def fetch(self, query: LiteralString, *values: object) -> list[Row]:
        async with self.connection() as connection:
            return cast("list[Row]", await connection.fetch(query, *values))

    async def fetchrow(self, query: LiteralString, *values: object) -> Row | None:
        async with self.connection() as connection:
            return await connection.fetchrow(query, *values)

    async def fetchval(self, query: LiteralString, *values: object) -> Any:
        async with self.connection() as connection:
            return await connection.fetchval(query, *values)

    async def execute(self, query: LiteralString, *values: object) -> str:
        async with self.connection() as connection:
            return await connection.execute(query, *values)
