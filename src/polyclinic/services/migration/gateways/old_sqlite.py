"""Rows of an old system's SQLite, read and written by SQLAlchemy in a thread.

One writes at a time there, and numbers of its log are committed in their order. Names of tables
and columns were checked when the source was registered; values are bound.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from polyclinic.foundation.errors import Unavailable
from polyclinic.foundation.work import in_thread
from polyclinic.services.migration.domain.crossing import Log, Pair, Refused
from polyclinic.services.migration.domain.old_keys import OURS, Row, typed
from polyclinic.services.migration.gateways.old_rows import Change, News


class SqliteRows:
    """One database; a call is one thread's turn, and one transaction."""

    def __init__(self, url: str, log: Log) -> None:
        self._engine, self._log = sa.create_engine(url, pool_pre_ping=True), log

    async def check(self) -> None:
        """Names that are not there are found when a pair is moved."""
        await self.newest()

    async def check_back(self, pair: Pair) -> None:
        """A file that may be read may be written to, or its folder says no."""

    async def is_settled(self) -> bool:
        return True

    async def page(self, pair: Pair, after: Any, limit: int) -> list[Row]:
        table, key = _table(pair.table), sa.column(pair.key)
        query = sa.select(sa.literal_column("*")).select_from(table).order_by(key).limit(limit)
        return await self._all(query if after is None else query.where(key > after))

    async def rows(self, pair: Pair, keys: Sequence[Any]) -> list[Row]:
        if not keys:
            return []
        key = sa.column(pair.key)
        query = sa.select(sa.literal_column("*")).select_from(_table(pair.table))
        return await self._all(query.where(key.in_(list(keys))))

    async def newest(self) -> int:
        query = sa.select(sa.func.max(sa.column(self._log.number)).label("n"))
        return (await self._all(query.select_from(_table(self._log.table))))[0]["n"] or 0

    async def changes(self, after: int, limit: int) -> list[Change]:
        log = self._log
        number = sa.column(log.number)
        query = (
            sa.select(number, sa.column(log.of), sa.column(log.key), sa.column(log.origin))
            .select_from(_table(log.table))
            .where(number > after)
            .order_by(number)
            .limit(limit)
        )
        found = await self._all(query)
        return [Change(*(r[n] for n in (log.number, log.of, log.key, log.origin))) for r in found]

    async def news(self, settled: int, limit: int) -> News:
        changes = await self.changes(settled, limit)
        return News(changes, changes[-1].number if changes else settled)

    def heard(self, news: News) -> None:
        """The number that was written down says it all."""

    async def lookup(self, pair: Pair, by: str, values: Iterable[str]) -> dict[str, str]:
        return await self._pairs(pair, by, pair.key, values)

    async def values(self, pair: Pair, by: str, keys: Iterable[str]) -> dict[str, str]:
        return await self._pairs(pair, pair.key, by, keys)

    async def _pairs(self, pair: Pair, one: str, other: str, wanted: Iterable[str]) -> Any:
        asked = [typed(pair, v) if one == pair.key else v for v in dict.fromkeys(wanted)]
        if not asked:
            return {}
        left, right = sa.column(one), sa.column(other)
        query = sa.select(left, right).select_from(_table(pair.table)).where(left.in_(asked))
        return {str(row[one]): str(row[other]) for row in await self._all(query)}

    async def written(self, pair: Pair, tag: str) -> str | None:
        log = self._log
        query = sa.select(sa.column(log.key)).select_from(_table(log.table))
        query = query.where(sa.column(log.origin) == tag, sa.column(log.of) == pair.table).limit(1)
        found = await self._all(query)
        return str(found[0][log.key]) if found else None

    async def ours(self, pair: Pair, keys: Sequence[str]) -> set[str]:
        if not keys:
            return set()
        log = self._log
        key, origin = sa.column(log.key), sa.column(log.origin)
        query = sa.select(key).select_from(_table(log.table)).distinct()
        query = query.where(sa.column(log.of) == pair.table, origin.like(f"{OURS}%"))
        found = await self._all(query.where(key.in_([str(each) for each in keys])))
        return {str(row[log.key]) for row in found}

    async def update(self, pair: Pair, was: Row, changed: Mapping[str, Any], tag: str) -> bool:
        table = _table(pair.table, *changed)
        query = sa.update(table).where(sa.column(pair.key) == typed(pair, was[pair.key]))
        for name in pair.columns:
            query = query.where(sa.column(name).is_not_distinct_from(was[name]))

        def work() -> bool:
            with self._engine.begin() as connection:
                self._name(connection, tag)
                made = connection.execute(query.values(**changed))
                self._name(connection, None)
                return made.rowcount > 0

        return await self._run(work)

    async def insert(self, pair: Pair, key: str | None, row: Mapping[str, Any], tag: str) -> str:
        """Without a key it is the next whole number."""

        def work() -> str:
            with self._engine.begin() as connection:
                self._name(connection, tag)  # from here on nobody else writes
                made = key
                if made is None:
                    highest = sa.select(sa.func.max(sa.column(pair.key)))
                    found = connection.scalar(highest.select_from(_table(pair.table)))
                    made = str((found or 0) + 1)
                values = {pair.key: typed(pair, made), **row}
                connection.execute(sa.insert(_table(pair.table, *values)).values(**values))
                self._name(connection, None)
                return made

        return await self._run(work)

    async def close(self) -> None:
        self._engine.dispose()

    def _name(self, connection: Any, tag: str | None) -> None:
        """Says who writes, so that our own changes do not come back to us as news."""
        table, _, column = self._log.tag.partition(".")
        named = _table(table, column)
        if tag is None:
            connection.execute(sa.delete(named))
        else:
            connection.execute(sa.insert(named).values(**{column: tag}))

    async def _all(self, query: Any) -> list[Row]:
        def work() -> list[Row]:
            with self._engine.connect() as connection:
                return [dict(row) for row in connection.execute(query).mappings()]

        return await self._run(work)

    async def _run(self, work: Any) -> Any:
        try:
            return await in_thread(work)
        except IntegrityError:
            raise Refused("", "refused by the old system") from None
        except SQLAlchemyError as lost:  # its text quotes what was written
            raise Unavailable(
                "The old system's database does not answer.", place="source"
            ) from lost


def _table(name: str, *names: str) -> Any:
    return sa.table(name, *(sa.column(each) for each in names))
