"""Files of the old system: read in pieces, unpacked as they are read, and never without an end."""

import zlib
from collections.abc import Iterator
from pathlib import Path

from polyclinic.foundation.errors import Invalid, TooLarge

PIECE = 1 << 20
# A log of a year may be large; what unfolds into more is no log.
UNPACKED_MAX = 16 << 30
RATIO_MAX = 200


def pieces(path: Path) -> Iterator[bytes]:
    """The bytes of a file, of a `.gz` what is in it; raises TooLarge for one that unfolds."""
    try:
        with path.open("rb") as file:
            if file.read(2) != b"\x1f\x8b":
                file.seek(0)
                while piece := file.read(PIECE):
                    yield piece
                return
            file.seek(0)
            yield from _unpacked(path, iter(lambda: file.read(PIECE), b""))
    except OSError as lost:
        raise Invalid(f"{path.name} cannot be read.", place=path.name) from lost


def _unpacked(path: Path, packed: Iterator[bytes]) -> Iterator[bytes]:
    unpacking = zlib.decompressobj(31)
    taken = given = 0
    for piece in packed:
        taken += len(piece)
        rest = piece
        while rest:
            try:
                unpacked = unpacking.decompress(rest, PIECE)
            except zlib.error as broken:
                raise Invalid(f"{path.name} is a broken .gz file.", place=path.name) from broken
            given += len(unpacked)
            if given > UNPACKED_MAX or given > RATIO_MAX * taken + PIECE:
                raise TooLarge(f"{path.name} unfolds into more than a log holds.", place=path.name)
            yield unpacked
            rest = unpacking.unconsumed_tail
            if unpacking.eof:
                # Rotated logs are put together: another member may follow.
                rest, unpacking = unpacking.unused_data, zlib.decompressobj(31)


def whole(path: Path, most: int) -> bytes:
    """A file that is read at once; raises TooLarge beyond `most` bytes, unpacked."""
    parts: list[bytes] = []
    size = 0
    for piece in pieces(path):
        size += len(piece)
        if size > most:
            raise TooLarge(f"{path.name} is larger than {most >> 20} MB.", place=path.name)
        parts.append(piece)
    return b"".join(parts)


def texts(path: Path) -> Iterator[str]:
    """The lines of a CSV file; what is no UTF-8 becomes a sign for that."""
    rest = b""
    for piece in pieces(path):
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > PIECE:
            raise TooLarge(f"{path.name} has a line without an end.", place=path.name)
        yield from (f"{line.decode('utf-8', 'replace')}\n" for line in lines)
    if rest:
        yield rest.decode("utf-8", "replace")
