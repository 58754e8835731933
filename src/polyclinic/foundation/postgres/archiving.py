"""The write-ahead log, kept piece by piece in a folder of backups as soon as each is finished.

The folder belongs to one cluster: two that archived into one place would make both worthless.
"""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

from polyclinic.foundation.postgres.place import Owner, Place, make_folder, own_folder
from polyclinic.foundation.starting import CannotStart, refused_by_disk

SCRIPT = Path(__file__).with_name("archiver.sh")
# A piece is kept after a minute at the latest, full or not: so much may be lost with the disk.
TIMEOUT_SECONDS = 60
FORMAT = "polyclinic-backups-1"


def cluster_name(place: Place) -> str:
    """Which cluster this is: PostgreSQL's own number of it, and its timeline.

    A restored copy has the number of its origin and begins another timeline: the two must not
    keep their logs in one place, or the next restore would follow the wrong one.
    """
    told = subprocess.run(
        [place.binaries / "pg_controldata", place.cluster],
        capture_output=True,
        text=True,
        check=True,
        env={"LC_ALL": "C"},
    ).stdout
    number = re.search(r"^Database system identifier: +(\d+)$", told, re.M)
    timeline = re.search(r"^Latest checkpoint's TimeLineID: +(\d+)$", told, re.M)
    assert number
    assert timeline
    return f"{number[1]}/{timeline[1]}"


def prepare_archive(place: Place, folder: Path) -> dict[str, str]:
    """Makes the folder ready; answers the server's settings, or raises CannotStart with why not."""
    try:
        claim(folder, place)
        wal = own_folder(folder / "wal", place.owner)
        script = _script(place)
    except OSError as refused:
        raise refused_by_disk(refused, folder) from refused
    check_reach(place.owner, wal)
    return {
        "archive_mode": "on",
        "archive_command": _command(script, "put", "%p", "%f", wal),
        "archive_timeout": str(TIMEOUT_SECONDS),
        "summarize_wal": "on",  # lets a backup take only what changed since the one before
    }


def recovery_settings(place: Place, folder: Path) -> dict[str, str]:
    """How a server that recovers brings pieces back."""
    return {"restore_command": _command(_script(place), "get", "%f", "%p", folder / "wal")}


def claim(folder: Path, place: Place) -> None:
    """Makes a folder of backups for a cluster; one of another cluster, or of others, is refused."""
    cluster = cluster_name(place)
    note = folder / "backups.json"
    if note.exists():
        known = json.loads(note.read_text())
        if known.get("format") != FORMAT or known.get("cluster") != cluster:
            raise CannotStart(
                f"{folder} keeps the backups of another database, or of this one before it was "
                "restored; give it a new folder of its own."
            )
        return
    if folder.exists() and next(folder.iterdir(), None) is not None:
        raise CannotStart(f"{folder} is not empty and holds no backups of ours; name another one.")
    make_folder(folder, place.owner)
    beside = folder / "backups.json.new"
    with beside.open("w") as writer:
        json.dump({"format": FORMAT, "cluster": cluster}, writer)
        writer.flush()
        os.fsync(writer.fileno())
    beside.rename(note)


def check_reach(owner: Owner | None, wal: Path) -> None:
    """An archive that the server cannot write to fills the disk of the database instead."""
    if owner is not None and not owner.runs("/bin/sh", "-c", 'test -w "$1"', "sh", wal):
        raise CannotStart(
            f"The database's user {owner.name} cannot write into {wal}; "
            "choose a folder for backups that other users may pass through."
        )


def _script(place: Place) -> Path:
    """A copy that the server's user can read, of this release."""
    script = place.base / "archiver.sh"
    content = SCRIPT.read_bytes()
    if not script.exists() or script.read_bytes() != content:
        beside = script.with_suffix(".new")
        beside.write_bytes(content)
        beside.chmod(0o755)
        beside.rename(script)
    return script


def _command(script: Path, word: str, first: str, second: str, wal: Path) -> str:
    def quoted(path: Path) -> str:
        return shlex.quote(str(path)).replace("%", "%%")

    return f'/bin/sh {quoted(script)} {word} "{first}" "{second}" {quoted(wal)}'
