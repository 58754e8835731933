"""Reads the cells of a spreadsheet: CSV as programs write it, or the first sheet of a workbook."""

import csv
import io
import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from polyclinic.foundation.errors import Invalid, TooLarge

ROWS_MAX = 200_000
COLUMNS_MAX = 500
# What a workbook may grow to when it is unpacked: a small file can hold gigabytes of nothing.
UNPACKED_MAX = 256 * 1024 * 1024
_ZIP = b"PK\x03\x04"

Cells = dict[str, str]


def rows(content: bytes, charset: str = "") -> Iterator[tuple[int, Cells]]:
    """Each row below the header with its line, by the names of the columns; empty ones not.

    Raises Invalid, naming the line, or TooLarge.
    """
    found = _workbook(content) if content.startswith(_ZIP) else _csv(content, charset)
    header: list[str] = []
    for line, cells in found:
        if line > ROWS_MAX + 1:
            raise TooLarge(f"A sheet has at most {ROWS_MAX} rows here.", place=f"line {line}")
        if len(cells) > COLUMNS_MAX:
            raise TooLarge(f"A row has at most {COLUMNS_MAX} cells.", place=f"line {line}")
        if not header:
            header = _header(cells, line)
        elif any(cells):
            if len(cells) > len(header) and any(cells[len(header) :]):
                raise Invalid("The row has more cells than the header.", place=f"line {line}")
            yield line, dict(zip(header, cells, strict=False))


def _header(cells: list[str], line: int) -> list[str]:
    names = [cell.strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    if not names or not all(names):
        raise Invalid("Each column has a name in the first line.", place=f"line {line}")
    if doubled := {name for name in names if names.count(name) > 1}:
        raise Invalid("Two columns have the same name.", place=sorted(doubled)[0][:100])
    return names


def _csv(content: bytes, charset: str) -> Iterator[tuple[int, list[str]]]:
    try:
        text = content.decode(charset or "utf-8-sig")
    except (UnicodeDecodeError, LookupError) as bad:
        at = content.count(b"\n", 0, getattr(bad, "start", 0)) + 1
        where = f"line {at}"
        raise Invalid("The sheet cannot be read in its character set.", place=where) from bad
    if "\x00" in text:
        raise Invalid("This is no CSV and no workbook.", place="line 1")
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        try:
            yield reader.line_num + 1, next(reader)
        except StopIteration:
            return
        except csv.Error as bad:
            raise Invalid("The line is no CSV.", place=f"line {reader.line_num}") from bad


def _workbook(content: bytes) -> Iterator[tuple[int, list[str]]]:
    from openpyxl import load_workbook  # noqa: PLC0415 - seldom needed, and slow to load
    from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > UNPACKED_MAX:
                raise TooLarge("The workbook is too large when it is unpacked.", place="body")
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheet = book.worksheets[0]
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, IndexError) as bad:
        raise Invalid("This is no workbook (.xlsx) with a sheet.", place="body") from bad
    for line, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
        yield line, [_text(cell) for cell in cells]


def _text(cell: Any) -> str:
    """A cell as a person reads it: days without their midnight, whole numbers without `.0`."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == datetime.min.time() else cell.isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)
