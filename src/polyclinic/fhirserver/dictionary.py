"""What a mounting service needs of this floor before it starts: the schema and the dictionaries."""

from pathlib import Path

_HERE = Path(__file__).parent
SCHEMA = _HERE / "schema"


def dictionaries() -> dict[int, bytes]:
    """The zstd dictionaries by number. A number, once used, is kept for ever."""
    files = sorted((_HERE / "data").glob("dictionary-*.zstd-dict"))
    return {int(file.name.split("-")[1].partition(".")[0]): file.read_bytes() for file in files}
