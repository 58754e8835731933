"""Rows of an old system's PostgreSQL, written to by others while we read and write.

Every value is read and written as the text that PostgreSQL has for it, whatever its type. Names
of tables and columns were checked when the source was registered and are quoted; values are bound.
"""

import re
import uuid
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from polyclinic.foundation.errors import Unavailable
from polyclinic.foundation.foreign import ForeignDatabase, NotTaken
from polyclinic.services.migration.domain.crossing import Log, Pair, Refused, Source
from polyclinic.services.migration.domain.old_keys import OURS, Row
from polyclinic.services.migration.domain.window import Window
from polyclinic.services.migration.gateways.old_columns import (
    Shape,
    Shapes,
    check_back,
    check_source,
)
from polyclinic.services.migration.gateways.old_rows import Change, News

_DIALECT = postgresql.dialect(paramstyle="numeric_dollar")
_INTEGERS = ("smallint", "integer", "bigint")
_TEXTS = ("text", "character varying")
_INTEGER = re.compile(r"-?\d{1,19}")
_BIGINT_MAX = 2**63 - 1
_ARRAY = postgresql.ARRAY(sa.Text())


class PostgresRows:
    """One database; `Window` says which lines of its log are still to be heard."""

    def __init__(self, url: str, source: Source) -> None:
        self._database = ForeignDatabase(url, "polyclinic migration")
        self._source, self._shapes = source, Shapes(self._fetch)
        self._window = Window()
        # The first transaction that began after we came; none: it is not known yet.
        self._since: int | None = None
        self._settled = False

    @property
    def _log(self) -> Log:
        return self._source.log

    async def check(self) -> None:
        await check_source(self._fetch, self._shapes, self._source)

    async def check_back(self, pair: Pair) -> None:
        await check_back(self._shapes, self._source, pair)

    async def is_settled(self) -> bool:
        """Whoever drew a number of the log before we first looked at it has ended."""
        if self._since is None:
            self._since = await self._number(sa.func.txid_current())
        if not self._settled:
            self._settled = await self._number(_horizon()) >= self._since
        return self._settled

    async def page(self, pair: Pair, after: Any, limit: int) -> list[Row]:
        shape = await self._shapes.of(pair.table)
        key = shape.table.c[pair.key]
        query = _select(pair, shape).order_by(key).limit(limit)
        if after is not None:
            query = query.where(key > _as(after, shape.types[pair.key]))
        return await self._fetch(query)

    async def rows(self, pair: Pair, keys: Sequence[Any]) -> list[Row]:
        shape = await self._shapes.of(pair.table)
        return await self._fetch(_select(pair, shape).where(_among(shape, pair.key, keys)))

    async def newest(self) -> int:
        log = _table(self._log.table, self._log.number)
        return await self._number(sa.func.max(log.c[self._log.number])) or 0

    async def changes(self, after: int, limit: int) -> list[Change]:
        return [Change(*row.values()) for row in await self._fetch(self._lines(after, limit))]

    async def news(self, settled: int, limit: int) -> News:
        """Reads again from the last settled line on (decisions/0033)."""
        found: list[Change] = []
        last = settled
        async with self._database.reading() as connection:
            while len(found) < limit:
                part = await _all(connection, self._lines(last, limit))
                lines = [Change(*row.values()) for row in part]
                found += [each for each in lines if not self._window.is_heard(each.number)]
                last = lines[-1].number if lines else last
                if len(lines) < limit:
                    break
            if last == settled:
                return News([], settled)
            if last > self._window.top:
                # Ours is the newest transaction now, so who drew a lower number is an older one.
                # What a snapshot calls its end is no such bound: it is the last that has *ended*.
                (following,) = await _all(connection, sa.select(sa.func.txid_current()))
                self._window.mark(last, *following.values())
            (horizon,) = await _all(connection, sa.select(_horizon()))
        return News(found, max(settled, self._window.settled(last, *horizon.values())))

    def heard(self, news: News) -> None:
        self._window.hear(each.number for each in news.changes)
        self._window.forget(news.settled)

    async def lookup(self, pair: Pair, by: str, values: Iterable[str]) -> dict[str, str]:
        return await self._pairs(pair, by, pair.key, values)

    async def values(self, pair: Pair, by: str, keys: Iterable[str]) -> dict[str, str]:
        return await self._pairs(pair, pair.key, by, keys)

    async def _pairs(self, pair: Pair, one: str, other: str, wanted: Iterable[str]) -> Any:
        shape = await self._shapes.of(pair.table)
        left, right = (sa.cast(shape.table.c[name], sa.Text) for name in (one, other))
        query = sa.select(left.label("one"), right.label("other"))
        query = query.where(_among(shape, one, dict.fromkeys(wanted)))
        return {row["one"]: row["other"] for row in await self._fetch(query)}

    async def written(self, pair: Pair, tag: str) -> str | None:
        found = await self._fetch(self._made(pair, tag))
        return found[0]["key"] if found else None

    async def ours(self, pair: Pair, keys: Sequence[str]) -> set[str]:
        log = self._log
        shape = await self._shapes.of(log.table)
        of, key, origin = (shape.table.c[name] for name in (log.of, log.key, log.origin))
        query = sa.select(sa.cast(key, sa.Text).label("key")).distinct()
        query = query.where(of == pair.table, origin.startswith(OURS, autoescape=True))
        return {row["key"] for row in await self._fetch(query.where(_among(shape, log.key, keys)))}

    async def update(self, pair: Pair, was: Row, changed: Mapping[str, Any], tag: str) -> bool:
        """Compares and sets in one statement: who wrote between our look and this keeps theirs."""
        shape = await self._shapes.of(pair.table)
        columns = shape.table.c
        query = sa.update(shape.table).values(
            {columns[name]: _as(value, shape.types[name]) for name, value in changed.items()}
        )
        query = query.where(columns[pair.key] == _as(was[pair.key], shape.types[pair.key]))
        for name, value in was.items():
            query = query.where(sa.cast(columns[name], sa.Text).is_not_distinct_from(_text(value)))
        async with self._tagged(tag) as connection:
            made = await _all(connection, query.returning(columns[pair.key]))
        return bool(made)

    async def insert(self, pair: Pair, key: str | None, row: Mapping[str, Any], tag: str) -> str:
        """Two of us with one tag take turns, so a transaction of a lost answer is found."""
        shape = await self._shapes.of(pair.table)
        values = dict(row)
        if not shape.has_default(pair.key):
            if key is None:
                raise Refused(pair.key, "no default")
            values[pair.key] = key
        columns = shape.table.c
        query = sa.insert(shape.table).values(
            {columns[name]: _as(value, shape.types[name]) for name, value in values.items()}
        )
        async with self._tagged(tag, shape.columns[pair.key]["key_indexes"]) as connection:
            turn = sa.func.pg_advisory_xact_lock(sa.func.hashtext(_text(tag)))
            await _all(connection, sa.select(sa.cast(turn, sa.Text)))
            made = await _all(connection, self._made(pair, tag))
            if not made:
                named = sa.cast(columns[pair.key], sa.Text).label("key")
                made = await _all(connection, query.returning(named))
            return made[0]["key"]

    async def close(self) -> None:
        await self._database.close()

    @asynccontextmanager
    async def _tagged(self, tag: str, drawn: Sequence[str] = ()) -> AsyncGenerator[Any, None]:
        """Says who writes, so that our own changes do not come back to us as news."""
        name, _, column = self._log.tag.partition(".")
        named = _table(name, column)
        try:
            async with self._database.writing() as connection:
                await _all(connection, sa.insert(named).values({column: tag}))
                yield connection
                await _all(connection, sa.delete(named).where(named.c[column] == tag))
        except NotTaken as not_taken:
            if not_taken.constraint in drawn:  # the next try draws the next number
                raise Unavailable("The key was taken already.", place="source") from None
            raise Refused("", "refused by the old system") from None

    def _lines(self, after: int, limit: int) -> Any:
        log = self._log
        names = (log.number, log.of, log.key, log.origin)
        lines = _table(log.table, *names)
        number, of, key, origin = (lines.c[name] for name in names)
        key, origin = sa.cast(key, sa.Text), sa.func.coalesce(sa.cast(origin, sa.Text), "")
        query = sa.select(number, of, key.label("key"), origin.label("origin"))
        query = query.where(number > sa.literal(after, sa.BigInteger))
        return query.order_by(number).limit(limit)

    def _made(self, pair: Pair, tag: str) -> Any:
        log = self._log
        lines = _table(log.table, log.of, log.key, log.origin)
        query = sa.select(sa.cast(lines.c[log.key], sa.Text).label("key"))
        return query.where(lines.c[log.origin] == tag, lines.c[log.of] == pair.table).limit(1)

    async def _fetch(self, query: sa.ClauseElement) -> list[Row]:
        async with self._database.reading() as connection:
            return await _all(connection, query)

    async def _number(self, what: Any) -> int:
        (row,) = await self._fetch(sa.select(what.label("n")))
        return row["n"]


