"""What an old PostgreSQL has of what a source names: tables, columns, keys and our rights."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from polyclinic.foundation.errors import Invalid
from polyclinic.foundation.foreign import Lacking
from polyclinic.services.migration.domain.crossing import Log, Pair, Source
from polyclinic.services.migration.domain.old_keys import Row

Fetch = Callable[[Any], Awaitable[list[Row]]]
_INTEGERS = ("smallint", "integer", "bigint")
# Ordinary and partitioned tables.
_TABLES = ("r", "p")


@dataclass(frozen=True, slots=True)
class Shape:
    """A table with the rows of the catalogue on its columns, by their names."""

    table: Any
    columns: dict[str, Row]

    @property
    def types(self) -> dict[str, str]:
        return {name: row["type"] for name, row in self.columns.items()}

    def has_default(self, name: str) -> bool:
        return self.columns[name]["has_default"]


class Shapes:
    """Each table is looked at once, and again when it does not have what it should."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._known: dict[str, Shape] = {}

    async def of(self, name: str) -> Shape:
        """Raises Lacking: there is no such table."""
        if name not in self._known:
            rows = await self._fetch(_catalogue(name))
            if not rows:
                raise Lacking(place="source")
            columns = {row["name"]: row for row in rows}
            table = sa.table(name, *(sa.column(each) for each in columns))
            self._known[name] = Shape(table, columns)
        return self._known[name]


async def check_source(fetch: Fetch, shapes: Shapes, source: Source) -> None:
    """Raises Invalid: the first table, column, key or right that is missing."""
    (row,) = await fetch(sa.select(sa.func.pg_is_in_recovery().label("is_replica")))
    if row["is_replica"]:
        raise Invalid("This is a replica: it cannot say who writes; name its primary.", place="url")
    log, place = source.log, "log"
    shape = await _there(shapes, log.table, place)
    _check_columns(shape, (log.number, log.of, log.key, log.origin), "SELECT", place)
    if shape.types[log.number] not in _INTEGERS:
        raise Invalid("The log's numbers are no whole numbers.", place="log.number")
    await _check_sequence(fetch, log)
    for pair in source.pairs:
        place = f"pairs.{pair.name}"
        shape = await _there(shapes, pair.table, place)
        linked = [f.by for p in source.pairs for f in p.fields if f.by and f.table == pair.table]
        _check_columns(shape, (*pair.columns, *linked), "SELECT", place)
        key = shape.columns[pair.key]
        if not (key["key_indexes"] and key["is_filled"]):
            text = f"{pair.key} is no key of {pair.table}: unique and never empty."
            raise Invalid(text, place=f"{place}.key")
        if (pair.number == "integer") != (key["type"] in _INTEGERS):
            text = f"{pair.key} is {key['type']}: `number` says integer for whole numbers alone."
            raise Invalid(text, place=f"{place}.number")


async def check_back(shapes: Shapes, source: Source, pair: Pair) -> None:
    """Raises Invalid: what stands in the way of writing rows of this pair."""
    place = f"pairs.{pair.name}"
    shape = await _there(shapes, pair.table, place)
    returning: list[str] = [field.column for field in pair.fields if field.returns]
    written = {*returning, *([pair.touch] if pair.touch else [])}
    _check_columns(shape, written, "UPDATE", place)
    makes = shape.has_default(pair.key)
    _check_columns(shape, (*written, *pair.fresh, *([] if makes else [pair.key])), "INSERT", place)
    if not makes and pair.number == "integer":
        text = f"{pair.key} of {pair.table} has no default: give it a sequence or an identity."
        raise Invalid(text, place=f"{place}.key")
    name, _, column = source.log.tag.partition(".")
    tag = await _there(shapes, name, "log.tag")
    for right in ("SELECT", "INSERT"):
        _check_columns(tag, (column,), right, "log.tag")
    if not tag.columns[column]["may_delete"]:
        raise Invalid(f"The right to DELETE of {name} is missing.", place="log.tag")


