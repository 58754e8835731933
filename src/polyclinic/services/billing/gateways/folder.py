"""A folder through which files travel: ours go to `out`, theirs come to `in`.

A file that is being written has a name that begins with a point; it counts when it has its own.
What was taken in moves to `done`, what was held or refused to `held`: nothing is deleted.
"""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

SIZE_MAX = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Folder:
    """The exchange folder of the settings."""

    path: Path

    def put(self, name: str, content: bytes) -> None:
        """Writes a file that is there whole or not at all, also after a power cut."""
        target = self._part("out") / name
        half = target.with_name(f".{name}.part")
        with half.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        half.replace(target)

    def names(self) -> list[str]:
        """What has come, the oldest name first."""
        found = self._part("in").iterdir()
        return sorted(f.name for f in found if f.is_file() and not f.name.startswith("."))

    def read(self, name: str) -> bytes:
        """The content; of a file that is too large only so much that it is refused."""
        with (self._part("in") / name).open("rb") as file:
            return file.read(SIZE_MAX + 1)

    def done(self, name: str, *, is_good: bool) -> None:
        """Puts it aside; a name that was there before gets a number."""
        target = self._part("done" if is_good else "held") / name
        number = 1
        while target.exists():
            number += 1
            target = target.with_name(f"{name}.{number}")
        with contextlib.suppress(FileNotFoundError):  # another replica was faster
            (self.path / "in" / name).replace(target)

    def _part(self, name: str) -> Path:
        part = self.path / name
        part.mkdir(parents=True, exist_ok=True)
        return part
