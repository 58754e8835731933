"""The old clinic's database, as a file of SQLite and in a PostgreSQL, written to by the same words.

A statement has `?` for its values and is a transaction of its own.
"""

import asyncio
import itertools
import re
import sqlite3
import threading
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from polyclinic.demo.legacy import kept, schema

TODAY = date(2026, 3, 2)
ROLE, PASSWORD = "old_clinic_mover", "a pass:word that no log may show"
MOVED = ("patients", "allergies", "problems", "meds", "labs", "appts")
# As somebody would write them for PostgreSQL: the line is the log's owner's to write.
TRIGGERS = """
    CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = harbor, pg_temp AS $$
    BEGIN
        INSERT INTO chg_log (tbl, pk, op, origin) VALUES (
            TG_TABLE_NAME,
            CASE TG_OP WHEN 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END ->> TG_ARGV[0],
            left(TG_OP, 1), coalesce((SELECT tag FROM chg_origin), ''));
        RETURN NULL;
    END $$;"""


class OldSqlite:
    """A file with about so many rows."""

    def __init__(self, folder: Path, rows: int) -> None:
        file = folder / kept.FILE
        kept.make(file, rows=rows, seed=7, today=TODAY)
        self.url = f"sqlite:///{file}"
        self._file = sqlite3.connect(file, timeout=20, check_same_thread=False)

    def all(self, query, *values):
        return self._file.execute(query, values).fetchall()

    def do(self, statement, *values):
        with self._file:
            self._file.execute(statement, values)

    def close(self):
        self._file.close()


class OldPostgres:
    """The same rows in a schema of a PostgreSQL. Its words are blocking: a loop of its own."""

    def __init__(self, owner_url: str, folder: Path, rows: int) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self._owner_url = f"{owner_url}&search_path=harbor"
        self._connection = self.wait(asyncpg.connect(self._owner_url))
        old = OldSqlite(folder, rows)
        self.wait(self._make(old))
        old.close()
        parts = urlsplit(owner_url)
        where = parts.netloc.rpartition("@")[2]
        self.passfile = folder / "passwords"
        self.passfile.write_text(f"*:*:*:{ROLE}:{PASSWORD}\n")
        self.passfile.chmod(0o600)
        self.url = urlunsplit(parts._replace(netloc=f"{ROLE}@{where}")) + "&search_path=harbor"

    def wait(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def all(self, query, *values):
        rows = self.wait(self._connection.fetch(_numbered(query), *values))
        return [tuple(row) for row in rows]

    def do(self, statement, *values):
        self.wait(self._connection.execute(_numbered(statement), *values))

    def another(self):
        """A connection beside, for what stays open."""
        return self.wait(asyncpg.connect(self._owner_url))

    def close(self):
        self.wait(self._connection.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def clinic_kept(self):
        """What the old clinic's own program asks instead of its file."""
        return _Kept(self)

    async def _make(self, old: OldSqlite) -> None:
        run = self._connection.execute
        await run("CREATE SCHEMA harbor")
        await run(_translated(schema.SQL))
        for table, columns in schema.TABLES.items():
            rows = old.all(f"SELECT {', '.join(columns)} FROM {table}")
            marks = ", ".join(f"${n}::text::{kind}" for n, kind in await self._kinds(table))
            texts = [[None if v is None else str(v) for v in row] for row in rows]
            await self._connection.executemany(f"INSERT INTO {table} VALUES ({marks})", texts)
            key = schema.KEYS[table]
            if key and rows:
                sequence = f"pg_get_serial_sequence('{table}', '{key}')"
                await run(
                    f"SELECT setval({sequence}, (SELECT max({key})::text::bigint FROM {table}))"
                    f" WHERE {sequence} IS NOT NULL"
                )
        await run(TRIGGERS)
        for table in schema.WATCHED:
            await run(
                f"CREATE TRIGGER chg AFTER INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW"
                f" EXECUTE FUNCTION note_change('{schema.KEYS[table]}')"
            )
        await run("CREATE INDEX ON chg_log (tbl, pk); CREATE INDEX ON chg_log (origin)")
        await run(f"""
            DO $$ BEGIN CREATE ROLE {ROLE} LOGIN; EXCEPTION WHEN duplicate_object THEN END $$;
            ALTER ROLE {ROLE} PASSWORD '{PASSWORD}';
            GRANT USAGE ON SCHEMA harbor TO {ROLE};
            GRANT SELECT, INSERT, UPDATE ON {", ".join(MOVED)} TO {ROLE};
            GRANT SELECT ON chg_log TO {ROLE};
            GRANT SELECT, INSERT, DELETE ON chg_origin TO {ROLE}""")

    async def _kinds(self, table):
        rows = await self._connection.fetch(
            "SELECT attnum, format_type(atttypid, atttypmod) FROM pg_attribute"
            " WHERE attrelid = $1::regclass AND attnum > 0 ORDER BY attnum", f"harbor.{table}"
        )  # fmt: skip
        return [tuple(row) for row in rows]


class _Kept(kept.Kept):
    """One connection, which several of the program's threads share."""

    def __init__(self, old: OldPostgres) -> None:
        self._old, self._connection, self._turn = old, old.another(), threading.Lock()

    def close(self):
        self._old.wait(self._connection.close())

    def all(self, query, *values):
        with self._turn:
            rows = self._old.wait(self._connection.fetch(_numbered(query), *values))
        return [dict(row) for row in rows]

    def one(self, query, *values):
        return next(iter(self.all(query, *values)), None)

    def write(self, statements):
        async def work():
            async with self._connection.transaction():
                for query, values in statements:
                    await self._connection.execute(_numbered(query), *values)

        with self._turn:
            self._old.wait(work())

    def next_of(self, table, column):
        """A program on PostgreSQL draws its keys."""
        drawn = self.one(f"SELECT nextval(pg_get_serial_sequence('{table}', '{column}')) AS n")
        return drawn["n"]


def _translated(sql: str) -> str:
    identity = "integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"
    sql = sql.replace("INTEGER PRIMARY KEY AUTOINCREMENT", identity)
    sql = sql.replace("INTEGER PRIMARY KEY", identity)
    return re.sub(r"\(strftime\([^)]*\)\)", "to_char(now(), 'YYYY-MM-DD\"T\"HH24:MI:SS')", sql)


def _numbered(statement: str) -> str:
    numbers = itertools.count(1)
    return re.sub(r"\?", lambda _: f"${next(numbers)}", statement)
