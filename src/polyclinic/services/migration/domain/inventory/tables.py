"""Tables out of a dump of information_schema.columns, or out of a folder of CSV exports."""

import csv
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from polyclinic.foundation.errors import Invalid
from polyclinic.services.migration.domain.inventory.findings import (
    COLUMNS_MAX,
    NAME_MAX,
    TABLES_MAX,
    BadLine,
    Column,
    Table,
)

# So many rows of an export are looked at, and so many different values of a column remembered.
ROWS_MAX, VALUES_MAX = 20_000, 20_000
CELL_MAX = 64 * 1024
BAD_SHOWN = 50


@dataclass(slots=True)
class Sample:
    """A column's values as hashes, for finding links; thrown away with the reader."""

    values: set[bytes] = field(default_factory=set[bytes])
    rows: int = 0
    filled: int = 0
    numbers: int = 0
    longest: int = 0

    def add(self, value: str) -> None:
        self.rows += 1
        if value == "":
            return
        self.filled += 1
        self.numbers += value.lstrip("-").isdigit()
        self.longest = max(self.longest, len(value))
        if len(self.values) < VALUES_MAX:
            self.values.add(hashed(value))

    @property
    def is_unique(self) -> bool:
        return 0 < self.filled == self.rows == len(self.values)

    @property
    def type(self) -> str:
        if self.filled == 0:
            return ""
        return "integer" if self.numbers == self.filled else "text"


def hashed(value: object) -> bytes:
    return hashlib.blake2b(str(value).encode(), digest_size=8).digest()


def read_information_schema(content: bytes, label: str = "") -> tuple[Table, ...]:
    """`table_name, column_name, data_type, …` as CSV with a head, or as a JSON list of objects."""
    columns: dict[str, list[Column]] = {}
    keys: dict[str, list[str]] = {}
    for row in _rows(content, label):
        table, column = str(row.get("table_name") or ""), str(row.get("column_name") or "")
        if not table or not column:
            raise Invalid("A row without table_name or column_name.", place=label)
        nullable = str(row.get("is_nullable", "YES")).upper() not in ("NO", "FALSE", "0")
        kind = str(row.get("data_type") or "").lower()[:60]
        listed = columns.setdefault(table[:NAME_MAX], [])
        if len(listed) < COLUMNS_MAX:
            listed.append(Column(column[:NAME_MAX], kind, nullable))
        if str(row.get("column_key") or row.get("constraint_type") or "").upper().startswith("PRI"):
            keys.setdefault(table, []).append(column)
    if not columns:
        raise Invalid("No table is described here.", place=label)
    return tuple(
        Table(
            name=name,
            columns=tuple(listed),
            key=tuple(keys.get(name, ())),
            unique=tuple(keys[name]) if len(keys.get(name, ())) == 1 else (),
        )
        for name, listed in list(columns.items())[:TABLES_MAX]
    )


def _rows(content: bytes, label: str) -> Iterator[Mapping[str, Any]]:
    try:
        if content.lstrip()[:1] == b"[":
            for each in msgspec.json.decode(content, type=list[dict[str, Any]]):
                yield {name.lower(): value for name, value in each.items()}
            return
        for row in csv.DictReader(content.decode("utf-8-sig").splitlines()):
            yield {str(name).lower(): value for name, value in row.items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, csv.Error) as refused:
        raise Invalid("This is neither CSV nor a JSON list.", place=label) from refused


def read_csv(name: str, lines: Iterable[str]) -> "Export":
    """One export with a head: its columns, samples of values, and the rows that do not fit."""
    reader = csv.reader(lines)
    head = [each.strip()[:NAME_MAX] for each in next(reader, [])][:COLUMNS_MAX]
    if not any(head):
        raise Invalid("An export without a head of column names.", place=name)
    export = Export(name, {column: Sample() for column in head if column})
    for row in _each(reader):
        export.rows += 1
        if len(row) != len(head) or any(len(cell) > CELL_MAX for cell in row):
            export.refuse(reader.line_num)
        elif export.rows <= ROWS_MAX:
            for column, cell in zip(head, row, strict=True):
                if column:
                    export.samples[column].add(cell.strip())
    return export


@dataclass(slots=True)
class Export:
    """What one file showed; its samples are thrown away with it."""

    name: str
    samples: dict[str, Sample]
    rows: int = 0
    bad: int = 0
    bad_lines: list[BadLine] = field(default_factory=list[BadLine])

    def refuse(self, line: int) -> None:
        self.bad += 1
        if len(self.bad_lines) < BAD_SHOWN:
            self.bad_lines.append(BadLine(line, "another number of cells than the head"))

    @property
    def table(self) -> Table:
        unique = tuple(column for column, sample in self.samples.items() if sample.is_unique)
        columns = tuple(Column(column, sample.type) for column, sample in self.samples.items())
        return Table(name=self.name, columns=columns, key=unique[:1], unique=unique, rows=self.rows)


def _each(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """Every row; one that the csv module refuses is an empty one."""
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield []
