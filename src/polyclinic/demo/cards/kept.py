"""What the gateway keeps: objects as JSON, idempotency keys, events, and its own clock."""

import hashlib
import secrets
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from polyclinic.foundation import clock

Json = dict[str, Any]
_SCHEMA = """
CREATE TABLE IF NOT EXISTS object (
    n INTEGER PRIMARY KEY, id TEXT UNIQUE, kind TEXT, created INTEGER, body BLOB);
CREATE TABLE IF NOT EXISTS key (name TEXT PRIMARY KEY, asked BLOB, status INTEGER, body BLOB);
CREATE TABLE IF NOT EXISTS event (
    n INTEGER PRIMARY KEY, id TEXT UNIQUE, due INTEGER, body BLOB, tries INTEGER DEFAULT 0,
    heard INTEGER DEFAULT 0);
CREATE TABLE IF NOT EXISTS word (name TEXT PRIMARY KEY, value INTEGER);
"""
_PREFIXES = {"checkout.session": "cs_", "payment_intent": "pi_", "refund": "re_", "dispute": "dp_",
             "event": "evt_"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where it keeps its file, the secrets it shares with the clinic, and whom it tells."""

    url: str
    key: str = "sk_test_demo"
    secret: str = "whsec_demo"  # noqa: S105 - a demo's; nothing real is behind it
    file: str = ":memory:"
    hook: str | None = None
    settle_seconds: int = 20  # how long a debit is on its way


class Kept:
    """One SQLite file; every request is one transaction of it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._file = sqlite3.connect(settings.file, isolation_level=None, check_same_thread=False)
        self._file.executescript(_SCHEMA)
        self._deep = 0
        self.trouble: list[str] = []  # what goes wrong next, told by the tests

    def close(self) -> None:
        self._file.close()

    @contextmanager
    def whole(self) -> Generator[None, None, None]:
        """All that is done in it is kept together; what lies inside another belongs to it."""
        if self._deep == 0:
            self._file.execute("BEGIN IMMEDIATE")
        self._deep += 1
        try:
            yield
        except BaseException:
            self._deep -= 1
            if self._deep == 0:
                self._file.execute("ROLLBACK")
            raise
        self._deep -= 1
        if self._deep == 0:
            self._file.execute("COMMIT")

    def now(self) -> int:
        return int(clock.now().timestamp()) + self._word("ahead")

    def go_ahead(self, seconds: int) -> None:
        self._file.execute(
            "INSERT INTO word VALUES ('ahead', ?) ON CONFLICT DO UPDATE SET value = value + ?",
            (seconds, seconds),
        )

    def _word(self, name: str) -> int:
        row = self._file.execute("SELECT value FROM word WHERE name = ?", (name,)).fetchone()
        return row[0] if row else 0

    def add(self, kind: str, **values: Any) -> Json:
        made: Json = {
            "id": _PREFIXES[kind] + secrets.token_hex(12),
            "object": kind,
            "created": self.now(),
            "livemode": False,
            **values,
        }
        self._file.execute(
            "INSERT INTO object (id, kind, created, body) VALUES (?, ?, ?, ?)",
            (made["id"], kind, made["created"], msgspec.json.encode(made)),
        )
        return made

    def save(self, changed: Json) -> Json:
        self._file.execute(
            "UPDATE object SET body = ? WHERE id = ?",
            (msgspec.json.encode(changed), changed["id"]),
        )
        return changed

    def find(self, kind: str, name: str) -> Json | None:
        query = "SELECT body FROM object WHERE id = ? AND kind = ?"
        row = self._file.execute(query, (name, kind)).fetchone()
        return msgspec.json.decode(row[0]) if row else None

    def all(self, kind: str) -> list[Json]:
        """The newest one first, as lists are given out."""
        query = "SELECT body FROM object WHERE kind = ? ORDER BY n DESC"
        return [msgspec.json.decode(row[0]) for row in self._file.execute(query, (kind,))]

    def answered(self, key: str) -> tuple[bytes, int, bytes] | None:
        query = "SELECT asked, status, body FROM key WHERE name = ?"
        return self._file.execute(query, (key,)).fetchone()

    def answer(self, key: str, asked: bytes, status: int, body: bytes) -> None:
        self._file.execute("INSERT INTO key VALUES (?, ?, ?, ?)", (key, asked, status, body))

    def tell(self, kind: str, about: Json, delay: int = 0) -> None:
        """An event to be sent; what it says is how things were at that moment."""
        name = _PREFIXES["event"] + secrets.token_hex(12)
        event = {"id": name, "object": "event", "type": kind, "created": self.now(),
                 "livemode": False, "data": {"object": about}}  # fmt: skip
        self._file.execute(
            "INSERT INTO event (id, due, body) VALUES (?, ?, ?)",
            (name, self.now() + delay, msgspec.json.encode(event)),
        )

    def untold(self) -> list[tuple[str, bytes]]:
        """Events that are due and that nobody has confirmed."""
        query = "SELECT id, body FROM event WHERE NOT heard AND due <= ? ORDER BY n LIMIT 100"
        return self._file.execute(query, (self.now(),)).fetchall()

    def events(self) -> list[tuple[str, bytes]]:
        return self._file.execute("SELECT id, body FROM event ORDER BY n").fetchall()

    def heard(self, name: str) -> None:
        self._file.execute("UPDATE event SET heard = 1 WHERE id = ?", (name,))

    def later(self, name: str) -> None:
        """Nobody confirmed it: again after a while that grows."""
        self._file.execute(
            "UPDATE event SET tries = tries + 1, due = ? + min(3600, 1 << min(tries, 12))"
            " WHERE id = ?",
            (self.now(), name),
        )


def digest(*parts: bytes) -> bytes:
    return hashlib.sha256(b"\0".join(parts)).digest()
