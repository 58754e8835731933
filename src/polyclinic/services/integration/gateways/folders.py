"""Folders that other systems drop files into, by SFTP or a share.

A file is looked at until it stands still, then moved out of the sender's reach under a name of
our own, read, and deleted once what it held is committed. A sender may write slowly, rename, leave
links or call a file what it likes: none of that names a path of ours.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from polyclinic.foundation import ids

# How files that are still being written are called by those who are careful.
_UNFINISHED = (".part", ".tmp", ".filepart", ".writing", ".crdownload")
FILES_MAX = 200


@dataclass(frozen=True, slots=True)
class Sign:
    """By which a file is known again, and known to have stood still."""

    inode: int
    size: int
    changed: int


@dataclass(slots=True)
class Folders:
    """The drop folders below a root, one a channel: `<root>/<channel>/`."""

    root: Path
    _seen: dict[tuple[str, str], Sign] = field(default_factory=dict[tuple[str, str], Sign])

    def take(self, channel: str) -> list[Path]:
        """Files that stood still since the last look, and those that a crash left behind."""
        drop, taken = self.root / channel, self._own("taken", channel)
        drop.mkdir(parents=True, exist_ok=True)
        seen: dict[tuple[str, str], Sign] = {}
        for name, sign in list(_files(drop))[:FILES_MAX]:
            if self._seen.get((channel, name)) != sign:
                seen[channel, name] = sign
                continue
            claimed = taken / ids.new_id()
            (drop / name).rename(claimed)
        self._seen = {key: s for key, s in self._seen.items() if key[0] != channel} | seen
        return sorted(path for path in taken.iterdir())

    def refuse(self, channel: str, file: Path, reason: str) -> None:
        """Keeps a file that nothing could be made of, and beside it why; who runs this looks."""
        folder = self._own("refused", channel)
        (folder / f"{file.name}.txt").write_text(reason)
        file.rename(folder / file.name)

    def note(self, channel: str, file: Path, text: str) -> None:
        """What was left out of a file that was taken."""
        (self._own("refused", channel) / f"{file.name}.txt").write_text(text)

    def _own(self, what: str, channel: str) -> Path:
        """A folder that no sender can reach into, on the same file system."""
        folder = self.root / f".{what}" / channel
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder


class NotAFile(OSError):
    """A link, a pipe or a second name of something else."""


def read(file: Path, most: int) -> bytes:
    """The bytes of a claimed file; raises NotAFile, or OSError when it is longer than `most`."""
    handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as opened:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise NotAFile("This is no plain file.")
        content = opened.read(most + 1)
    if len(content) > most:
        raise OSError("The file is longer than this server takes.")
    return content


def _files(folder: Path) -> Iterator[tuple[str, Sign]]:
    """Plain files, oldest first; what is called unfinished is."""
    found: list[tuple[int, str, Sign]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name.lower().endswith(_UNFINISHED):
                continue
            if not entry.is_file(follow_symlinks=False):
                continue
            info = entry.stat(follow_symlinks=False)
            sign = Sign(info.st_ino, info.st_size, info.st_mtime_ns)
            found.append((info.st_mtime_ns, entry.name, sign))
    yield from ((name, sign) for _, name, sign in sorted(found))