async def _there(shapes: Shapes, name: str, place: str) -> Shape:
    try:
        shape = await shapes.of(name)
    except Lacking:
        text = f"There is no table {name} on the search path; add `?search_path=` to the address."
        raise Invalid(text, place=place) from None
    if next(iter(shape.columns.values()))["relkind"] not in _TABLES:
        raise Invalid(f"{name} is no table.", place=place)
    return shape


def _check_columns(shape: Shape, names: Iterable[str], right: str, place: str) -> None:
    for name in names:
        column = shape.columns.get(name)
        if column is None:
            text = f"The table {shape.table.name} has no column {name}."
            raise Invalid(text, place=f"{place}.{name}")
        if not column[right]:
            text = f"The right to {right} {name} of {shape.table.name} is missing."
            raise Invalid(text, place=f"{place}.{name}")


async def _check_sequence(fetch: Fetch, log: Log) -> None:
    """Numbers that a session draws ahead of time may be used long after higher ones."""
    sequences = sa.table("pg_sequence", sa.column("seqrelid"), sa.column("seqcache"))
    name = sa.func.pg_get_serial_sequence(_quoted(log.table), log.number)
    rows = await fetch(
        sa.select(sequences.c.seqcache).where(sequences.c.seqrelid == sa.func.to_regclass(name))
    )
    if rows and rows[0]["seqcache"] != 1:
        text = "The log's numbers are drawn ahead of time; ALTER SEQUENCE … CACHE 1."
        raise Invalid(text, place="log.number")


def _quoted(name: str) -> str:
    return f'"{name}"'


def _catalogue(name: str) -> Any:
    a = _known("pg_attribute", "a", "attrelid", "attnum", "attname", "atttypid", "attnotnull",
               "atthasdef", "attidentity", "attisdropped")  # fmt: skip
    c = _known("pg_class", "c", "oid", "relkind")
    rights = [
        sa.func.has_column_privilege(a.attrelid, a.attnum, right).label(right)
        for right in ("SELECT", "INSERT", "UPDATE")
    ]
    has_default = sa.or_(a.atthasdef, a.attidentity != "")
    return (
        sa.select(
            sa.cast(a.attname, sa.Text).label("name"),
            sa.func.format_type(a.atttypid, -1).label("type"),
            sa.cast(c.relkind, sa.Text).label("relkind"),
            a.attnotnull.label("is_filled"),
            has_default.label("has_default"),
            _unique(a).label("key_indexes"),
            sa.func.has_table_privilege(a.attrelid, "DELETE").label("may_delete"),
            *rights,
        )
        .where(a.attrelid == sa.func.to_regclass(_quoted(name)), c.oid == a.attrelid)
        .where(a.attnum > 0, sa.not_(a.attisdropped))
        .order_by(a.attnum)
    )


def _unique(a: Any) -> Any:
    """The indexes that say that this column alone names a row."""
    i = _known("pg_index", "i", "indexrelid", "indrelid", "indkey", "indisunique", "indisvalid",
               "indpred")  # fmt: skip
    c = _known("pg_class", "n", "oid", "relname")
    names = sa.select(sa.func.array_agg(sa.cast(c.relname, sa.Text))).where(
        c.oid == i.indexrelid,
        i.indrelid == a.attrelid,
        i.indisunique,
        i.indisvalid,
        i.indpred.is_(None),
        sa.cast(i.indkey, sa.Text) == sa.cast(a.attnum, sa.Text),
    )
    return names.scalar_subquery()


def _known(name: str, alias: str, *columns: str) -> Any:
    named = (sa.column(each, _TYPES.get(each, sa.types.NullType())) for each in columns)
    return sa.table(name, *named, schema="pg_catalog").alias(alias).c


_TYPES: dict[str, Any] = {
    name: sa.Boolean()
    for name in ("attnotnull", "atthasdef", "attisdropped", "indisunique", "indisvalid")
}