async def _all(connection: Any, query: sa.ClauseElement) -> list[Row]:
    said = query.compile(dialect=_DIALECT)
    values = [said.params[name] for name in said.positiontup or ()]  # type: ignore[attr-defined]
    return [dict(row) for row in await connection.fetch(str(said), *values)]


def _horizon() -> Any:
    """All transactions before it have ended. The names are those that older servers have, too."""
    return sa.func.txid_snapshot_xmin(sa.func.txid_current_snapshot())


def _select(pair: Pair, shape: Shape) -> Any:
    """The columns that are moved, as texts; others need not be ours to read."""
    columns = shape.table.c
    return sa.select(*(sa.cast(columns[n], sa.Text).label(n) for n in pair.columns))


def _among(shape: Shape, name: str, values: Iterable[Any]) -> Any:
    """Rows that have one of these values, by the column's index where its type has one for us."""
    column, asked = shape.table.c[name], [str(value) for value in values]
    kind = shape.types[name]
    if kind in _INTEGERS:
        numbers = [int(value) for value in asked if _INTEGER.fullmatch(value)]
        fitting = [number for number in numbers if abs(number) <= _BIGINT_MAX]
        return column == sa.any_(sa.literal(fitting, postgresql.ARRAY(sa.BigInteger())))
    if kind == "uuid":
        uuids = [value for value in asked if _is_uuid(value)]
        return column == sa.any_(sa.cast(sa.literal(uuids, _ARRAY), postgresql.ARRAY(sa.Uuid())))
    column = column if kind in _TEXTS else sa.cast(column, sa.Text)
    return column == sa.any_(sa.literal(asked, _ARRAY))


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


class _Named(sa.types.UserDefinedType[Any]):
    """A type by the name that the server has for it, without its length: cutting off is refused."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        return self.name


def _as(value: Any, kind: str) -> Any:
    return sa.cast(_text(value), _Named(kind))


def _text(value: Any) -> Any:
    if value is not None:
        value = str(value).lower() if isinstance(value, bool) else str(value)
    return sa.literal(value, sa.Text())


def _table(name: str, *columns: str) -> Any:
    return sa.table(name, *(sa.column(each) for each in columns))
