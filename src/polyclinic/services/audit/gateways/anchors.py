"""The anchor file: checkpoints outside the database, one after the other, never rewritten."""

import os
import re
from pathlib import Path
from typing import BinaryIO

from polyclinic.foundation.errors import Unavailable

TAIL_BYTES = 64 * 1024  # of a file that grows for years only the end is read; a note has 300 bytes
_END = re.compile(r"\n\n(?:— [^\n]+\n)+\n".encode())


class Anchors:
    """Adds notes to a file and reads the last one; raises Unavailable when that cannot be done."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def last(self) -> str | None:
        """The last whole note; None while there is no file."""
        try:
            with self._file.open("rb") as content:
                note, _ = _last_note(content)
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as refused:
            raise Unavailable("The anchor file cannot be read.", place="anchor_file") from refused
        return note

    def pin(self, key: str) -> None:
        """Keeps the public key beside the file, unless one is there: the first one counts."""
        beside = self._file.with_suffix(".key")
        try:
            if not beside.exists():
                beside.write_text(key + "\n", encoding="utf-8")
        except OSError as refused:
            raise Unavailable("The audit key cannot be written.", place="anchor_file") from refused

    def add(self, notes: list[str]) -> None:
        """On disk when it returns. What a crash left half written is cut off first."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o644)
            with os.fdopen(handle, "r+b") as out:
                _, end = _last_note(out)
                out.truncate(end)
                out.seek(end)
                out.write("".join(note + "\n" for note in notes).encode())
                out.flush()
                os.fsync(out.fileno())
        except (OSError, UnicodeDecodeError) as refused:
            raise Unavailable(
                "The anchor file cannot be written.", place="anchor_file"
            ) from refused


def _last_note(content: BinaryIO) -> tuple[str | None, int]:
    """The last whole note and where it ends; a file that holds none ends at 0."""
    size = content.seek(0, os.SEEK_END)
    start = max(0, size - TAIL_BYTES)
    content.seek(start)
    tail = content.read()
    ends = [found.end() for found in _END.finditer(tail)]
    if not ends:
        if start:
            raise Unavailable("The anchor file holds something else.", place="anchor_file")
        return None, 0
    begins = ends[-2] if len(ends) > 1 else 0
    return tail[begins : ends[-1] - 1].decode(), start + ends[-1]
