"""What a folder of backups holds: its copies, how they hang together, how whole the log is."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from polyclinic.foundation.errors import Invalid, NotFound

SEGMENT = re.compile(r"[0-9A-F]{24}")
SEGMENT_BYTES = 16 << 20  # initdb's default, which ours is


class NoBackup(NotFound):
    """There is no backup that reaches that time."""


class LogIncomplete(Invalid):
    """A piece of the write-ahead log is missing."""


class Taken(msgspec.Struct, frozen=True):
    """One copy of the database. Times are the server's; whatever was kept at `ended` is in it."""

    label: str
    kind: str  # full, incremental
    parent: str | None
    began: datetime
    ended: datetime
    timeline: int
    start: str  # positions in the write-ahead log, as PostgreSQL writes them
    stop: str
    server: str
    size: int  # bytes on the disk
    key: str = ""  # the fingerprint of the root key that opens it
    seed: str = "none"  # what was said about the demo clinic


@dataclass(frozen=True)
class Catalog:
    """The copies and the log in one folder."""

    folder: Path

    @property
    def wal(self) -> Path:
        return self.folder / "wal"

    def place_of(self, taken: Taken) -> Path:
        return self.folder / "base" / taken.label

    def all(self) -> list[Taken]:
        """Every finished copy, oldest first."""
        notes = (self.folder / "base").glob("*/backup.json")
        found = [msgspec.json.decode(note.read_bytes(), type=Taken) for note in notes]
        return sorted(found, key=lambda taken: taken.ended)

    def chain(self, taken: Taken) -> list[Taken]:
        """A copy and those that it builds on, the full one first."""
        known = {each.label: each for each in self.all()}
        found = [taken]
        while (parent := found[0].parent) is not None:
            if parent not in known:
                raise NoBackup(
                    f"The backup {found[0].label} builds on {parent}, which is not there."
                )
            found.insert(0, known[parent])
        return found

    def newest(self) -> Taken:
        return self.before(None)

    def before(self, moment: datetime | None) -> Taken:
        """The newest copy that was whole at that moment."""
        found = [taken for taken in self.all() if moment is None or taken.ended <= moment]
        if found:
            return found[-1]
        first = next(iter(self.all()), None)
        if first is None:
            raise NoBackup(f"There is no backup in {self.folder}; `polyclinic backup` takes one.")
        raise NoBackup(
            f"The first backup in {self.folder} ended at {first.ended.isoformat()}; "
            "nothing earlier can be restored from it.",
            place="to",
        )

    def segments(self) -> list[str]:
        """The names of the pieces of the log that are kept, in order."""
        names = (file.name.removesuffix(".gz") for file in self.wal.glob("*.gz"))
        return sorted(name for name in names if SEGMENT.fullmatch(name))

    def reaches(self) -> datetime | None:
        """When the newest piece was kept: nothing later can be in the log."""
        pieces = self.segments()
        if not pieces:
            return None
        kept = (self.wal / f"{pieces[-1]}.gz").stat().st_mtime
        return datetime.fromtimestamp(kept, UTC)

    def check_log(self, since: Taken) -> None:
        """Refuses a log with a hole after a copy began: recovery would end there without a word."""
        there = {_number(name) for name in self.segments()}
        first = position(since.start) // SEGMENT_BYTES
        missing = [number for number in range(first, max(there, default=0)) if number not in there]
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise LogIncomplete(
                f"The archive {self.wal} lacks {_name(since.timeline, missing[0])}{more}: what was "
                "written in it and after it cannot be recovered."
            )


def position(text: str) -> int:
    """A position of the log as a number: `16/B374D848`."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def _number(segment: str) -> int:
    return (int(segment[8:16], 16) << 8) + int(segment[16:], 16)


def _name(timeline: int, number: int) -> str:
    return f"{timeline:08X}{number >> 8:08X}{number & 0xFF:08X}"
