"""The old clinic's file: opened, or made and filled when there is none."""

import sqlite3
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from polyclinic.demo.legacy import making, schema
from polyclinic.foundation import clock

Json = dict[str, Any]
FILE = "harbor.db"


def make(file: Path, *, rows: int, seed: int, today: date) -> None:
    """A new file with about so many rows; one that is there already stays as it is."""
    if file.exists():
        return
    half = file.with_suffix(".part")
    half.unlink(missing_ok=True)
    connection = sqlite3.connect(half, isolation_level=None)
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    connection.executescript(schema.SQL)
    making.fill(connection, making.Maker(seed, today, making.patients_for(rows)))
    connection.executescript(schema.triggers())
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    half.replace(file)


class Kept:
    """One connection; a statement of its own is a transaction of its own."""

    def __init__(self, file: Path) -> None:
        self._file = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._file.row_factory = sqlite3.Row
        self._file.execute("PRAGMA busy_timeout = 10000")
        self._file.execute("PRAGMA synchronous = NORMAL")

    def close(self) -> None:
        self._file.close()

    def all(self, query: str, *values: object) -> list[Json]:
        return [dict(row) for row in self._file.execute(query, values)]

    def one(self, query: str, *values: object) -> Json | None:
        row = self._file.execute(query, values).fetchone()
        return None if row is None else dict(row)

    def write(self, statements: Sequence[tuple[str, Sequence[object]]]) -> None:
        """All of them or none."""
        self._file.execute("BEGIN IMMEDIATE")
        try:
            for query, values in statements:
                self._file.execute(query, values)
        except BaseException:
            self._file.execute("ROLLBACK")
            raise
        self._file.execute("COMMIT")

    def do(self, query: str, *values: object) -> None:
        self.write([(query, values)])

    def next_of(self, table: str, column: str) -> int:
        return int(self.one(f"SELECT coalesce(max({column}), 0) + 1 AS n FROM {table}")["n"])  # type: ignore[index]  # noqa: S608


def stamp() -> str:
    return f"{clock.now():%Y-%m-%dT%H:%M:%SZ}"
