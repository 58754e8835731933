"""The old system's database, whichever it is: looked at through SQLAlchemy, never written to."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from polyclinic.foundation.errors import Invalid, Unavailable
from polyclinic.foundation.work import in_thread
from polyclinic.services.migration.domain.inventory.findings import (
    COLUMNS_MAX,
    TABLES_MAX,
    Column,
    Finding,
    Link,
    Table,
)
from polyclinic.services.migration.domain.inventory.links import Measured, Pair, candidates, judged

# So many different values of a column are looked for in another table's key.
VALUES = 400
_LOGIN = re.compile(r"login|user_?name|user_?id|usr|uid", re.I)
_ROLE = re.compile(r"role|user_?type|user_?group|job", re.I)
USERS_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Looked:
    """What the database showed; `roles` (login → role) serve to read logs and are kept nowhere."""

    finding: Finding
    roles: dict[str, str] = field(default_factory=dict[str, str])


async def look(url: str, label: str = "", schema: str | None = None) -> Looked:
    """Tables, columns, keys, row counts, links and who has which role."""
    return await in_thread(_look, url, label, schema)


def _look(url: str, label: str, schema: str | None) -> Looked:
    try:
        engine = sa.create_engine(_read_only(url), poolclass=sa.NullPool)
    except (SQLAlchemyError, ImportError, ValueError) as wrong:
        raise Invalid("No database can be reached by this address.", place="database") from wrong
    try:
        with engine.connect() as connection:
            return _Looking(connection, schema).looked(label)
    except SQLAlchemyError as lost:
        # What a driver says may hold the address with its password.
        raise Unavailable("The old system's database does not answer.", place="database") from lost
    finally:
        engine.dispose()


def _read_only(url: str) -> str:
    """SQLite files are opened for reading; of servers we ask for a role that may only read."""
    if url.startswith("sqlite:///") and "mode=" not in url:
        return f"sqlite:///file:{url.removeprefix('sqlite:///')}?mode=ro&uri=true"
    return url


class _Looking:
    def __init__(self, connection: sa.Connection, schema: str | None) -> None:
        self._connection, self._schema = connection, schema
        self._inspector = sa.inspect(connection)
        self._values: dict[tuple[str, str], list[Any]] = {}
        self._clauses: dict[str, sa.TableClause] = {}

    def looked(self, label: str) -> Looked:
        names = self._inspector.get_table_names(schema=self._schema)[:TABLES_MAX]
        tables = tuple(self._table(name) for name in names)
        links = judged(candidates(tables), self._declared(names), self._measure)
        finding = Finding(
            source="database", label=label, tables=tables, links=links, read=len(tables)
        )
        return Looked(finding, self._roles(tables))

    def _table(self, name: str) -> Table:
        columns = self._inspector.get_columns(name, schema=self._schema)[:COLUMNS_MAX]
        self._clauses[name] = sa.table(
            name, *(sa.column(each["name"]) for each in columns), schema=self._schema
        )
        key = tuple(self._inspector.get_pk_constraint(name, self._schema)["constrained_columns"])
        count = sa.select(sa.func.count()).select_from(self._clauses[name])
        return Table(
            name=name,
            columns=tuple(
                Column(each["name"], str(each["type"]).lower(), bool(each["nullable"]))
                for each in columns
            ),
            key=key,
            unique=self._unique(name, key),
            rows=self._connection.scalar(count),
        )

    def _unique(self, name: str, key: Sequence[str]) -> tuple[str, ...]:
        found = [list(key)]
        for each in self._inspector.get_unique_constraints(name, schema=self._schema):
            found.append(list(each["column_names"]))
        for index in self._inspector.get_indexes(name, schema=self._schema):
            if index["unique"]:
                found.append([str(column) for column in index["column_names"]])
        return tuple(dict.fromkeys(columns[0] for columns in found if len(columns) == 1))

    def _declared(self, names: Sequence[str]) -> list[Link]:
        return [
            Link(
                table=name,
                column=each["constrained_columns"][0],
                to_table=each["referred_table"],
                to_column=(each["referred_columns"] or [""])[0],
                declared=True,
            )
            for name in names
            for each in self._inspector.get_foreign_keys(name, schema=self._schema)
            if each["constrained_columns"]
        ]

    def _measure(self, pair: Pair) -> Measured | None:
        """How many of a sample of values are in the other table's key."""
        mine = self._sample(pair.table, pair.column)
        other = self._clauses[pair.to_table]
        key = other.c[pair.to_column]
        found = 0
        for first in range(0, len(mine), 100):
            asked = sa.select(sa.func.count(sa.distinct(key))).where(
                key.in_(mine[first : first + 100])
            )
            found += self._connection.scalar(asked) or 0
        return Measured(pair, len(mine), found, 0)

    def _sample(self, table: str, column: str) -> list[Any]:
        place = (table, column)
        if place not in self._values:
            chosen = self._clauses[table].c[column]
            asked = sa.select(chosen).where(chosen.is_not(None)).distinct().limit(VALUES)
            values = self._connection.scalars(asked).all()
            self._values[place] = [each for each in values if each != ""]
        return self._values[place]

    def _roles(self, tables: Sequence[Table]) -> dict[str, str]:
        """Who has which role, where a table of users says so."""
        for table in tables:
            login = next((c for c in table.unique if _LOGIN.search(c)), None)
            role = next((c.name for c in table.columns if _ROLE.search(c.name)), None)
            if login and role:
                clause = self._clauses[table.name]
                asked = sa.select(clause.c[login], clause.c[role]).limit(USERS_MAX)
                return {str(row[0]): str(row[1]) for row in self._connection.execute(asked)}
        return {}
