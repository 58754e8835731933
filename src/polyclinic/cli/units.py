"""What is sent in one piece: a file of JSON, or up to 500 lines of NDJSON; nothing is unpacked.

Files, folders and tars are read from start to end as a stream, at most one unit in memory at a
time. A name inside a tar is only ever shown, never opened as a path.
"""

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, cast

from polyclinic.foundation.errors import Invalid

LINES_MAX = 500
# The platform takes 32 MB in one request; less is left for a long line.
LINES_BYTES_MAX = 16 << 20
FILE_BYTES_MAX = 256 << 20  # a gzip that opens into more is no Bundle
JSON, NDJSON = "application/fhir+json", "application/fhir+ndjson"
KINDS = {".json": JSON, ".ndjson": NDJSON, ".jsonl": NDJSON}
TARS = (".tar", ".tar.gz", ".tgz")


class Unreadable(Invalid):
    """That cannot be imported."""


@dataclass(frozen=True)
class Unit:
    """One request: all of it is taken or none."""

    source: str  # the file's name without its folder
    kind: str
    content: bytes
    lines: tuple[int, ...] = ()  # where each line of it stands in the file

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass
class Reading:
    """How far the disk was read, what was passed over, and what could not be read."""

    total: int = 0
    done: int = 0
    passed_over: list[str] = field(default_factory=list[str])
    broken: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


class _Counted(io.RawIOBase):
    """A file that reports how much of it was read."""

    def __init__(self, file: IO[bytes], reading: Reading) -> None:
        self._file = file
        self._reading = reading

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        found = self._file.read(len(buffer))
        buffer[: len(found)] = found
        self._reading.done += len(found)
        return len(found)

    def close(self) -> None:
        self._file.close()
        super().close()


def measure(paths: Iterable[Path]) -> tuple[list[Path], Reading]:
    """The files that will be read, in order; a path that cannot be read is refused here."""
    reading = Reading()
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = sorted(file for file in path.rglob("*") if file.is_file())
            files += [file for file in found if _taken(file.name)]
            reading.passed_over += [str(file) for file in found if not _taken(file.name)]
        elif not path.is_file():
            raise Unreadable(f"There is no file or folder {path}.")
        elif not _taken(path.name):
            raise Unreadable(f"{path} is neither .json, .ndjson, one of them gzipped, nor a tar.")
        else:
            files.append(path)
    reading.total = sum(file.stat().st_size for file in files)
    return files, reading


def read_units(files: Iterable[Path], reading: Reading) -> Iterator[Unit]:
    """All units of all files; a file that breaks off is noted and the next one is read."""
    for file in files:
        try:
            with file.open("rb") as opened, io.BufferedReader(_Counted(opened, reading)) as stream:
                if file.name.lower().endswith(TARS):
                    yield from _tar_units(stream, reading)
                else:
                    yield from _file_units(stream, file.name)
        except (OSError, EOFError, zlib.error, tarfile.TarError, Unreadable) as broken:
            reading.broken.append((str(file), _why(broken)))


def _tar_units(stream: IO[bytes], reading: Reading) -> Iterator[Unit]:
    with tarfile.open(fileobj=stream, mode="r|*") as tar:
        for member in tar:
            name = PurePosixPath(member.name).name
            if not member.isfile():
                continue
            if not _taken(name) or name.lower().endswith(TARS):
                reading.passed_over.append(member.name)
                continue
            content = tar.extractfile(member)
            assert content is not None
            try:
                yield from _file_units(content, name)
            except (gzip.BadGzipFile, EOFError, zlib.error, Unreadable) as broken:
                reading.broken.append((member.name, _why(broken)))


def _file_units(stream: IO[bytes], name: str) -> Iterator[Unit]:
    zipped = name.lower().endswith(".gz")
    plain = cast("IO[bytes]", gzip.GzipFile(fileobj=stream)) if zipped else stream
    kind = KINDS[_suffix(name)]
    if kind == NDJSON:
        yield from _line_units(plain, name)
        return
    content = plain.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise Unreadable(f"it holds more than {FILE_BYTES_MAX >> 20} MB")
    yield Unit(name, kind, content)


def _line_units(stream: IO[bytes], name: str) -> Iterator[Unit]:
    lines: list[bytes] = []
    numbers: list[int] = []
    size = 0
    for number, line in enumerate(_lines(stream), start=1):
        if not line.strip():
            continue
        if lines and (len(lines) >= LINES_MAX or size + len(line) > LINES_BYTES_MAX):
            yield Unit(name, NDJSON, b"\n".join(lines) + b"\n", tuple(numbers))
            lines, numbers, size = [], [], 0
        lines.append(line.rstrip(b"\r\n"))
        numbers.append(number)
        size += len(line)
    if lines:
        yield Unit(name, NDJSON, b"\n".join(lines) + b"\n", tuple(numbers))


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    while line := stream.readline(FILE_BYTES_MAX + 1):
        if len(line) > FILE_BYTES_MAX:
            raise Unreadable(f"a line of it is longer than {FILE_BYTES_MAX >> 20} MB")
        yield line


def _suffix(name: str) -> str:
    return PurePosixPath(name.lower().removesuffix(".gz")).suffix


def _taken(name: str) -> bool:
    hidden = name.startswith(".")  # such as the "._" twins that macOS puts into its tars
    return not hidden and (name.lower().endswith(TARS) or _suffix(name) in KINDS)


def _why(broken: Exception) -> str:
    if isinstance(broken, Unreadable):
        return broken.message
    if isinstance(broken, OSError) and broken.strerror:
        return broken.strerror
    return "the file is damaged or breaks off"
